"""The room calls people: those whom a REFER names, and those in the list of an INVITE.

Each is called in a task of its own, which goes on as his time in the room for as long as he stays;
it does not matter whether whoever asked for it still listens. While it rings there is a seat for
him, but the room does not stay open for it: when the last of the others leaves, he is called no
more. Nobody is called twice at a time into one room: who asks next hears of the same call.

Not on behalf of strangers can the server be made to pester anybody: see `CallQuota`, and
`max_ringing` for the calls that have no answer yet.

COMPAT: display name, Subject and X-Orig-From are those of deployed servers: people know them.
Referred-By (RFC 3892) always names who has asked, as far as we know who he is; what he has written
there himself is a claim that we do not pass on as ours. RFC 3892 wants it copied for the sake of
its signature, and nobody signs it.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Self
from urllib.parse import unquote

import trio

from sylk.errors import RemoteProtocolError, SessionEnded, TransportError
from sylk.log import ApplicationLogger, LoggingCall
from sylk.payload.cpim import Address
from sylk.session import Call, UserAgent
from sylk_conference.dial_out_settings import DialOutSettings
from sylk_conference.notices import name_of
from sylk_conference.open_room import OpenRoom
from sylk_conference.people import Arrival, comparable
from sylk_conference.rooms import Rooms
from sylk_conference.visit import Visit

CALLER_NAME = "Conference Call"

RETRY_AFTER = 10
"""Seconds after which to ask again where `max_ringing` is reached."""

_OK = 200
_CANCELLED = 487
_NO_CPIM = 488
_FAILED = 500
_UNREACHABLE = 503

Listener = Callable[[int, str], None]
"""Is told status and reason of a call; the reason is empty where the RFC's will do."""


@dataclass(frozen=True, slots=True)
class Invitee:
    """Whom to call, and in whose name."""

    uri: str
    """A SIP URI, with the parameters that tell the way."""
    referrer: Address
    replaces: str | None = None
    """The dialog of his that this call takes the place of (RFC 3891, RFC 4579 section 5.10)."""

    @property
    def key(self) -> bytes:
        """user@host, by which people are told apart."""
        return comparable(self.uri.encode("utf-8", "replace"))


@dataclass(slots=True, eq=False)
class _Ringing:
    """Somebody who is being called."""

    invitee: Invitee
    listeners: list[Listener]
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    last: tuple[int, str] = (100, "")

    def tell(self, status: int, reason: str = "") -> None:
        self.last = status, reason
        for listener in self.listeners:
            listener(status, reason)
        if status >= _OK:
            self.listeners.clear()


class DialOut:
    """The calls of all rooms, for as long as one is inside."""

    def __init__(
        self,
        rooms: Rooms,
        settings: DialOutSettings,
        logger: ApplicationLogger,
        event_packages: Sequence[str] = (),
    ) -> None:
        """Call into `rooms`; `event_packages` tell what can be subscribed to there."""
        self.user_agent: UserAgent | None = None
        """By which it calls; given before anybody is called."""
        self._rooms = rooms
        self._settings = settings
        self._logger = logger
        self._headers = [("Allow-Events", ", ".join(event_packages))] if event_packages else []
        self._quota = settings.call_quota
        self._ringing: dict[OpenRoom, dict[bytes, _Ringing]] = {}
        self._next: list[tuple[OpenRoom | None, bytes]] = []
        """Who is about to be called, where."""
        self._stack = AsyncExitStack()
        self._nursery: trio.Nursery | None = None

    async def __aenter__(self) -> Self:
        self._nursery = await self._stack.enter_async_context(trio.open_nursery())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._nursery is not None
        self._nursery.cancel_scope.cancel()
        await self._stack.__aexit__(kind, error, traceback)

    def is_ringing(self, open_room: OpenRoom, key: bytes) -> bool:
        """Tell whether somebody, by his user@host, is being called into a room, or about to be."""
        return key in self._ringing.get(open_room, {}) or (open_room, key) in self._next

    @contextmanager
    def about_to_call(self, open_room: OpenRoom | None, key: bytes) -> Generator[None]:
        """Count somebody as called while inside, where he is going to be."""
        self._next.append((open_room, key))
        try:
            yield
        finally:
            self._next.remove((open_room, key))

    def has_line(self, open_room: OpenRoom) -> bool:
        """Tell whether one more may be called into a room now."""
        ringing = len(self._ringing.get(open_room, {}))
        ringing += sum(place is open_room for place, _ in self._next)
        return ringing < self._settings.max_ringing

    def wait_for_call(self, open_room: OpenRoom, invitee: Invitee) -> int | None:
        """Count a call; return None if it may be made, or in how many seconds to ask again."""
        if not self.has_line(open_room):
            return RETRY_AFTER
        referrer = comparable(invitee.referrer.uri.encode("utf-8", "replace"))
        return self._quota.take(referrer, invitee.key, trio.current_time())

    def call(self, open_room: OpenRoom, invitee: Invitee, listener: Listener) -> None:
        """Begin to call somebody, or listen to how it goes if that is being done already."""
        here = self._ringing.setdefault(open_room, {})
        ringing = here.get(invitee.key)
        if ringing is not None:
            ringing.listeners.append(listener)
            listener(*ringing.last)
            return
        assert self._nursery is not None, "the application has started"
        here[invitee.key] = ringing = _Ringing(invitee, [listener])
        open_room.on_deserted = lambda: self._give_up(open_room)
        # In one step with the decision that there is one.
        seat = ExitStack()
        take_seat = seat.enter_context(self._rooms.seat_for_called(open_room))
        self._nursery.start_soon(self._bring_in, open_room, ringing, seat, take_seat)

    def cancel(self, open_room: OpenRoom, key: bytes, reason: str) -> bool:
        """Call somebody no more; tells whether he was being called."""
        ringing = self._ringing.get(open_room, {}).get(key)
        if ringing is None:
            return False
        ringing.tell(_CANCELLED, reason)
        ringing.scope.cancel()
        return True

    def _give_up(self, open_room: OpenRoom) -> None:
        for key in list(self._ringing.get(open_room, {})):
            self.cancel(open_room, key, "Nobody is in the room any more")

    def _answered(self, open_room: OpenRoom, ringing: _Ringing) -> None:
        here = self._ringing.get(open_room, {})
        if here.get(ringing.invitee.key) is ringing:
            del here[ringing.invitee.key]
            if not here:
                del self._ringing[open_room]

    async def _bring_in(
        self,
        open_room: OpenRoom,
        ringing: _Ringing,
        seat: ExitStack,
        take_seat: Callable[[Call], None],
    ) -> None:
        uri = ringing.invitee.uri
        end: tuple[int, str] = (_CANCELLED, "")
        try:
            with seat, ringing.scope:
                await self._call(open_room, ringing, take_seat)
        except* (SessionEnded, TransportError) as errors:
            end = _outcome(errors)
            self._logger.info("call to %s ended: %s", uri, end[1] or end[0])
        except* Exception as faults:
            end = (_FAILED, "")
            self._logger.error("calling %s failed", uri, exc_info=faults)
        finally:
            self._answered(open_room, ringing)
            # Whoever was told of an end already hears of no other.
            ringing.tell(*end)

    async def _call(
        self, open_room: OpenRoom, ringing: _Ringing, take_seat: Callable[[Call], None]
    ) -> None:
        assert self.user_agent is not None, "rooms are opened by a server"
        invitee, room = ringing.invitee, open_room.room.address
        referrer = invitee.referrer
        self._logger.info("%s has %s called into %s", referrer.uri, invitee.uri, room.uri)
        calling = self.user_agent.call(
            invitee.uri,
            local=Address(room.uri, CALLER_NAME),
            headers=[*headers_of(invitee), *self._headers],
            focus=True,
            chatroom=open_room.room.policy.features,
            on_ringing=ringing.tell,
            timeout=self._settings.ringing_time,
            streams=True,
        )
        async with calling as chat:
            take_seat(chat.call)
            if not chat.takes_cpim:
                chat.call.hang_up("message/cpim is not accepted", _NO_CPIM)
                raise chat.call.ended_error()
            self._answered(open_room, ringing)
            ringing.tell(_OK)
            arrival = Arrival(datetime.now(UTC), "dialed-out", chat.call.contact, referrer.uri)
            with LoggingCall(chat.call.call_id):
                await Visit(open_room, chat, arrival, self._logger).run()


def uri_to_call(uri: str) -> str:
    """Return a URI without the header fields that it wants in our request.

    Raises RemoteProtocolError (403) for one with `maddr`: it leads to another machine than that of
    its host, and who answers there would be in the room by a name that is not his.
    """
    user, at, rest = uri.rpartition("@")
    rest = rest.partition("?")[0]
    names = [unquote(part.partition("=")[0]).strip().lower() for part in rest.split(";")[1:]]
    if "maddr" in names:
        raise RemoteProtocolError("the target leads elsewhere than it says", 403)
    return f"{user}{at}{rest}"


def headers_of(invitee: Invitee) -> list[tuple[str, str]]:
    """Return what the INVITE says of who asked for it."""
    referrer = invitee.referrer
    headers = [
        ("Referred-By", f"<{referrer.uri}>"),
        ("Subject", f"Join conference request from {name_of(referrer)}"),
        ("X-Orig-From", referrer.uri),
    ]
    if invitee.replaces is not None:
        headers.append(("Replaces", invitee.replaces))
    return headers


def _outcome(errors: BaseExceptionGroup[SessionEnded | TransportError]) -> tuple[int, str]:
    """Return how a call ended, of the one error that tells it."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, SessionEnded) and error.status is not None and error.status >= _OK + 100:
        return error.status, error.reason
    return _UNREACHABLE, "" if isinstance(error, SessionEnded) else "It Cannot Be Reached"
