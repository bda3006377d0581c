"""A path of ours through somebody else's relay, and the link that carries it (RFC 4976 5.1)."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import trio

from sylk.errors import TransportError
from sylk.msrp.relay_login import LoginFailed, Password, PathStands, RelayLogin
from sylk.msrp.uri import MsrpURI, Path
from sylk.net.alarm import AlarmClock
from sylk.net.msrp_link import MsrpLink
from sylk.net.outbox import Outbox

logger = logging.getLogger("sylk.relay")


@dataclass(slots=True)
class RelayAccount:
    """Which relay, and who knows the password."""

    uri: MsrpURI
    password: Password
    expires: int | None = None
    """Seconds that are asked for; None leaves that to the relay."""


class RelayPath:
    """One path: it is asked for when its link stands, and prolonged as long as that does."""

    def __init__(self, account: RelayAccount, own: MsrpURI, clock: AlarmClock) -> None:
        self.login = RelayLogin(account.uri, own, account.password, account.expires)
        self.path: Path = ()
        """As our SDP gives it: the relay farthest from us first, then ourselves."""
        self.link: MsrpLink | None = None
        """What carries it, None once that has closed."""
        self._own = own
        self._relay = account.uri
        self._clock = clock
        self._settled = trio.Event()
        self.lost = trio.Event()
        """Set when the link has closed, or the relay does not prolong the path."""
        self.failure = ""
        """Why there is no path, or will soon be none."""

    async def wait_granted(self) -> None:
        """Wait until the relay has given the path; raises TransportError with the reason."""
        await self._settled.wait()
        if not self.path:
            raise TransportError(f"the relay {self._relay.host}: {self.failure}")

    def give_up(self) -> None:
        """Close the link, as soon as no session needs it."""
        self._clock.set(self, None, self._ring)
        if self.link is not None:
            self.link.is_kept = False
            if not self.link.sessions:
                self.link.finish()

    def opened(self, link: MsrpLink) -> None:
        """Ask for the path."""
        self.link = link
        self.login.start(link.connection, trio.current_time())
        self._settle(link)

    def attend(self, link: MsrpLink) -> Sequence[Outbox]:
        """See what the relay has answered."""
        self._settle(link)
        return ()

    def closed(self, link: MsrpLink) -> None:
        """Take it that the way to the relay is gone, and with it the path."""
        self.link = None
        self._clock.set(self, None, self._ring)
        self.failure = self.failure or link.reason or "the connection was closed"
        self._settled.set()
        self.lost.set()

    def _settle(self, link: MsrpLink) -> None:
        while (event := self.login.next_event()) is not None:
            self._take(event, link)
        link.flush()
        self._clock.set(self, self.login.next_deadline(), self._ring)

    def _take(self, event: PathStands | LoginFailed, link: MsrpLink) -> None:
        if isinstance(event, PathStands):
            self.path = (*reversed(event.path), self._own)
            link.keep()
        else:
            self.failure = f"{event.status} {event.reason}" if event.status else event.reason
            if self.path:
                # The session goes on until the path runs out.
                logger.warning("the relay %s prolongs no path: %s", self._relay, self.failure)
                self.lost.set()
        self._settled.set()

    def _ring(self, now: float) -> None:
        self.login.handle_deadline(now)
        if self.link is not None:
            self._settle(self.link)
