"""Orders in a room, against a small focus and what it makes of them."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from sylk.payload.conference_users import User
from tests.cli.small_focus import SmallFocus
from tests.cli.typist import Typist, in_room
from tests.peers import DOMAIN, running_server


@asynccontextmanager
async def two_in(focus: SmallFocus) -> AsyncGenerator[tuple[Typist, Typist]]:
    alice, bob = Typist(), Typist()
    async with (
        running_server(application=focus) as server,
        in_room(server, "Alice", alice),
        in_room(server, "Bob", bob),
    ):
        for typist in (alice, bob):
            await typist.see(r"\* \d here: ")
        # The first one is told of the second by a change.
        await alice.see_name("^Bob$")
        yield alice, bob


async def test_who_is_here() -> None:
    async with two_in(SmallFocus()) as (alice, bob):
        bob.type("/nick Bo B")
        await bob.see("You are Bo B now")
        bob.type("/who")
        await bob.see("2 here:")
        await bob.see(rf"^ .*  Alice <alice@{DOMAIN}>$")
        await bob.see(rf"^ .*  Bo B <bob@{DOMAIN}> \(you, Bob\)$")
        await alice.see_name("^Bo B$")
        assert alice.names == ["Alice", "Bo B"]
        assert "/who" not in "".join(alice.shown)


async def test_no_name_drives_the_terminal_or_forges_a_line() -> None:
    focus = SmallFocus()
    focus.subject = "Tea\n12:00 * Bob has left\u202e"
    focus.others = (User("sip:eve@a.test", "Eve\n12:00 Bob: I am out\x9b", "x" * 5000),)
    alice = Typist()
    async with running_server(application=focus) as server, in_room(server, "Alice", alice):
        await alice.see("2 here")
        alice.type("/who")
        await alice.see("eve@a.test")
        alice.type("/msg eve@a.test hello")
        await alice.see("hello")
    text = "\n".join(alice.shown)
    assert "\u202e" not in text
    assert "\x9b" not in text
    assert "x" * 50 not in text
    # What claims to be a line of its own is the rest of another one.
    assert all(not line.startswith("12:00") for line in alice.shown)
    assert sum("I am out" in line for line in alice.shown) == 1


async def test_a_nickname_is_taken_refused_and_given_up() -> None:
    async with two_in(SmallFocus()) as (alice, bob):
        alice.type("/nick Ali")
        await alice.see("You are Ali now")
        bob.type("/nick Ali")
        await bob.see("/nick: 425 Nickname reserved or already in use")
        alice.type("/nick")
        await alice.see("You have no nickname any more")
        bob.type('/nick "Ali"')
        await bob.see("You are Ali now")


async def test_a_whisper_reaches_one_and_is_replied_to() -> None:
    async with two_in(SmallFocus()) as (alice, bob):
        bob.type("/reply too early")
        await bob.see("/reply: nobody has said anything to you alone")
        alice.type("/nick Ali B")
        await alice.see("You are Ali B now")
        alice.type(f"/msg bob@{DOMAIN} psst")
        await alice.see(r"Ali B → Bob \(private\): psst")
        await bob.see(r"Ali B \(private\): psst")
        bob.type("/reply what?")
        await alice.see(r"Bob \(private\): what\?")
        bob.type("/msg nobody hello")
        await bob.see("/msg: nobody here is called nobody")
        await bob.see_name("^Ali B$")
        bob.type("/msg Ali B again")
        await alice.see(r"Bob \(private\): again")
        bob.type("/msg Ali B")
        await bob.see("/msg: there is nothing to say")


async def test_without_the_token_nothing_is_sent() -> None:
    focus = SmallFocus()
    focus.chatroom = ("other",)
    async with two_in(focus) as (alice, bob):
        alice.type("/msg bob psst")
        await alice.see("/msg: this room has no private messages")
        alice.type("/nick Ali")
        await alice.see("/nick: this room has no nicknames")
        assert "psst" not in "".join(bob.shown)


async def test_somebody_is_invited_and_put_out() -> None:
    async with two_in(SmallFocus()) as (alice, _):
        alice.type(f"/invite sip:dora@{DOMAIN}")
        await alice.see(rf"\* dora@{DOMAIN}: ringing")
        alice.type("pick up")
        await alice.see(rf"\* dora@{DOMAIN} is in")
        alice.type("/invite busy")
        await alice.see("/invite: 486 Busy Here")
        alice.type("/invite nobody")
        await alice.see("/invite: 403 Forbidden")
        alice.type("/invite <>")
        await alice.see("/invite: <> is no SIP address")
        alice.type("/kick Bob extra")
        await alice.see("/kick: nobody here is called Bob extra")
        alice.type("/kick Bob")
        await alice.see(rf"\* bob@{DOMAIN} is out")


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("/ban Bob 2h", {"command": "ban", "user": f"sip:bob@{DOMAIN}", "seconds": 7200}),
        ("/ban eve@example.net", {"command": "ban", "user": "sip:eve@example.net"}),
        ("/unmute Bob", {"command": "unmute", "user": f"sip:bob@{DOMAIN}"}),
        ("/unban eve@a.test", {"command": "unban", "user": "sip:eve@a.test"}),
        ("/history more", {"command": "history", "earlier": True}),
        ("/unlock", {"command": "unlock"}),
        ("/subject Tea & cake", {"command": "subject", "text": "Tea & cake"}),
        ("/history 20", {"command": "history", "count": 20}),
        ("/history", {"command": "history"}),
    ],
)
async def test_a_command_goes_to_the_focus_alone(line: str, command: dict[str, object]) -> None:
    focus = SmallFocus()
    async with two_in(focus) as (alice, bob):
        alice.type(line)
        await alice.see(f"{line.split()[0]}: done")
        assert focus.commands == [command]
        if line.startswith("/subject"):
            await bob.see("The subject is: Tea & cake")


async def test_a_refusal_is_shown_with_its_reason() -> None:
    async with two_in(SmallFocus()) as (alice, _):
        alice.type("/lock")
        await alice.see("/lock: 403 Forbidden")
        alice.type("/mute Bob")
        await alice.see("/mute: 404 Not Found")
        alice.type("/ban Bob soon")
        await alice.see("/ban: soon is no time")
        alice.type("/history many")
        await alice.see("/history: write a number")


async def test_a_room_that_does_not_tell_who_is_here() -> None:
    focus = SmallFocus()
    focus.tells = False
    alice, bob = Typist(), Typist()
    async with (
        running_server(application=focus) as server,
        in_room(server, "Alice", alice),
        in_room(server, "Bob", bob),
    ):
        await alice.see("Alice, in room@")
        alice.type("/who")
        await alice.see("does not tell who is here.* Nobody was heard so far")
        bob.type("hello")
        await alice.see("Bob: hello")
        assert alice.names == ["Bob"]
        alice.type("/msg Bob psst")
        await bob.see(r"Alice \(private\): psst")
