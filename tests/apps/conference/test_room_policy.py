"""What the settings of a room say, held against real callers: who comes in, and what is said."""

import logging

import pytest
import trio
from trio.testing import MockClock

from sylk.server import Server
from tests.apps.conference.subscribers import Subscriber
from tests.apps.conference.test_moderation import order
from tests.apps.conference.visits import assert_all_is_gone, conference_of, enter
from tests.peers import DOMAIN, Caller, Settings, running_server, wrap

LOBBY = f"lobby@{DOMAIN}"


@pytest.fixture
def jumping_clock() -> MockClock:
    return MockClock(autojump_threshold=0.02)


def lobby(**values: object) -> Settings:
    return {LOBBY: values, "Conference": {"notify_interval": 0}}


async def invite(server: Server, user: str, *headers: str, room: str = LOBBY) -> int:
    """Return the status with which an INVITE is answered; who comes in leaves again."""
    async with Caller(server, user, room=room, headers=headers) as caller:
        final = await caller.invite()
        await caller.acknowledge()
        if final.status == 200:
            await caller.bye()
        return final.status


@pytest.mark.parametrize(
    ("settings", "welcome", "unwelcome"),
    [
        ({"allow": f"alice@{DOMAIN}, bob@{DOMAIN}"}, "alice", "eve"),
        ({"deny": f"eve@{DOMAIN}"}, "alice", "eve"),
        ({"allow": DOMAIN, "deny": f"eve@{DOMAIN}"}, "alice", "eve"),
        (
            {"access_policy": "deny, allow", "deny": DOMAIN, "allow": f"alice@{DOMAIN}"},
            "alice",
            "eve",
        ),
        ({"allow": "192.0.2.0/24", "moderators": f"alice@{DOMAIN}"}, "alice", "eve"),
        ({"deny": "127.0.0.0/8", "moderators": f"alice@{DOMAIN}"}, "alice", "eve"),
        ({"allow": "none", "moderators": f"alice@{DOMAIN}"}, "alice", "eve"),
        ({"allow": "127.0.0.1"}, "alice", None),
    ],
)
async def test_the_lists_say_who_comes_in_and_who_looks_on(
    settings: dict[str, object], welcome: str, unwelcome: str | None
) -> None:
    async with (
        running_server(lobby(**settings)) as server,
        Caller(server, welcome) as alice,
        Subscriber(server, welcome) as watcher,
    ):
        await enter(alice)
        assert (await watcher.subscribe()).status == 200
        assert await invite(server, "eve", room=f"elsewhere@{DOMAIN}") == 200
        if unwelcome is not None:
            assert await invite(server, unwelcome) == 403
            for event in ("conference", "presence"):
                async with Subscriber(server, unwelcome, event) as stranger:
                    assert (await stranger.subscribe()).status == 403


@pytest.mark.parametrize("way", ["Replaces", "Join"])
async def test_no_call_of_another_is_a_way_in(way: str) -> None:
    settings = lobby(moderators=f"boss@{DOMAIN}", deny=f"eve@{DOMAIN}")
    async with (
        running_server(settings) as server,
        Caller(server, "boss") as boss,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
    ):
        for caller in (boss, alice, bob):
            await enter(caller)
        assert await order(boss, "ban", user=f"sip:bob@{DOMAIN}") == "200 OK"
        await bob.await_bye()
        header = f"{way}: {alice.dialog_id}"
        for user in ("bob", "eve"):
            for room in (LOBBY, f"elsewhere@{DOMAIN}"):
                assert await invite(server, user, header, room=room) == 403
        assert await order(boss, "lock") == "200 OK"
        assert await invite(server, "carol", header) == 403
        # What was refused has ended nobody's call.
        await alice.say("still here")
        while (await boss.hear()).text != "still here":
            pass


async def test_a_room_is_full_for_moderators_too() -> None:
    settings = lobby(max_participants=2, moderators=f"boss@{DOMAIN}")
    async with (
        running_server(settings) as server,
        Caller(server, "alice") as alice,
        Caller(server, "alice") as phone,
    ):
        await enter(alice)
        await enter(phone)
        assert await invite(server, "boss") == 486
        assert await invite(server, "alice") == 486
        assert (await phone.bye()).status == 200
        assert await invite(server, "boss") == 200


async def test_only_those_who_are_there_may_see_who_is() -> None:
    async with (
        running_server(lobby(who_may_subscribe="participants")) as server,
        Caller(server, "alice") as alice,
        Subscriber(server, "alice") as own,
        Subscriber(server, "bob") as stranger,
    ):
        await enter(alice)
        assert (await own.subscribe()).status == 200
        await own.until("alice")
        assert (await stranger.subscribe()).status == 403


async def test_nobody_whispers_where_nobody_may() -> None:
    async with (
        running_server(lobby(whisper="none")) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "bob") as phone,
    ):
        final = await alice.invite()
        assert b"a=chatroom:nickname\r\n" in final.body
        await alice.acknowledge()
        await alice.connect()
        await enter(bob)
        await enter(phone)
        assert await alice.send(wrap(alice.address, bob.address, b"psst")) == 403
        # To one's own other client it is no whisper.
        await bob.say("note", bob.address)
        assert (await phone.hear()).text == "note"
        await alice.say("aloud")
        assert (await bob.hear()).text == "aloud"


async def test_with_moderators_one_may_whisper() -> None:
    async with (
        running_server(lobby(whisper="moderators", moderators=f"boss@{DOMAIN}")) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "boss") as boss,
    ):
        for caller in (alice, bob, boss):
            await enter(caller)
        assert await alice.send(wrap(alice.address, bob.address, b"psst")) == 403
        await alice.say("help", boss.address)
        assert (await boss.hear()).text == "help"
        await boss.say("coming", alice.address)
        assert (await alice.hear()).text == "coming"


async def test_what_may_not_be_said_is_refused_and_nobody_hears_it() -> None:
    settings = lobby(content_types="text/plain", max_message_size=2000)
    async with (
        running_server(settings) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
    ):
        await enter(alice)
        await enter(bob)
        html = wrap(alice.address, alice.room, b"<b>x</b>", "text/html")
        assert await alice.send(html) == 200
        report = await alice.next_frame("REPORT")
        assert report.headers["Status"].startswith("000 413")
        body = wrap(alice.address, alice.room, b"")
        assert await alice.send(body + b"x" * (2001 - len(body))) == 413
        assert await alice.send(body + b"y" * (2000 - len(body))) == 200
        assert (await bob.hear()).text.startswith("yyy")


async def refusal_of(caller: Caller, frame: bytes) -> int:
    """Send a message, and return with what it is refused: in its answer, or later in a REPORT."""
    await caller.msrp.send(frame)
    status = (await caller.answer_to(frame)).status
    if status != 200:
        return status
    return int((await caller.next_frame("REPORT")).headers["Status"].split()[1])


async def test_a_large_message_is_over_the_bound_in_pieces_too() -> None:
    size = 100 * 1024
    async with (
        running_server(lobby(max_message_size=size)) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
    ):
        await enter(alice)
        await enter(bob)
        body = wrap(alice.address, alice.room, b"")
        too_large = alice.frame(body + b"x" * 2 * size)
        # One whose size is not told is ended when it is over.
        endless = too_large.replace(b"/%d\r\n" % (len(body) + 2 * size), b"/*\r\n")
        for frame in (too_large, endless):
            assert await refusal_of(alice, frame) == 413
        fitting = body + b"z" * (size - len(body))
        assert await alice.send(fitting) == 200
        received = b""
        while not received.endswith(b"zz"):
            received = (await bob.next_frame("SEND")).body
            assert len(received) <= size + 200
        assert received.count(b"z") >= size - len(body)


async def test_who_floods_is_slowed_and_nobody_else_is(
    jumping_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    count, rate, burst = 150, 20, 10
    caplog.set_level(logging.INFO)
    async with (
        running_server(lobby(message_rate=rate, message_burst=burst)) as server,
        Caller(server, "eve") as eve,
        Caller(server, "bob") as bob,
        Caller(server, "alice") as alice,
    ):
        for caller in (eve, bob, alice):
            await enter(caller)
        begun = trio.current_time()
        frames = [eve.line(str(number)) for number in range(count)]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(eve.msrp.send, b"".join(frames))
            await bob.say("unharmed")
            heard: list[str] = []
            while "unharmed" not in heard:
                heard.append((await alice.hear()).text)
            assert trio.current_time() - begun < 1
            assert await bob.send(wrap(bob.address, bob.room, b"again")) == 200
            assert trio.current_time() - begun < 1
            while len(heard) < count + 2:
                heard.append((await alice.hear()).text)
        # Nothing is lost, and all is answered.
        assert [text for text in heard if text.isdigit()] == [str(one) for one in range(count)]
        assert {(await eve.answer_to(frame)).status for frame in frames} == {200}
        await eve.say("last")
        assert trio.current_time() - begun > 0.9 * (count - burst) / rate
    # Who wonders why it is slow finds the reason in the log, once.
    (line,) = [line for line in caplog.messages if "message_rate" in line]
    assert line == (
        f"sip:eve@{DOMAIN} is read later in sip:{LOBBY} from now on:"
        " message_rate lets him send 20 a second"
    )


async def test_quiet_rooms_tell_nobody_in_the_chat_who_comes() -> None:
    async with (
        running_server(lobby(join_notices="quiet")) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
    ):
        await enter(alice)
        await enter(bob)
        await bob.say("hello")
        assert (await alice.hear_all()).text == "hello"
        assert (await bob.bye()).status == 200
        async with Caller(server, "carol") as carol:
            await enter(carol)
            await carol.say("hello")
            assert (await alice.hear_all()).text == "hello"


async def test_a_permanent_room_is_there_while_nobody_is() -> None:
    async with (
        running_server(lobby(permanent="yes", subject="All day", description="Lobby")) as server,
        Subscriber(server) as watcher,
        Subscriber(server, event="presence") as other,
        Caller(server, "alice") as alice,
    ):
        assert conference_of(server).room_count == 1
        assert (await watcher.subscribe()).status == 200
        first = await watcher.document()
        assert first.users == ()
        assert first.description is not None
        assert (first.description.subject, first.description.display_text) == ("All day", "Lobby")
        assert (await other.subscribe()).status == 200
        assert b"<basic>open</basic>" in (await other.notify()).body
        assert "\nSubject: All day" in await enter(alice)
        await watcher.until("alice")
        assert (await alice.bye()).status == 200
        await watcher.until()
        assert conference_of(server).room_count == 1


async def test_a_welcome_says_what_the_room_is_about_and_that_it_keeps_nothing() -> None:
    async with (
        running_server(lobby(subject="Ünsinn & <b>more</b>")) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
    ):
        assert await enter(alice) == (
            "Welcome! You are the first one here. Others join at lobby@example.com"
            "\nSubject: Ünsinn & <b>more</b>"
        )
        await bob.join()
        welcome = await bob.hear_all()
        # No notice: a message of the room, to the room, as deployed clients have it.
        assert welcome.sender == welcome.recipient == f"Conference Room <sip:{LOBBY}>"
        assert welcome.content_type == "text/plain; charset=utf-8"
        assert b"Message-Type" not in welcome.frame.body
        assert welcome.frame.flag == "$"
        for caller in (alice, bob):
            await caller.bye()
        await assert_all_is_gone(server)
