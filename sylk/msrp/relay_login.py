"""A client's way into a relay: one AUTH dialogue for one path (RFC 4976 section 5.1).

Theory. One AUTH is asked at a time. What comes from the relay, or does not come in time, decides:

    state      input       action   next
    IDLE       START       ASK      ASKED
    ASKED      CHALLENGED  ANSWER   ANSWERED
    ASKED      GRANTED     TAKE     STANDS
    ASKED      BOUND       ASK      ASKED       (once: with the time that the relay allows)
    ANSWERED   GRANTED     TAKE     STANDS
    ANSWERED   STALE       ANSWER   LAST_TRY    (nothing but the nonce was old)
    ANSWERED   BOUND       ASK      ASKED       (once)
    LAST_TRY   GRANTED     TAKE     STANDS
    STANDS     DUE         ASK      ASKED       (to the path itself, which asks for more time)
    any        else        FAIL     FAILED

A relay that gives another path when asked for more time has not prolonged the first. The session
cannot move there without a new offer, so that path is left unused and the first one runs out.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.msrp.connection import MsrpConnection
from sylk.msrp.frame import AUTH, Frame, render_request
from sylk.msrp.identifiers import TransactionIds
from sylk.msrp.uri import MsrpURI, Path, parse_path

ANSWER_TIMEOUT = 30.0
"""Seconds in which a relay must answer."""

RENEW_AFTER = 0.75
"""The part of its time after which a path is renewed."""

_MAX_SECONDS = 10**9


class LoginState(Enum):
    """Where the dialogue stands."""

    IDLE = "idle"
    ASKED = "asked"
    ANSWERED = "answered"
    LAST_TRY = "last try"
    STANDS = "stands"
    FAILED = "failed"


class LoginInput(Enum):
    """What happens."""

    START = "start"
    CHALLENGED = "challenged"
    STALE = "stale"
    GRANTED = "granted"
    BOUND = "bound"
    DUE = "due"
    REFUSED = "refused"
    SILENCE = "silence"


class LoginAction(Enum):
    """What is done then."""

    ASK = "ask"
    ANSWER = "answer"
    TAKE = "take"
    FAIL = "fail"


_S, _I, _A = LoginState, LoginInput, LoginAction

TRANSITIONS = {
    (_S.IDLE, _I.START): (_A.ASK, _S.ASKED),
    (_S.ASKED, _I.CHALLENGED): (_A.ANSWER, _S.ANSWERED),
    (_S.ASKED, _I.STALE): (_A.ANSWER, _S.ANSWERED),
    (_S.ASKED, _I.GRANTED): (_A.TAKE, _S.STANDS),
    (_S.ASKED, _I.BOUND): (_A.ASK, _S.ASKED),
    (_S.ANSWERED, _I.GRANTED): (_A.TAKE, _S.STANDS),
    (_S.ANSWERED, _I.STALE): (_A.ANSWER, _S.LAST_TRY),
    (_S.ANSWERED, _I.BOUND): (_A.ASK, _S.ASKED),
    (_S.LAST_TRY, _I.GRANTED): (_A.TAKE, _S.STANDS),
    (_S.STANDS, _I.DUE): (_A.ASK, _S.ASKED),
}
_ELSE = (_A.FAIL, _S.FAILED)


class Password(Protocol):
    """Who knows the password."""

    def answer(self, challenges: str, uri: str) -> str:
        """Return the value of Authorization; raises RemoteProtocolError."""
        ...

    def is_stale(self, challenges: str) -> bool:
        """Tell whether nothing but the nonce was old."""
        ...

    def knows_us(self, info: str, authorization: str) -> bool:
        """Tell whether Authentication-Info proves that the relay knows the password too."""
        ...


@dataclass(slots=True)
class PathStands:
    """The relay has given a path, in the order of Use-Path, for so many seconds."""

    path: Path
    expires: int | None


@dataclass(slots=True)
class LoginFailed:
    """There is no path, or it was not prolonged; `status` is 0 where none came."""

    status: int
    reason: str


class RelayLogin:
    """One dialogue; it takes the answers that come over its connection."""

    def __init__(
        self, relay: MsrpURI, own: MsrpURI, password: Password, expires: int | None = None
    ) -> None:
        """Take the relay's URI, our own, and for how many seconds we want the path."""
        self.state = LoginState.IDLE
        self.path: Path = ()
        """What the relay gave us, empty before."""
        self._target = str(relay)
        self._own = str(own)
        self._password = password
        self._expires = expires
        self._ids = TransactionIds()
        self._transaction_id = b""
        self._authorization = ""
        self._may_adjust = True
        self._link: MsrpConnection | None = None
        self._deadline: float | None = None
        self._events: deque[PathStands | LoginFailed] = deque()

    def start(self, link: MsrpConnection, now: float) -> None:
        """Ask for a path over a connection to the relay; raises LocalProtocolError twice."""
        if self.state is not LoginState.IDLE:
            raise LocalProtocolError("a login starts once")
        self._link = link
        self._handle(LoginInput.START, None, now)

    def next_event(self) -> PathStands | LoginFailed | None:
        """Return what happened, None for nothing."""
        return self._events.popleft() if self._events else None

    def next_deadline(self) -> float | None:
        """Return when `handle_deadline` is to be called, None for never."""
        return self._deadline

    def handle_deadline(self, now: float) -> None:
        """Do what is due by `now`: ask for more time, or give up waiting."""
        if self._deadline is not None and self._deadline <= now:
            self._deadline = None
            stands = self.state is LoginState.STANDS
            self._handle(LoginInput.DUE if stands else LoginInput.SILENCE, None, now)

    def receive_frame(self, link: MsrpConnection, frame: Frame, now: float) -> bool:
        """Take an answer of the relay; False for any other frame."""
        if frame.method or frame.transaction_id != self._transaction_id or link is not self._link:
            return False
        self._transaction_id = b""
        challenges = _text(frame, b"www-authenticate")
        if frame.status == 200:
            login_input = LoginInput.GRANTED
        elif frame.status == 401 and self._password.is_stale(challenges):
            login_input = LoginInput.STALE
        elif frame.status == 401:
            login_input = LoginInput.CHALLENGED
        elif frame.status == 423 and self._may_adjust:
            login_input = LoginInput.BOUND
        else:
            login_input = LoginInput.REFUSED
        self._handle(login_input, frame, now)
        return True

    def _handle(self, login_input: LoginInput, frame: Frame | None, now: float) -> None:
        action, state = TRANSITIONS.get((self.state, login_input), _ELSE)
        try:
            if action is LoginAction.ASK:
                self._ask(login_input, frame)
            elif action is LoginAction.ANSWER:
                assert frame is not None
                challenges = _text(frame, b"www-authenticate")
                self._authorization = self._password.answer(challenges, self._target)
                self._send()
            elif action is LoginAction.TAKE:
                assert frame is not None
                self._take(frame, now)
            else:
                self._fail(frame)
        except RemoteProtocolError as error:
            state = LoginState.FAILED
            self._events.append(LoginFailed(error.status, str(error)))
        self.state = state
        if state in (LoginState.ASKED, LoginState.ANSWERED, LoginState.LAST_TRY):
            self._deadline = now + ANSWER_TIMEOUT

    def _ask(self, login_input: LoginInput, frame: Frame | None) -> None:
        self._authorization = ""
        if login_input is LoginInput.BOUND and frame is not None:
            self._may_adjust = False
            bound = _seconds(frame, b"min-expires") or _seconds(frame, b"max-expires")
            if bound is None:
                raise RemoteProtocolError("the relay names no time that it takes", frame.status)
            self._expires = bound
        elif login_input is LoginInput.DUE:
            self._target = str(self.path[-1])
        self._send()

    def _send(self) -> None:
        assert self._link is not None
        headers: list[tuple[bytes, bytes]] = []
        if self._expires is not None:
            headers.append((b"Expires", b"%d" % self._expires))
        if self._authorization:
            value = self._authorization.encode("utf-8", "surrogateescape")
            headers.append((b"Authorization", value))
        self._transaction_id = self._ids.take()
        self._link.queue(
            render_request(
                self._transaction_id, AUTH, self._target.encode(), self._own.encode(), headers
            )
        )

    def _take(self, frame: Frame, now: float) -> None:
        value = frame.headers.get(b"use-path")
        if value is None:
            raise RemoteProtocolError("the relay gives no path", 400)
        path = parse_path(value)
        if not path[-1].session_id:
            raise RemoteProtocolError("the path of the relay names no session", 400)
        info = _text(frame, b"authentication-info")
        if self._authorization and info and not self._password.knows_us(info, self._authorization):
            raise RemoteProtocolError("the relay does not know the password", 400)
        if self.path and str(path[-1]) != str(self.path[-1]):
            raise RemoteProtocolError("the relay prolongs no path", 400)
        self.path = path
        expires = _seconds(frame, b"expires")
        self._deadline = None if expires is None else now + max(1.0, expires * RENEW_AFTER)
        self._events.append(PathStands(path, expires))

    def _fail(self, frame: Frame | None) -> None:
        self._deadline = None
        if frame is None:
            self._events.append(LoginFailed(0, "the relay does not answer"))
        else:
            comment = frame.comment.decode("utf-8", "replace")
            self._events.append(LoginFailed(frame.status, comment))


def _text(frame: Frame, name: bytes) -> str:
    return frame.headers.get(name, b"").decode("utf-8", "surrogateescape")


def _seconds(frame: Frame, name: bytes) -> int | None:
    value = frame.headers.get(name, b"")
    return min(int(value), _MAX_SECONDS) if value.isdigit() and len(value) <= 10 else None
