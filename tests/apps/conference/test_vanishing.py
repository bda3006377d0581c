"""Participants whose network is gone leave the room, within a time that the settings give.

    how it goes                         noticed after, at most
    a reset, or a close                 at once
    silence, whatever is in between     keepalive_interval + 30 s (RFC 4975 section 7.1.1)
    bytes that are not taken any more   outbox_timeout, if that is sooner
    SIP alone is gone                   Session-Expires, if the peer knows session timers (RFC 4028)

Where only SIP is gone and the peer knows no timers it has not vanished: it talks and answers. The
call of each ends with a BYE, or, where nobody answers that, 32 s later (64*T1, RFC 3261 17.1.2.2).
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
import trio
from sylk_conference import Conference
from trio.testing import MockClock

from sylk.server import Server
from tests.end_to_end.wire_client import unwrap
from tests.end_to_end.wire_msrp import Frame, take_frame
from tests.peers import (
    DOMAIN,
    Caller,
    answer_frame,
    assert_nothing_left,
    running_server,
)

KEEPALIVE = 60.0
TRANSACTION = 30.0
OUTBOX = 20.0
SESSION = 90.0
LAST_BYE = 32.0
SLACK = 1.0
"""Seconds that the server may take for what is not waiting."""

SETTINGS = {"MSRP": {"keepalive_interval": int(KEEPALIVE), "outbox_timeout": int(OUTBOX)}}
LEFT = f"bob@{DOMAIN} has left the room"


@pytest.fixture
def jumping_clock() -> MockClock:
    """Time that jumps ahead whenever the sockets are quiet."""
    return MockClock(autojump_threshold=0.05)


class Attentive:
    """Answers all that comes over MSRP, for as long as it takes, and keeps what the room says."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.heard: list[str] = []
        self.bob_left_at: float | None = None
        self.bob_left = trio.Event()
        self.scope = trio.CancelScope()

    async def run(self) -> None:
        buffer = b""
        # Who is let go may be cut off in the middle of a word.
        with self.scope, suppress(trio.BrokenResourceError):
            while data := await self.caller.msrp.stream.receive_some():
                buffer += data
                while (taken := take_frame(buffer)) is not None:
                    frame, buffer = taken
                    if frame.what == "SEND":
                        await self._take(frame)

    async def _take(self, frame: Frame) -> None:
        if frame.headers.get("Failure-Report", "yes") == "yes":
            await self.caller.msrp.send(answer_frame(frame))
        if frame.body:
            self._hear(unwrap(frame).text)

    def _hear(self, text: str) -> None:
        self.heard.append(text)
        if text == LEFT:
            self.bob_left_at = trio.current_time()
            self.bob_left.set()

    async def see_bob_leave(self, within: float) -> None:
        """Wait until the room says so; it must, in so many seconds from now."""
        deadline = trio.current_time() + within + SLACK
        with trio.fail_at(deadline):
            await self.bob_left.wait()


async def enter(caller: Caller, receive_buffer: int | None = None) -> None:
    await caller.join(receive_buffer)
    await caller.hear_notice()


def participants_of(server: Server) -> int:
    conference = server.config.applications["conference"]
    assert isinstance(conference, Conference)
    return conference.participant_count


@asynccontextmanager
async def room_of_two(
    *bob_headers: str, transport: str = "udp", receive_buffer: int | None = None
) -> AsyncGenerator[tuple[Server, Attentive, Caller]]:
    """Open a room with Alice, who attends to it, and Bob."""
    async with (
        running_server(SETTINGS, outbox_limit=64 * 1024 * 1024) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob", transport=transport, headers=bob_headers) as bob,
        trio.open_nursery() as nursery,
    ):
        await enter(alice)
        await enter(bob, receive_buffer)
        assert "bob" in await alice.hear_notice()
        attentive = Attentive(alice)
        nursery.start_soon(attentive.run)
        yield server, attentive, bob
        assert participants_of(server) == 1
        # Bob has gone from every list, whether he has answered or not.
        assert (await alice.bye()).status == 200
        with trio.fail_after(LAST_BYE + SLACK):
            await server.endpoint.wait_calls_over()
        await assert_nothing_left(server)
        nursery.cancel_scope.cancel()


async def test_a_peer_that_is_silent_is_let_go(jumping_clock: MockClock) -> None:
    async with room_of_two() as (_, alice, bob):
        began = jumping_clock.current_time()
        await alice.see_bob_leave(within=KEEPALIVE + TRANSACTION)
        # It is asked before it is given up.
        assert jumping_clock.current_time() - began > TRANSACTION
        bye = await bob.sip.request("BYE")
        assert bye["Reason"] == 'SIP;cause=500;text="media: the peer does not answer"'
        assert alice.heard == [LEFT]


async def test_a_peer_that_takes_all_and_answers_nothing_is_let_go(
    jumping_clock: MockClock,
) -> None:
    async with room_of_two() as (_, alice, bob), trio.open_nursery() as nursery:

        async def swallow() -> None:
            while await bob.msrp.stream.receive_some():
                pass

        async def talk() -> None:
            while True:
                await alice.caller.msrp.send(alice.caller.line("are you there?"))
                await trio.sleep(KEEPALIVE / 7)

        assert jumping_clock.current_time() < KEEPALIVE
        nursery.start_soon(swallow)
        nursery.start_soon(talk)
        await alice.see_bob_leave(within=KEEPALIVE + TRANSACTION)
        bye = await bob.await_bye()
        assert "the peer does not answer" in bye["Reason"]
        nursery.cancel_scope.cancel()


async def test_a_peer_that_takes_nothing_more_is_let_go_sooner(jumping_clock: MockClock) -> None:
    async with room_of_two(receive_buffer=4096) as (_, alice, bob):
        # More than the buffers of the system take for somebody who does not read.
        for _ in range(16):
            await alice.caller.msrp.send(alice.caller.line("x" * 1_000_000))
        assert jumping_clock.current_time() < OUTBOX
        await alice.see_bob_leave(within=OUTBOX)
        bye = await bob.await_bye()
        assert "too slow: it took nothing for 20 s" in bye["Reason"]


def reset(caller: Caller) -> None:
    caller.msrp.reset()


@pytest.mark.parametrize("how", [Caller.close, reset])
async def test_a_peer_that_resets_is_let_go_at_once(
    how: Callable[[Caller], None], jumping_clock: MockClock
) -> None:
    async with room_of_two() as (_, alice, bob):
        assert jumping_clock.current_time() < KEEPALIVE
        how(bob)
        await alice.see_bob_leave(within=0)


async def test_a_peer_that_still_answers_stays_though_its_sip_connection_is_gone(
    jumping_clock: MockClock,
) -> None:
    """A dialog outlives the connection that it began on, and NATs close those that are quiet."""
    async with room_of_two(transport="tcp") as (server, alice, bob), trio.open_nursery() as nursery:
        began = jumping_clock.current_time()
        bob.sip.close()
        attentive = Attentive(bob)
        nursery.start_soon(attentive.run)
        with trio.move_on_after(10 * KEEPALIVE):
            await alice.bob_left.wait()
        assert jumping_clock.current_time() - began >= 10 * KEEPALIVE
        assert participants_of(server) == 2
        # Now all of him is gone, and there is no way for the BYE either.
        attentive.scope.cancel()
        bob.msrp.reset()
        await alice.see_bob_leave(within=0)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_peer_whose_sip_is_gone_is_let_go_when_its_session_expires(
    transport: str, jumping_clock: MockClock
) -> None:
    timer = ["Supported: timer", f"Session-Expires: {int(SESSION)};refresher=uac"]
    async with (
        room_of_two(*timer, transport=transport) as (_, alice, bob),
        trio.open_nursery() as nursery,
    ):
        assert bob.answer is not None
        assert bob.answer["Session-Expires"] == f"{int(SESSION)};refresher=uac"
        began = jumping_clock.current_time()
        bob.sip.close()
        nursery.start_soon(Attentive(bob).run)
        await alice.see_bob_leave(within=SESSION)
        assert jumping_clock.current_time() - began > SESSION / 2


async def test_a_peer_that_is_gone_before_it_stands_holds_no_seat(
    jumping_clock: MockClock,
) -> None:
    settings = {"Conference": {"max_participants": 1}}
    async with running_server(settings) as server, Caller(server, "bob") as bob:
        assert (await bob.invite()).status == 200
        bob.close()
        with trio.fail_after(15 + 2 * LAST_BYE + SLACK):
            await server.endpoint.wait_calls_over()
        assert jumping_clock.current_time() >= 15
        async with Caller(server, "alice") as alice:
            await enter(alice)
            assert (await alice.bye()).status == 200
        await assert_nothing_left(server)
