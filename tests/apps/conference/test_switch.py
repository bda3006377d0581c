"""What is switched between real sockets: types that not everybody takes, and silence on hold."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

import trio
import trio.testing
from sylk_conference.open_room import PACE_BYTES
from sylk_conference.settings import RoomSettings

from tests.apps.conference.visits import assert_all_is_gone, enter
from tests.peers import DOMAIN, Caller, chat_offer, running_server, wrap

MANY_TURNS = 20_000


async def enter_taking(caller: Caller, types: str, *extra: str) -> None:
    """Join with a client that takes these types, and no others."""
    offer = chat_offer(caller.path, accept_types="message/cpim", extra=extra)
    wrapped = b"accept-wrapped-types:" + types.encode()
    final = await caller.invite(offer.replace(b"accept-wrapped-types:*", wrapped))
    assert final.status == 200
    await caller.acknowledge()
    await caller.connect()
    await caller.hear_notice()


async def hold(caller: Caller, direction: str, version: int) -> None:
    offer = chat_offer(caller.path, extra=[f"a={direction}"], version=version)
    assert (await caller.reinvite(offer)).status == 200


async def test_everybody_gets_what_he_can_take() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "carol") as carol,
    ):
        await enter(alice)
        await enter(bob)
        await enter_taking(carol, "text/plain")
        html = wrap(alice.address, alice.room, b"<b>hello</b>", "text/html")
        assert await alice.send(html, "message/cpim", "Success-Report: yes") == 200
        report = await alice.next_frame("REPORT")
        assert report.headers["Status"].startswith("000 200")
        heard = await bob.hear()
        assert (heard.text, heard.content_type) == ("<b>hello</b>", "text/html")
        heard = await carol.hear()
        assert (heard.text, heard.content_type.partition(";")[0]) == ("hello", "text/plain")
        # What Carol cannot take does not come to her, and nobody is told.
        assert await alice.send(wrap(alice.address, alice.room, b"iVBO", "image/png")) == 200
        assert (await bob.hear()).content_type == "image/png"
        await alice.say("last")
        assert (await bob.hear()).text == (await carol.hear()).text == "last"
        # To her alone it is refused.
        picture = wrap(alice.address, carol.address, b"iVBO", "image/png")
        assert await alice.send(picture) == 200
        refusal = await alice.next_frame("REPORT")
        assert refusal.headers["Status"].startswith("000 415")
        for caller in (alice, bob, carol):
            await caller.bye()
        await assert_all_is_gone(server)


async def test_a_client_that_knows_no_private_messages_gets_none() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
    ):
        await enter(alice)
        await enter_taking(bob, "*", "a=chatroom:nickname")
        assert await alice.send(wrap(alice.address, bob.address, b"psst")) == 428
        assert await bob.send(wrap(bob.address, alice.address, b"psst")) == 200
        assert (await alice.hear()).text == "psst"


async def test_several_recipients_are_refused_and_nobody_hears_it() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
    ):
        await enter(alice)
        await enter(bob)
        body = wrap(alice.address, bob.address, b"to two")
        body = b"To: <sip:carol@" + DOMAIN.encode() + b">\r\n" + body
        assert await alice.send(body) == 403
        await alice.say("to all")
        assert (await bob.hear()).text == "to all"


async def test_who_holds_hears_nothing_and_afterwards_what_he_missed() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "carol") as carol,
    ):
        await enter(alice)
        await enter(bob)
        await enter(carol)
        assert "carol" in await bob.hear_notice()
        await hold(bob, "inactive", 2)
        await alice.say("one")
        await alice.say("to Carol", carol.address)
        await alice.say("to Bob", bob.address)
        await alice.say("two")
        assert [(await carol.hear()).text for _ in range(3)] == ["one", "to Carol", "two"]
        await hold(bob, "sendrecv", 3)
        assert [(await bob.hear_all()).text for _ in range(3)] == ["one", "to Bob", "two"]
        await alice.say("three")
        assert (await bob.hear_all()).text == "three"


async def test_of_a_long_time_on_hold_the_latest_are_kept_and_the_rest_is_counted() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
    ):
        await enter(alice)
        await enter(bob)
        await hold(bob, "sendonly", 2)
        for number in range(RoomSettings().missed_messages + 5):
            await alice.say(str(number))
        await hold(bob, "sendrecv", 3)
        assert (await bob.hear_notice()).startswith("5 earlier messages")
        heard = [(await bob.hear_all()).text for _ in range(RoomSettings().missed_messages)]
        assert heard == [str(number) for number in range(5, RoomSettings().missed_messages + 5)]
        # Who leaves on hold leaves nothing.
        await hold(bob, "inactive", 4)
        await bob.bye()
        await alice.say("alone")
        await alice.bye()
        await assert_all_is_gone(server)


async def test_on_hold_one_misses_what_he_can_take_and_no_signs_of_typing() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "carol") as carol,
    ):
        await enter(alice)
        await enter(bob)
        await enter_taking(carol, "text/plain")
        await hold(carol, "inactive", 2)
        await hold(bob, "inactive", 2)
        typing = "application/im-iscomposing+xml"
        assert await alice.send(wrap(alice.address, alice.room, b"<isComposing/>", typing)) == 200
        assert (
            await alice.send(wrap(alice.address, alice.room, b"<b>hello</b>", "text/html")) == 200
        )
        await hold(carol, "sendrecv", 3)
        await hold(bob, "sendrecv", 3)
        assert (await carol.hear()).text == "hello"
        assert (await bob.hear()).text == "<b>hello</b>"


async def within_turns(work: Callable[[], Awaitable[None]]) -> None:
    """Do something that takes no time on this clock, and only so many turns of the loop."""
    is_done = False

    async def do() -> None:
        nonlocal is_done
        await work()
        is_done = True

    async with trio.open_nursery() as nursery:
        nursery.start_soon(do)
        for _ in range(MANY_TURNS):
            await trio.lowlevel.checkpoint()
            if is_done:
                break
        nursery.cancel_scope.cancel()
    assert is_done


async def test_a_crowd_that_reads_nothing_slows_nobody_who_says_little(
    mock_clock: trio.testing.MockClock,
) -> None:
    """Time stands still here: who were held back would be held back for ever."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_server())
        alice, bob, mallory, *crowd = [
            await stack.enter_async_context(Caller(server, name))
            for name in ("alice", "bob", "mallory", "one", "two", "three", "four")
        ]
        for caller in (alice, bob, mallory):
            await enter(caller)
        for caller in crowd:
            await enter(caller, 4096)
        outboxes = server.endpoint.msrp.watch.outboxes
        long = wrap(mallory.address, mallory.room, b"x" * 60_000)
        while sum(outbox.pending > PACE_BYTES for outbox in outboxes) < len(crowd):
            await mallory.msrp.send(mallory.frame(long))
            assert (await bob.hear()).sender == f"<sip:{mallory.address}>"
        for number in range(5):
            await within_turns(partial(alice.say, str(number)))
            assert (await bob.hear()).text == str(number)
