"""One session in a room: whispers, refusals, names and every way to leave."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from sylk.server import Server
from tests.apps.conference.visits import assert_all_is_gone, enter, hears, rooms_of, said
from tests.peers import (
    DOMAIN,
    Caller,
    chat_offer,
    living_tasks,
    running_server,
    server_config,
    wrap,
)


@pytest.fixture
def jumping_clock() -> MockClock:
    return MockClock(autojump_threshold=0.02)


async def test_a_whisper_reaches_one_person_alone() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "bob") as bobs_phone,
        Caller(server, "carol") as carol,
    ):
        for caller in (alice, bob, bobs_phone, carol):
            await enter(caller)
        await alice.msrp.send(
            alice.line("public 1") + alice.line("secret", bob.address) + alice.line("public 2")
        )
        for caller in (bob, bobs_phone):
            heard = [(one.text, one.recipient) for one in [await caller.hear() for _ in range(3)]]
            assert heard == [
                ("public 1", f"<sip:lobby@{DOMAIN}>"),
                ("secret", f"<sip:bob@{DOMAIN}>"),
                ("public 2", f"<sip:lobby@{DOMAIN}>"),
            ]
        assert [(await carol.hear()).text for _ in range(2)] == ["public 1", "public 2"]


async def test_what_is_wrong_is_refused_aloud_and_ends_nothing() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
    ):
        await enter(alice)
        await enter(bob)
        own, room = alice.address, alice.room
        assert await alice.send(wrap(bob.address, room, b"forged")) == 403
        assert await alice.send(wrap(own, f"nobody@{DOMAIN}", b"lost")) == 404
        assert await alice.send(b"bare", "text/plain") == 415
        # Deployed clients know what is wrong inside only from a REPORT after a 200.
        for body, status in (
            (b"nonsense", 400),
            (wrap(own, room, b"\xff\xfe"), 415),
            (wrap(own, room, b"x", "text/plain; charset=klingon"), 415),
        ):
            assert await alice.send(body) == 200
            report = await alice.next_frame("REPORT")
            assert report.headers["Status"].startswith(f"000 {status}")
        for body in (
            wrap(None, None, b"no From, no To"),
            wrap(own, None, b""),
        ):
            assert await alice.send(body) == 200
        heard = [await bob.hear() for _ in range(2)]
        assert [one.text for one in heard] == ["no From, no To", ""]
        assert all(one.sender == f"<sip:{own}>" for one in heard)
        assert all(f"<sip:{room}>" in one.recipient for one in heard)


async def test_a_person_with_two_clients_joins_and_leaves_once() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "bob") as bobs_phone,
    ):
        await enter(alice)
        await enter(bob)
        assert f"already: alice@{DOMAIN}. " in await enter(bobs_phone)
        await bobs_phone.say("hello")
        # His other client hears him too.
        assert await hears(bob) == said(bob, "hello")
        assert (await bob.bye()).status == 200
        await bobs_phone.say("bye")
        assert (await bobs_phone.bye()).status == 200
        notices = [(await alice.hear_all()).text for _ in range(4)]
        assert notices == [
            f"bob@{DOMAIN} has joined the room",
            "hello",
            "bye",
            f"bob@{DOMAIN} has left the room",
        ]


@pytest.mark.parametrize(
    "name",
    [
        '"\u202ecilA <sip:root@x>\u2066"'.encode(),
        b'"\xff\xfe"',
        b'"' + b"x" * 5000 + b'"',
        b'"\x1b[2J"',
        b'"a\\"b\\\\"',
        "Ünal".encode(),
    ],
)
async def test_a_strange_name_harms_nobody(name: bytes) -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "eve", transport="tcp", display_name=name) as eve,
        Caller(server, "bob") as bob,
    ):
        await enter(alice)
        final = await eve.invite()
        if final.status == 200:
            await eve.acknowledge()
            await eve.connect()
            notice = await alice.hear_notice()
            assert f"eve@{DOMAIN}> has joined the room" in notice
            assert notice.isprintable()
            assert len(notice) < 300
            await eve.say("hello")
            sender = (await alice.hear()).sender
            assert sender.endswith(f"<sip:eve@{DOMAIN}>")
            assert sender.count("<") == 1
            assert sender.isprintable()
            assert (await eve.bye()).status == 200
        else:
            assert final.status == 400
        await enter(bob)
        await bob.say("all is well")
        assert (await alice.hear()).text == "all is well"


Ending = Callable[[Caller], Awaitable[object]]


async def end_by_reset(caller: Caller) -> None:
    caller.msrp.reset()
    assert (await caller.await_bye())["Reason"].startswith("SIP;cause=500;")


async def end_by_closing(caller: Caller) -> None:
    caller.msrp.close()
    await caller.await_bye()


async def end_by_garbage(caller: Caller) -> None:
    await caller.msrp.send(b"\xff" * 100_000)
    await caller.await_bye()


async def end_in_the_middle_of_a_message(caller: Caller) -> None:
    await caller.msrp.send(caller.line("x" * 5000)[:3000])
    caller.msrp.reset()
    await caller.await_bye()


async def end_with_a_bye(caller: Caller) -> None:
    assert (await caller.bye()).status == 200


async def end_by_taking_the_chat_away(caller: Caller) -> None:
    await caller.reinvite(chat_offer(caller.path, port=0, version=2))
    await caller.await_bye()


@pytest.mark.parametrize(
    "ending",
    [
        end_by_reset,
        end_by_closing,
        end_by_garbage,
        end_in_the_middle_of_a_message,
        end_with_a_bye,
        end_by_taking_the_chat_away,
    ],
)
async def test_however_one_ends_the_others_see_a_leave(ending: Ending) -> None:
    before = living_tasks()
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
    ):
        await enter(alice)
        await trio.testing.wait_all_tasks_blocked()
        with_alice = living_tasks()
        async with Caller(server, "bob", transport="tcp") as bob:
            await enter(bob)
            assert await alice.hear_notice() == f"bob@{DOMAIN} has joined the room"
            await ending(bob)
        assert await alice.hear_notice() == f"bob@{DOMAIN} has left the room"
        await trio.testing.wait_all_tasks_blocked()
        assert server.endpoint.call_count == 1
        assert living_tasks() == with_alice
        assert (await alice.bye()).status == 200
        await assert_all_is_gone(server)
    assert living_tasks() == before


async def test_a_stop_says_bye_to_all_and_nothing_about_who_leaves(
    jumping_clock: MockClock,
) -> None:
    before = living_tasks()
    server = Server(server_config())
    async with AsyncExitStack() as stack, trio.open_nursery() as nursery:
        await nursery.start(server.run)
        callers = [
            await stack.enter_async_context(Caller(server, f"user{number}")) for number in range(20)
        ]
        for caller in callers:
            await enter(caller)
        stopped_at = jumping_clock.current_time()
        for caller in callers[:10]:
            await caller.msrp.send(caller.line("in the middle of everything"))
        server.stop.set()
        for caller in callers[::2]:
            reason = (await caller.await_bye())["Reason"]
            assert reason == 'SIP;cause=503;text="The server stops"'
        for caller in callers:
            frames = await caller.msrp.rest()
            assert not any(b"has left the room" in frame.body for frame in frames)
    # Every second one has not answered the BYE.
    assert jumping_clock.current_time() - stopped_at < 5
    assert rooms_of(server) == 0
    assert living_tasks() == before
