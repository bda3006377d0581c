"""NICKNAME in real rooms (RFC 7701 section 7): who is called what, and where it is seen."""

import logging

import pytest

from tests.apps.conference.subscribers import Subscriber
from tests.apps.conference.visits import assert_all_is_gone, call_oneself, enter, nickname_frame
from tests.peers import DOMAIN, Caller, running_server, wrap

AT_ONCE = {"Conference": {"notify_interval": 0}}


async def test_a_nickname_is_seen_in_what_is_said_and_in_the_list() -> None:
    async with (
        running_server(AT_ONCE) as server,
        Caller(server, "alice", display_name=b'"Alice"') as alice,
        Caller(server, "bob") as bob,
        Subscriber(server) as watcher,
    ):
        await enter(alice)
        await enter(bob)
        assert (await watcher.subscribe()).status == 200
        await watcher.until("alice", "bob")
        # In quotes as the RFC has it, and raw as deployed clients send it.
        for value, name in (('"Ali Baba"', "Ali Baba"), ("Ali", "Ali")):
            assert await call_oneself(alice, value) == 200
            await alice.say("hello")
            heard = await bob.hear()
            assert (heard.sender, heard.text) == (f"{name} <sip:{alice.address}>", "hello")
            info = await watcher.until("alice", "bob")
            assert (info.users[0].display_text, info.users[0].nickname) == (name, name)
            assert info.users[0].endpoints[0].display_text == name
            assert (info.users[1].display_text, info.users[1].nickname) == (None, None)
        # Empty gives it up: she is called as she came.
        for value in ('""', ""):
            assert await call_oneself(alice, "Ali") == 200
            assert await call_oneself(alice, value) == 200
            await alice.say("hello")
            assert (await bob.hear()).sender == f"Alice <sip:{alice.address}>"
        info = await watcher.until("alice", "bob")
        assert (info.users[0].display_text, info.users[0].nickname) == ("Alice", None)


async def test_a_nickname_is_of_one_person_with_all_his_clients() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "bob") as phone,
    ):
        for caller in (alice, bob, phone):
            await enter(caller)
        assert await call_oneself(bob, "Bobby") == 200
        assert await call_oneself(phone, "Bobby") == 200
        for caller in (bob, phone):
            await caller.say("hello")
            assert (await alice.hear()).sender == f"Bobby <sip:{bob.address}>"
        # Nobody else gets it, nor what merely looks like it.
        for value in ("Bobby", "bobby", '"BOBBY"', "Bоbby", "B0bby"):
            assert await call_oneself(alice, value) == 425
        assert await call_oneself(phone, "Robert") == 200
        await bob.say("renamed")
        assert (await alice.hear()).sender == f"Robert <sip:{bob.address}>"
        assert await call_oneself(alice, "Bobby") == 200
        # It is his until his last client has left.
        await bob.bye()
        assert await call_oneself(alice, "Robert") == 425
        await phone.bye()
        assert "left the room" in await left_notice(alice)
        assert await call_oneself(alice, "Robert") == 200


async def left_notice(caller: Caller) -> str:
    while "left" not in (notice := await caller.hear_notice()):
        pass
    return notice


async def test_a_whisper_goes_to_who_has_the_nickname() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "bob") as phone,
        Caller(server, "carol") as carol,
    ):
        for caller in (alice, bob, phone, carol):
            await enter(caller)
        assert await call_oneself(bob, "The Builder") == 200
        await alice.say("psst", f"lobby@{DOMAIN};nickname=The%20Builder")
        for caller in (bob, phone):
            heard = await caller.hear()
            assert heard.text == "psst"
        to_nobody = wrap(alice.address, f"lobby@{DOMAIN};nickname=Nobody", b"psst")
        assert await alice.send(to_nobody) == 404
        await alice.say("to all")
        assert (await carol.hear()).text == "to all"


async def test_what_was_said_before_a_nickname_keeps_the_old_name() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
    ):
        await enter(alice)
        await enter(bob)
        frames = [
            alice.line("first"),
            nickname_frame(alice, "Ali"),
            alice.line("second"),
            nickname_frame(alice, ""),
            alice.line("third"),
        ]
        await alice.msrp.send(b"".join(frames))
        heard = [await bob.hear() for _ in range(3)]
        assert [(one.sender, one.text) for one in heard] == [
            (f"<sip:{alice.address}>", "first"),
            (f"Ali <sip:{alice.address}>", "second"),
            (f"<sip:{alice.address}>", "third"),
        ]
        assert [(await alice.answer_to(frame)).status for frame in frames] == [200] * 5


async def test_names_that_are_taken_otherwise_are_refused() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob", display_name=b'"Robert Smith"') as bob,
    ):
        await enter(alice)
        await enter(bob)
        for value in ("bob", "Robert Smith", "lobby", "Conference Room"):
            assert await call_oneself(alice, value) == 425, value
        assert await call_oneself(alice, "alice") == 200


async def test_a_room_without_nicknames_says_so_and_refuses_them() -> None:
    own = {f"lobby@{DOMAIN}": {"nicknames": "no"}}
    async with running_server(own) as server, Caller(server) as alice:
        final = await alice.invite()
        assert b"a=chatroom:private-messages\r\n" in final.body
        await alice.acknowledge()
        await alice.connect()
        assert await call_oneself(alice, "Ali") == 403
        await alice.say("still here")


HOSTILE = [
    ("x" * 10_000, 424),
    ("x" * 65, 424),
    ("\u202eevil", 424),
    ("a\u200bb", 424),
    ("a\x7fb", 424),
    ("\u2800", 424),
    ("Z\u0301\u0301\u0301\u0301\u0301\u0301", 424),
    ("\u2028x", 424),
    ("аdmin <sip:admin@example.com>", 424),
    ('"a" <sip:root@example.com>', 424),
    ("</display-text>", 424),
    ("&quot;]]&gt;%s%n\\", 200),
    ("bob", 425),
    ("bоb", 425),
]


@pytest.mark.parametrize(("value", "status"), HOSTILE)
async def test_a_hostile_nickname_harms_nobody(
    value: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        async with (
            running_server(AT_ONCE) as server,
            Caller(server, "eve") as eve,
            Caller(server, "bob") as bob,
            Subscriber(server) as watcher,
        ):
            await enter(eve)
            await enter(bob)
            assert (await watcher.subscribe()).status == 200
            await watcher.until("eve", "bob")
            assert await call_oneself(eve, value) == status
            await eve.say("hello")
            heard = await bob.hear()
            # Whoever reads the address in the last angle brackets reads hers.
            assert heard.sender.endswith(f"<sip:{eve.address}>")
            assert heard.sender.isprintable()
            if status != 200:
                assert heard.sender == f"<sip:{eve.address}>"
            else:
                info = await watcher.until("eve", "bob")
                assert info.users[0].nickname == value
                assert info.users[0].entity == f"sip:{eve.address}"
            await eve.bye()
            assert f"eve@{DOMAIN}" in await bob.hear_notice()
            await bob.bye()
            while (await watcher.notify())["Subscription-State"].startswith("active"):
                pass
            await assert_all_is_gone(server)
    assert all(line.isprintable() and len(line) < 2000 for line in map(str, caplog.messages))
