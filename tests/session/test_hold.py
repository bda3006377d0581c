"""Hold, from both sides: who may be sent a message, and what an application learns of it."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from sylk.call.standing_call import MOST_PATIENCE
from sylk.errors import SessionEnded
from sylk.session import Broadcast, Chat, Invitation
from tests.peers import (
    PATIENCE,
    Caller,
    Scripted,
    assert_nothing_left,
    chat_offer,
    running_server,
    wrap,
)


class Host:
    """Accepts each call and keeps its chat until the peer ends it."""

    def __init__(self) -> None:
        self.chats: list[Chat] = []
        self.told: list[bool] = []
        self._changed = trio.Event()

    async def answer(self, invitation: Invitation) -> None:
        async with invitation.accept() as chat:
            chat.on_hold_changed = self._hold_changed
            self.chats.append(chat)
            self._notify()
            async for _ in chat:
                pass

    def _hold_changed(self, held: bool) -> None:
        self.told.append(held)
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def chat(self, index: int = 0) -> Chat:
        with trio.fail_after(PATIENCE):
            while len(self.chats) <= index:
                await self._changed.wait()
        return self.chats[index]


@asynccontextmanager
async def hosted(count: int = 1) -> AsyncGenerator[tuple[Host, list[Caller]]]:
    """Run a server with some who have called it."""
    host = Host()
    async with running_server(application=Scripted(host.answer)) as server:
        callers = [Caller(server, f"user{number}") for number in range(count)]
        async with AsyncExitStack() as stack:
            for number, caller in enumerate(callers):
                await (await stack.enter_async_context(caller)).join()
                await host.chat(number)
            yield host, callers
            for caller in callers:
                assert (await caller.bye()).status == 200
            await assert_nothing_left(server)


def offer(caller: Caller, direction: str, version: int) -> bytes:
    return chat_offer(caller.path, version=version, extra=[f"a={direction}"])


async def change(caller: Caller, method: str, direction: str, version: int) -> bytes:
    """Let the caller change the direction of its chat, and return the answer's SDP."""
    answer = await caller.ask(method, body=offer(caller, direction, version))
    assert answer.status == 200
    if method == "INVITE":
        await caller.acknowledge()
    return answer.body


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("direction", ["sendonly", "inactive"])
async def test_who_holds_us_is_sent_nothing(method: str, direction: str) -> None:
    async with hosted() as (host, [caller]):
        chat = await host.chat()
        answer = await change(caller, method, direction, 2)
        assert (b"a=recvonly" in answer) == (direction == "sendonly")
        assert chat.is_held
        assert chat.call.is_held
        assert chat.post(wrap("room@x", "room@x", b"not now")) is None
        assert await chat.send("nor this") is None
        # The peer goes on talking if it likes.
        assert await caller.send(wrap(caller.address, caller.room, b"hear me")) == 200
        answer = await change(caller, method, "sendrecv", 3)
        assert b"a=recvonly" not in answer
        assert not chat.is_held
        assert await chat.send("welcome back") is not None
        assert (await caller.hear_all()).text == "welcome back"
        assert host.told == [True, False]


async def test_a_broadcast_leaves_out_who_holds() -> None:
    async with hosted(2) as (host, [first, second]):
        broadcast = Broadcast()
        broadcast.add(wrap("room@x", "room@x", b"to whom it may concern"))
        await change(first, "UPDATE", "sendonly", 2)
        broadcast.send_to(host.chats)
        assert (await second.hear_all()).text == "to whom it may concern"
        await change(first, "UPDATE", "sendrecv", 3)
        late = Broadcast()
        late.add(wrap("room@x", "room@x", b"to all"))
        late.send_to(host.chats)
        assert (await first.hear_all()).text == "to all"
        assert (await second.hear_all()).text == "to all"


async def test_a_call_that_begins_on_hold() -> None:
    host = Host()
    async with running_server(application=Scripted(host.answer)) as server, Caller(server) as one:
        await one.invite(offer(one, "inactive", 1))
        await one.acknowledge()
        await one.connect()
        chat = await host.chat()
        assert chat.is_held
        assert await chat.send("too early") is None
        await change(one, "UPDATE", "sendrecv", 2)
        await chat.send("now")
        assert (await one.hear_all()).text == "now"


async def test_an_application_holds_and_resumes() -> None:
    async with hosted() as (host, [caller]):
        chat = await host.chat()
        outcomes: list[int] = []
        chat.call.on_reoffered = outcomes.append
        for number, direction, mirrored in ((1, "sendonly", "recvonly"), (2, "sendrecv", None)):
            if direction == "sendonly":
                chat.call.hold()
            else:
                chat.call.resume()
            invite = await caller.sip.request("INVITE")
            assert (b"a=sendonly" in invite.body) == (direction == "sendonly")
            assert invite["CSeq"] == f"{number} INVITE"
            body = chat_offer(caller.path, version=number, extra=[f"a={mirrored or direction}"])
            head = invite.answer("200 OK").decode().removesuffix("Content-Length: 0\r\n\r\n")
            await caller.sip.send(
                f"{head}Contact: <sip:x@127.0.0.1:{caller.sip.port}>\r\n"
                f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            await caller.sip.request("ACK")
        assert outcomes == [200, 200]
        assert host.told == []
        assert not chat.is_held


async def test_a_hold_that_is_refused_changes_nothing() -> None:
    async with hosted() as (host, [caller]):
        chat = await host.chat()
        outcomes: list[int] = []
        chat.call.on_reoffered = outcomes.append
        chat.call.hold()
        invite = await caller.sip.request("INVITE")
        await caller.sip.send(invite.answer("488 Not Acceptable Here"))
        await caller.sip.request("ACK")
        assert outcomes == [488]
        # Our side is answered as if nothing had been asked for.
        assert b"a=sendonly" not in await change(caller, "INVITE", "sendrecv", 2)
        chat.call.reoffer()
        assert b"a=sendonly" not in (await caller.sip.request("INVITE")).body


async def test_glare_is_told_to_come_again() -> None:
    async with hosted() as (host, [caller]):
        chat = await host.chat()
        chat.call.hold()
        invite = await caller.sip.request("INVITE")
        crossing = await caller.ask("INVITE", body=offer(caller, "sendonly", 2))
        assert crossing.status == 491
        await caller.sip.send(caller.request("ACK"))
        assert (await caller.ask("UPDATE", body=offer(caller, "sendonly", 2))).status == 491
        await caller.sip.send(invite.answer("491 Request Pending"))
        await caller.sip.request("ACK")
        assert not chat.is_held
        # We do not own the Call-ID: ours comes again within 2 s.
        again = await caller.sip.request("INVITE")
        assert again["CSeq"] == "2 INVITE"


async def test_a_phone_that_thinks_for_too_long_is_asked_to_forget_it(
    jumping_clock: MockClock,
) -> None:
    host = Host()
    outcomes: list[int] = []
    quiet = {"MSRP": {"keepalive_interval": 86400}}
    async with (
        running_server(quiet, application=Scripted(host.answer)) as server,
        Caller(server) as caller,
    ):
        await caller.join()
        chat = await host.chat()
        chat.call.on_reoffered = outcomes.append
        began = jumping_clock.current_time()
        chat.call.hold()
        invite = await caller.sip.request("INVITE")
        await caller.sip.send(invite.answer("100 Trying"))
        await trio.sleep(55)
        cancel = await caller.sip.request("CANCEL")
        assert MOST_PATIENCE <= jumping_clock.current_time() - began < MOST_PATIENCE + 1
        assert cancel["Via"] == invite["Via"]
        await caller.sip.send(cancel.answer("200 OK"))
        await caller.sip.send(invite.answer("487 Request Terminated"))
        await caller.sip.request("ACK")
        assert outcomes == [487]
        assert not chat.is_over
        assert (await caller.bye()).status == 200
        await assert_nothing_left(server)


async def test_the_verbs_need_a_call_that_stands() -> None:
    host = Host()
    async with running_server(application=Scripted(host.answer)) as server, Caller(server) as one:
        await one.join()
        chat = await host.chat()
        assert (await one.bye()).status == 200
        for verb in (chat.call.hold, chat.call.resume, chat.call.reoffer):
            with pytest.raises(SessionEnded):
                verb()


async def test_a_room_talks_past_who_holds() -> None:
    """Broadcasts leave out who holds; the conference keeps what he missed."""
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
    ):
        await alice.join()
        await bob.join()
        await change(alice, "UPDATE", "sendonly", 2)
        await bob.say("while you are away")
        await alice.say("I can still talk")
        assert (await bob.hear()).text == "I can still talk"
        await change(alice, "UPDATE", "sendrecv", 3)
        await bob.say("and now")
        assert (await alice.hear()).text == "while you are away"
        assert (await alice.hear()).text == "and now"
