"""What moderators can do, over real sockets, and what everybody else hears who tries."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from sylk.server import Server
from tests.apps.conference.subscribers import Subscriber
from tests.apps.conference.visits import enter
from tests.peers import DOMAIN, Caller, running_server, wrap

TYPE = "application/vnd.sylk.command+json"
BOB = f"sip:bob@{DOMAIN}"


@asynccontextmanager
async def moderated() -> AsyncGenerator[tuple[Server, Caller, Caller, Caller]]:
    """Run a room of a moderator, Alice, and two others."""
    settings = {"Conference": {"moderators": f"alice@{DOMAIN}", "join_notices": "quiet"}}
    async with (
        running_server(settings) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "carol") as carol,
    ):
        for caller in (alice, bob, carol):
            await enter(caller)
        yield server, alice, bob, carol


async def order(caller: Caller, name: str, **fields: object) -> str:
    """Give a command, and return what the room reports of it."""
    content = json.dumps({"command": name, **fields}).encode()
    body = wrap(caller.address, caller.room, content, TYPE)
    assert await caller.send(body, "message/cpim", "Success-Report: yes") == 200
    return (await caller.next_frame("REPORT")).headers["Status"].removeprefix("000 ")


async def test_who_is_banned_is_put_out_and_stays_out_until_he_is_let_in() -> None:
    async with moderated() as (server, alice, bob, carol):
        assert await order(alice, "ban", user=BOB, seconds=3600) == "200 OK"
        assert await bob.hear_notice() == f"Banned by alice@{DOMAIN}"
        assert "Banned by" in (await bob.await_bye())["Reason"]
        await alice.say("he is gone")
        assert (await carol.hear()).text == "he is gone"
        async with Caller(server, "bob") as again:
            assert (await again.invite()).status == 403
        assert await order(alice, "unban", user=BOB) == "200 OK"
        async with Caller(server, "bob") as again:
            await enter(again)
        assert (await order(alice, "unban", user=BOB)).startswith("404")


async def test_a_ban_lasts_over_an_emptied_room() -> None:
    async with moderated() as (server, alice, _, carol):
        assert await order(alice, "ban", user=BOB) == "200 OK"
        await alice.bye()
        await carol.bye()
        async with Caller(server, "bob") as again:
            assert (await again.invite()).status == 403


async def test_who_is_put_out_may_come_again() -> None:
    async with moderated() as (server, alice, bob, carol):
        assert await order(alice, "kick", user=f"{BOB};transport=tcp") == "200 OK"
        assert await bob.hear_notice() == f"Removed by alice@{DOMAIN}"
        await bob.await_bye()
        assert (await order(alice, "kick", user=BOB)).startswith("404")
        async with Caller(server, "bob") as again:
            await enter(again)
            await again.say("here again")
            assert (await carol.hear()).text == "here again"


async def test_who_is_muted_hears_and_is_not_heard() -> None:
    async with moderated() as (server, alice, bob, carol), Subscriber(server) as watcher:
        await watcher.subscribe()
        assert await order(alice, "mute", user=BOB) == "200 OK"
        assert await bob.hear_notice() == f"alice@{DOMAIN} has muted you"
        assert await bob.send(wrap(bob.address, bob.room, b"but")) == 403
        assert await bob.send(wrap(bob.address, carol.address, b"psst")) == 403
        await alice.say("quiet now")
        assert (await bob.hear()).text == "quiet now"
        while True:
            document = await watcher.document()
            (shown,) = [user for user in document.users if user.entity == BOB]
            if shown.endpoints[0].status == "muted-via-focus":
                break
        assert await order(alice, "unmute", user=BOB) == "200 OK"
        assert await bob.hear_notice() == f"alice@{DOMAIN} has unmuted you"
        await bob.say("thanks")
        assert [(await carol.hear()).text for _ in range(2)] == ["quiet now", "thanks"]


async def test_a_mute_ends_by_itself_and_is_shown_to_end() -> None:
    async with moderated() as (_, alice, bob, carol):
        assert await order(alice, "mute", user=BOB, seconds=0.05) == "200 OK"
        await bob.hear_notice()
        while await bob.send(wrap(bob.address, bob.room, b"again")) != 200:
            pass
        assert (await carol.hear()).text == "again"


async def test_a_locked_room_takes_nobody_but_those_who_are_in_it() -> None:
    async with moderated() as (server, alice, bob, _):
        assert await order(alice, "lock") == "200 OK"
        assert await bob.hear_notice() == f"alice@{DOMAIN} has locked the room"
        async with Caller(server, "dave") as dave, Caller(server, "bob") as phone:
            assert (await dave.invite()).status == 403
            await enter(phone)
            await phone.bye()
        assert await order(alice, "unlock") == "200 OK"
        async with Caller(server, "dave") as dave:
            await enter(dave)


async def test_a_subject_is_told_to_those_who_are_here_and_those_who_come() -> None:
    async with moderated() as (server, alice, bob, _), Subscriber(server) as watcher:
        await watcher.subscribe()
        assert await order(alice, "subject", text="Tea\r\nat <five>") == "200 OK"
        assert (await bob.hear_notice()).endswith("has given the room the subject: Tea at <five>")
        while True:
            description = (await watcher.document()).description
            if description is not None and description.subject == "Tea at <five>":
                break
        async with Caller(server, "dave") as dave:
            assert "Subject: Tea at <five>" in await enter(dave)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("kick", {"user": BOB}),
        ("ban", {"user": BOB}),
        ("unban", {"user": BOB}),
        ("mute", {"user": BOB}),
        ("unmute", {"user": BOB}),
        ("lock", {}),
        ("unlock", {}),
        ("subject", {"text": "x"}),
    ],
)
async def test_others_are_refused_with_the_reason(name: str, fields: dict[str, object]) -> None:
    async with moderated() as (_, alice, bob, carol):
        said = await order(carol, name, **fields)
        assert said.startswith("403 only moderators may")
        # Nothing has happened, and nobody has heard of it.
        await alice.say("hello")
        assert (await bob.hear_all()).text == "hello"
        await bob.say("hi")
        assert (await alice.hear_all()).text == "hi"


async def test_no_moderator_is_banned_or_muted_and_nonsense_is_refused() -> None:
    async with moderated() as (_, alice, _, _):
        for name in ("ban", "mute"):
            assert (await order(alice, name, user=f"sip:{alice.address}")).startswith("403")
        assert (await order(alice, "explode")).startswith("400")
        assert (await order(alice, "ban")).startswith("400")
        assert (await order(alice, "unmute", user=BOB)).startswith("404")


async def test_a_command_is_never_passed_on_even_if_it_is_addressed_to_somebody() -> None:
    async with moderated() as (_, alice, bob, carol):
        content = json.dumps({"command": "lock"}).encode()
        assert await carol.send(wrap(carol.address, bob.address, content, TYPE)) == 200
        forged = wrap(alice.address, carol.room, content, TYPE)
        assert await carol.send(forged) == 403
        await alice.say("hello")
        assert (await bob.hear_all()).text == "hello"


async def test_history_is_shown_to_who_asks_page_by_page(tmp_path: object) -> None:
    settings = {
        "Server": {"spool_dir": tmp_path},
        "Conference": {"history": "yes", "history_replay": 0},
    }
    async with (
        running_server(settings) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
    ):
        await enter(alice)
        for number in range(5):
            await alice.say(str(number))
        await enter(bob)
        assert await order(bob, "history", count=2) == "200 OK"
        assert [(await bob.hear()).text for _ in range(2)] == ["3", "4"]
        assert await order(bob, "history", count=2, earlier=True) == "200 OK"
        assert [(await bob.hear()).text for _ in range(2)] == ["1", "2"]
        await alice.say("live")
        assert (await bob.hear()).text == "live"
