"""Session timers (RFC 4028): who refreshes a session, and when it counts as dead.

Theory. Each 2xx to an INVITE or UPDATE says in Session-Expires how long the session lives from now
on, and whether its sender ("uac" or "uas" of that request) has to refresh it; a 2xx that says
nothing switches the timer off. The refresher asks anew at half the interval. Who only waits ends
the session a little before the interval is over, while proxies still know the way of the BYE.

Two choices that the RFC leaves open. Where it is up to us, the client refreshes: it can do so from
behind a NAT whose mapping to it has long gone. And a peer that knows no timers is not asked for
one: MSRP tells us already whether it is there. If a proxy asks in its stead, we refresh, for as
long as the call stands.
"""

from dataclasses import dataclass
from enum import Enum, auto

from sylk.errors import RemoteProtocolError
from sylk.sip.grammar import parse_params
from sylk.sip.message import MAX_EXPIRES, Request, Response

HeaderList = list[tuple[str, str]]

OPTION_TAG = "timer"
SHORTEST = 90
"""Seconds below which no interval may lie (section 4)."""

TRY_AGAIN_FOR = 32.0
"""A refresh that failed is not tried again in fewer seconds than its transaction may take."""

MOST_REFUSALS = 3
"""How often in a row a 422 raises our interval; a peer could go on for ever."""

_INTERVAL_TOO_SMALL = 422


@dataclass(frozen=True, slots=True)
class SessionTimerSettings:
    """What our side wishes, in seconds: the interval, 0 to ask for none, and the least one."""

    interval: int = 1800
    minimum: int = SHORTEST


@dataclass(frozen=True, slots=True)
class SessionExpires:
    """The Session-Expires header field: seconds, and "uac", "uas" or None (section 4)."""

    interval: int
    refresher: str | None


class Due(Enum):
    """What the clock asks for."""

    REFRESH = auto()
    EXPIRED = auto()


class SessionTimer:
    """The timer of one dialog; `interval` is 0 while there is none."""

    __slots__ = (
        "_expires_at",
        "_minimum",
        "_peer_knows_timers",
        "_refresh_at",
        "_refusals",
        "_settings",
        "interval",
        "refresh_is_due",
        "we_refresh",
    )

    def __init__(self, settings: SessionTimerSettings) -> None:
        self.interval = 0
        self.we_refresh = False
        self.refresh_is_due = False
        """True from the moment for the refresh until it succeeds or comes from the peer."""
        self._settings = settings
        self._minimum = 0
        self._peer_knows_timers = False
        self._refusals = 0
        self._expires_at = 0.0
        self._refresh_at: float | None = None

    # As server

    def check(self, request: Request) -> None:
        """Raise RemoteProtocolError: 400 for what cannot be read, 422 for too short an interval.

        Only a client that knows timers can make sense of a 422 (section 9).
        """
        asked = read_session_expires(request)
        read_min_se(request)
        if not _knows_timers(request) or asked is None:
            return
        if asked.interval < self._settings.minimum:
            raise RemoteProtocolError(
                f"a session of {asked.interval} s is too short",
                _INTERVAL_TOO_SMALL,
                [("Min-SE", str(self._settings.minimum))],
            )

    def answer(self, request: Request, now: float) -> HeaderList:
        """Start the timer that `request` leads to and return what our 2xx says of it.

        `check` must have passed. Table 2 of section 9.
        """
        asked = read_session_expires(request)
        least = read_min_se(request)
        # Who forgets to say so in a later request has not forgotten how (section 7.1 demands it).
        self._peer_knows_timers = self._peer_knows_timers or _knows_timers(request)
        self._minimum = max(self._minimum, least)
        if asked is not None:
            interval = self._shortened(asked.interval, least)
        elif self.interval or (self._settings.interval and self._peer_knows_timers):
            interval = max(self.interval or self._settings.interval, least, SHORTEST)
        else:
            self.stop()
            return []
        refresher = self._refresher(asked)
        self._start(interval, refresher == "uas", now)
        headers = [("Session-Expires", f"{interval};refresher={refresher}")]
        if self._peer_knows_timers:
            headers.append(("Require", OPTION_TAG))
        return headers

    def _shortened(self, asked: int, least: int) -> int:
        # We may ask for less than the client, but never for more, nor for less than the RFC allows.
        if self._settings.interval:
            asked = min(asked, max(self._settings.interval, self._settings.minimum, least))
        return max(asked, SHORTEST)

    def _refresher(self, asked: SessionExpires | None) -> str:
        if not self._peer_knows_timers:
            return "uas"
        if asked is not None and asked.refresher is not None:
            return asked.refresher
        return "uas" if self.interval and self.we_refresh else "uac"

    # As client

    def headers(self) -> HeaderList:
        """Return what a request of ours inside the dialog says (section 7.4)."""
        if not self.interval:
            return []
        refresher = "uac" if self.we_refresh else "uas"
        interval = max(self.interval, self._minimum)
        headers = [("Session-Expires", f"{interval};refresher={refresher}")]
        if self._minimum:
            headers.append(("Min-SE", str(self._minimum)))
        return headers

    def receive_success(self, response: Response, now: float) -> None:
        """Start the timer that the 2xx to a request of ours tells of (section 7.2)."""
        self._peer_knows_timers = self._peer_knows_timers or _knows_timers(response)
        try:
            told = read_session_expires(response)
        except RemoteProtocolError:
            # The session stands whatever the header field was to say.
            told = None
        if told is not None:
            self._start(max(told.interval, SHORTEST), told.refresher != "uas", now)
        elif self.we_refresh and not self._peer_knows_timers:
            self._start(self.interval, True, now)
        else:
            self.stop()

    def receive_refusal(self, response: Response) -> bool:
        """Take the Min-SE of a 422; tells whether the request is worth another attempt (7.3)."""
        try:
            least = read_min_se(response)
        except RemoteProtocolError:
            return False
        asked = max(self.interval, self._minimum)
        if not self.interval or least <= asked or self._refusals >= MOST_REFUSALS:
            return False
        self._refusals += 1
        self._minimum = least
        return True

    def refresh_failed(self, now: float) -> None:
        """Plan another refresh for halfway to the end, as long as there is time for one."""
        wait = (self._expires_at - now) / 2
        if self.interval and self.refresh_is_due and wait >= TRY_AGAIN_FOR:
            self._refresh_at = now + wait

    # The clock

    def stop(self) -> None:
        """Do without a timer from now on."""
        self.interval = 0
        self.we_refresh = self.refresh_is_due = False
        self._refresh_at = None

    def next_deadline(self) -> float | None:
        """Return when `take_due` has something to tell."""
        if not self.interval:
            return None
        return self._ends_at if self._refresh_at is None else min(self._refresh_at, self._ends_at)

    def take_due(self, now: float) -> Due | None:
        """Return what is due at `now`, once."""
        if not self.interval:
            return None
        if now >= self._ends_at:
            self.stop()
            return Due.EXPIRED
        if self._refresh_at is None or now < self._refresh_at:
            return None
        self._refresh_at = None
        self.refresh_is_due = True
        return Due.REFRESH

    @property
    def _ends_at(self) -> float:
        if self.we_refresh:
            return self._expires_at
        # Before the end, while NATs and firewalls still let the BYE pass (section 10).
        return self._expires_at - min(32.0, self.interval / 3)

    def _start(self, interval: int, we_refresh: bool, now: float) -> None:
        self.interval, self.we_refresh = interval, we_refresh
        self.refresh_is_due = False
        self._refusals = 0
        self._expires_at = now + interval
        self._refresh_at = now + interval / 2 if we_refresh else None


def first_headers(settings: SessionTimerSettings, least: int = 0) -> HeaderList:
    """Return what an INVITE of ours says; `least` is the greatest Min-SE of a 422 to it (7.1)."""
    if not settings.interval:
        return []
    least = max(least, settings.minimum)
    headers = [("Session-Expires", str(max(settings.interval, least)))]
    if least > SHORTEST:
        headers.append(("Min-SE", str(least)))
    return headers


def read_session_expires(message: Request | Response) -> SessionExpires | None:
    """Return Session-Expires, None if there is none; raises RemoteProtocolError (400)."""
    text = message.headers.get("Session-Expires")
    if text is None:
        return None
    seconds, semicolon, rest = text.partition(";")
    refresher = parse_params(semicolon + rest).get("refresher", "")
    if refresher is None or refresher.lower() not in ("", "uac", "uas"):
        raise RemoteProtocolError("malformed refresher in Session-Expires")
    return SessionExpires(_seconds(seconds, "Session-Expires"), refresher.lower() or None)


def read_min_se(message: Request | Response) -> int:
    """Return Min-SE in seconds, 0 if there is none; raises RemoteProtocolError (400)."""
    text = message.headers.get("Min-SE")
    if text is None:
        return 0
    seconds, semicolon, rest = text.partition(";")
    parse_params(semicolon + rest)
    return _seconds(seconds, "Min-SE")


def _seconds(text: str, name: str) -> int:
    text = text.strip(" \t")
    if not (text.isascii() and text.isdigit()):
        raise RemoteProtocolError(f"malformed {name}")
    digits = text.lstrip("0") or "0"
    return min(int(digits), MAX_EXPIRES) if len(digits) <= len(str(MAX_EXPIRES)) else MAX_EXPIRES


def _knows_timers(message: Request | Response) -> bool:
    """Tell whether the sender knows timers; raises RemoteProtocolError (400) for a request."""
    try:
        return OPTION_TAG in message.supported or OPTION_TAG in message.require
    except RemoteProtocolError:
        if isinstance(message, Request):
            raise
        return False
