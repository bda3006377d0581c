"""The header fields of event notification (RFC 6665 section 8.2)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.sip.grammar import is_token, parse_params
from sylk.sip.message import MAX_EXPIRES, Message, Request

ACTIVE = "active"
PENDING = "pending"
TERMINATED = "terminated"

_SECONDS = re.compile(r"[ \t]*(?=[0-9])0*+([0-9]{0,20}+)", re.ASCII)
# After these the state is of no use or not for us (section 4.1.3): do not ask again.
_FINAL_REASONS = ("rejected", "noresource", "invariant")
# After these a retry-after has no meaning: ask again whenever you like.
_IMMEDIATE_REASONS = ("deactivated", "timeout")
# After "probation" without a retry-after "some later time" is meant, in seconds.
DEFAULT_PROBATION = 60


@dataclass(slots=True)
class EventType:
    """Which package of state is meant, and which of several subscriptions to it.

    `package` is kept as it was written: subscribers compare it octet by octet (section 8.2.1).
    """

    package: str
    id: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a value of Event. Raises RemoteProtocolError (489)."""
        package, semicolon, rest = text.partition(";")
        package = package.strip(" \t")
        try:
            params = parse_params(semicolon + rest) if semicolon else {}
        except RemoteProtocolError as error:
            raise RemoteProtocolError(f"Event: {error}", 489) from None
        number = params.get("id")
        if not is_token(package) or ("id" in params and not is_token(number or "")):
            raise RemoteProtocolError("malformed Event", 489)
        return cls(package, number)

    @classmethod
    def of(cls, request: Request) -> Self:
        """Return the event of a request. Raises RemoteProtocolError (489) if it has none."""
        text = request.headers.get("Event")
        if text is None:
            # Section 4.2.3: only a notifier of PINT may do without.
            raise RemoteProtocolError("no Event header field", 489)
        return cls.parse(text)

    @classmethod
    def asked_for(cls, request: Request) -> Self:
        """Return of what the NOTIFYs of a SUBSCRIBE or REFER tell; raises as `of`.

        Several REFERs in one dialog are told apart by their CSeq (RFC 3515 section 2.4.6).
        """
        if request.method != "REFER":
            return cls.of(request)
        return cls("refer", None if request.to.tag is None else str(request.cseq.number))

    def __str__(self) -> str:
        return self.package if self.id is None else f"{self.package};id={self.id}"

    def is_same_package(self, other: "EventType") -> bool:
        """Tell whether both are about the same kind of state; their case is forgiven."""
        return self.package.lower() == other.package.lower()


@dataclass(slots=True)
class SubscriptionState:
    """What a notifier says of the subscription: `active`, `pending`, `terminated` or an extension.

    `expires` and `retry_after` are in seconds.
    """

    state: str
    expires: int | None = None
    reason: str | None = None
    retry_after: int | None = None

    @classmethod
    def of(cls, notify: Request) -> Self:
        """Return the state that a NOTIFY tells. Raises RemoteProtocolError (400)."""
        text = notify.headers.get("Subscription-State")
        if text is None:
            raise RemoteProtocolError("no Subscription-State header field")
        return cls.parse(text)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a value of Subscription-State. Raises RemoteProtocolError (400)."""
        state, semicolon, rest = text.partition(";")
        state = state.strip(" \t").lower()
        if not is_token(state):
            raise RemoteProtocolError("malformed Subscription-State")
        params = parse_params(semicolon + rest) if semicolon else {}
        reason = params.get("reason")
        return cls(
            state,
            _seconds(params.get("expires")),
            reason.lower() if reason else None,
            _seconds(params.get("retry-after")),
        )

    def __str__(self) -> str:
        parts = [self.state]
        if self.reason is not None:
            if not is_token(self.reason):
                raise LocalProtocolError(f"{self.reason!r} cannot be a reason")
            parts.append(f"reason={self.reason}")
        if self.expires is not None:
            parts.append(f"expires={self.expires}")
        if self.retry_after is not None:
            parts.append(f"retry-after={self.retry_after}")
        return ";".join(parts)

    @property
    def resubscribe_after(self) -> int | None:
        """Seconds after which a new subscription may be tried, None for never (section 4.1.3)."""
        if self.reason in _FINAL_REASONS:
            return None
        if self.reason in _IMMEDIATE_REASONS:
            return 0
        if self.retry_after is not None:
            return self.retry_after
        return DEFAULT_PROBATION if self.reason == "probation" else 0


def allow_events_headers(packages: Sequence[str]) -> list[tuple[str, str]]:
    """Return the Allow-Events header field for these packages; without any there is none.

    Raises LocalProtocolError for a package that is no token (section 8.4).
    """
    for package in packages:
        if not is_token(package):
            raise LocalProtocolError(f"{package!r} cannot name an event package")
    return [("Allow-Events", ", ".join(packages))] if packages else []


def check_event(request: Request, packages: Sequence[str]) -> None:
    """Make sure that a SUBSCRIBE asks for one of these packages.

    Raises RemoteProtocolError (489) with Allow-Events (section 4.2.1.1); their case is forgiven.
    """
    try:
        package = EventType.of(request).package
        if package.lower() not in (known.lower() for known in packages):
            raise RemoteProtocolError(f"the event package {package[:64]!r} is not known here")
    except RemoteProtocolError as error:
        raise RemoteProtocolError(str(error), 489, allow_events_headers(packages)) from None


def retry_after_of(message: Message) -> int | None:
    """Return the seconds of Retry-After; None if it is missing or cannot be read."""
    match = _SECONDS.match(message.headers.get("Retry-After") or "")
    return _bounded(match[1]) if match else None


def min_expires_of(message: Message) -> int | None:
    """Return the seconds of Min-Expires; None if it is missing or cannot be read."""
    match = _SECONDS.fullmatch(message.headers.get("Min-Expires") or "")
    return _bounded(match[1]) if match else None


def _seconds(text: str | None) -> int | None:
    if text is None:
        return None
    match = _SECONDS.fullmatch(text)
    if match is None:
        raise RemoteProtocolError("malformed number of seconds in Subscription-State")
    return _bounded(match[1])


def _bounded(digits: str) -> int:
    return min(int(digits or "0"), MAX_EXPIRES)
