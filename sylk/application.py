"""What an application is: a small class that answers the requests routed to it.

An application is a package with a subclass of `Application`, named in the entry-point group
`sylk.applications`. Each handler runs in a task of its own. Returning from one is a polite end,
raising is logged once and ends that request alone, and cancellation (at shutdown) ends it too.
"""

from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, Self

from sylk.log import ApplicationLogger
from sylk.session.invitation import Invitation
from sylk.session.requests import PageMessage, ReferralRequest, SubscriptionRequest
from sylk.session.user_agent import UserAgent

INTERFACE_VERSION = 1
"""Counts up when something here changes in a way that applications must follow."""


@dataclass(frozen=True)
class NoSettings:
    """The settings of an application that has none."""


class Application:
    """The base of every application: refuses everything, properly.

    Subclasses set `name` (what `application_map` and X-Sylk-App say) and, if they have settings, a
    dataclass of `sylk.settings.setting` fields as `settings_class`; the section of `sylk.ini` is
    the name with a capital.
    """

    name: ClassVar[str]
    settings_class: ClassVar[type[Any]] = NoSettings
    event_packages: ClassVar[tuple[str, ...]] = ()
    """The packages that can be subscribed to here; a SUBSCRIBE to any other is refused with 489."""

    extensions: ClassVar[tuple[str, ...]] = ()
    """The option tags that an INVITE may require here and nowhere else, such as
    recipient-list-invite (RFC 5366); others refuse it with 420."""

    def __init__(self, settings: Any) -> None:
        """Take the settings, an instance of `settings_class`."""
        self.settings = settings
        self.logger = ApplicationLogger(self.name)
        self.user_agent: UserAgent | None = None
        """By which it calls, sends messages and subscribes; the server gives it before the start.

        None without a server, as in a test of the application alone.
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
