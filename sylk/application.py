"""What an application is: a small class that answers the requests routed to it.

An application is a package with a subclass of `Application`, named in the entry-point group
`sylk.applications`. Each handler runs in a task of its own. Returning from one is a polite end,
raising is logged once and ends that request alone, and cancellation (at shutdown) ends it too.

When the settings file is read again while the server runs, `reconfigure` gets what has become of
the settings. Only what is declared with `restart=False` ever changes in them, so an application
that reads `self.settings` where it needs a value is up to date by itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from sylk.log import ApplicationLogger
from sylk.room_status import RoomStatus
from sylk.session.announcer import Announcer
from sylk.session.invitation import Invitation
from sylk.session.own_hosts import OwnHosts
from sylk.session.requests import PageMessage, ReferralRequest, SubscriptionRequest
from sylk.session.user_agent import UserAgent
from sylk.settings import AddressSettings
from sylk.share import Share

INTERFACE_VERSION = 1
"""Counts up when an application that keeps to the public names must change to go on working.

What that promises, and which names are public, stands in `docs/applications.md`.
"""


@dataclass(frozen=True)
class NoSettings:
    """The settings of an application that has none."""


class Application:
    """The base of every application: refuses everything, properly.

    Subclasses set `name` (what `application_map` and X-Sylk-App say) and, if they have settings, a
    dataclass of `sylk.settings.setting` fields as `settings_class`; the section of `sylk.ini` is
    the name with a capital.

    If single addresses may have settings of their own, as a room has, `address_settings_class` is a
    dataclass of what a section like [lobby@example.com] may set. `settings_class` derives from it:
    what such a section leaves out is as in the application's own section. All of it is declared
    with `restart=False`.
    """

    name: ClassVar[str]
    settings_class: ClassVar[type[Any]] = NoSettings
    address_settings_class: ClassVar[type[Any] | None] = None
    event_packages: ClassVar[tuple[str, ...]] = ()
    """The packages that can be subscribed to here; a SUBSCRIBE to any other is refused with 489."""

    extensions: ClassVar[tuple[str, ...]] = ()
    """The option tags that an INVITE may require here and nowhere else, such as
    recipient-list-invite (RFC 5366); others refuse it with 420."""

    def __init__(self, settings: Any) -> None:
        """Take the settings, an instance of `settings_class`."""
        self.settings = settings
        self.address_settings: AddressSettings[Any] = AddressSettings(settings)
        """The settings of each address; the server gives them before the start."""
        self.state_dir: Path | None = None
        """Where it may keep files, a folder of its own; the server gives it before the start.

        The folder need not exist yet. None without a server.
        """
        self.share = Share()
        """Which part of all addresses is answered here, where several workers are one server; the
        server gives it before the start. Requests for others do not come."""
        self.logger = ApplicationLogger(self.name)
        self.user_agent: UserAgent | None = None
        """By which it calls, sends messages and subscribes; the server gives it before the start.

        None without a server, as in a test of the application alone.
        """
        self.own_hosts: OwnHosts | None = None
        """Which hosts of URIs are this server; the server gives it before the start. None without
        a server."""
        self.announcer: Announcer | None = None
        """By which it is announced to the neighbours (Bonjour); the server gives it before the
        start. None where nothing is announced."""

    @classmethod
    def spread(cls, state_dirs: Sequence[Path], count: int) -> None:
        """Move what is kept to the worker that has its address now (`sylk.share.worker_of`).

        Called when there are `count` workers and there were more or fewer, before any of them
        starts. `state_dirs` are the folders of all, also of those that are no more; the first is
        that of a server that is alone. By default each keeps what it has.
        """

    async def __aenter__(self) -> Self:
        """Start: called once, before the first request."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop: called once, after the last request has been handled."""

    def reconfigure(self, settings: Any, address_settings: AddressSettings[Any]) -> None:
        """Take the settings of a file that was read again, for what begins from now on.

        Called in the loop, possibly before the start. What needs a restart has its old value.
        """
        self.settings = settings
        self.address_settings = address_settings

    def status(self) -> Mapping[str, float]:
        """Return figures of its own for `sylk-server status` and the metrics, by plain names.

        What only ever goes up has a name that ends in `_total`. Called in the loop; quick.
        """
        return {}

    def rooms(self) -> Iterable[RoomStatus]:
        """Return its rooms for `sylk-server rooms`; none here. Called in the loop; quick."""
        return ()

    async def handle_invitation(self, invitation: Invitation) -> None:
        """Answer an INVITE; here 488, since nothing is on offer."""
        await invitation.reject(488)

    async def handle_subscription(self, subscription: SubscriptionRequest) -> None:
        """Answer a SUBSCRIBE to one of `event_packages`; here 489, since nothing is told."""
        await subscription.reject(489)

    async def handle_referral(self, referral: ReferralRequest) -> None:
        """Answer a REFER; here 405."""
        await referral.reject(405)

    async def handle_message(self, message: PageMessage) -> None:
        """Answer a MESSAGE; here 405."""
        await message.reject(405)
