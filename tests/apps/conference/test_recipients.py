"""An INVITE with a list of people: all of them are called (RFC 5366)."""

import pytest

from sylk.server import Server
from tests.apps.conference.invited import Invited
from tests.apps.conference.visits import assert_all_is_gone, rooms_of
from tests.end_to_end.wire_sip import SipMessage
from tests.peers import DOMAIN, HOST, Caller, chat_offer, running_server

REQUIRE = "Require: recipient-list-invite"
MIXED = "multipart/mixed;boundary=b"


def list_of(*uris: str) -> bytes:
    entries = "".join(f'<entry uri="{uri}" cp:copyControl="to"/>' for uri in uris)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists" '
        f'xmlns:cp="urn:ietf:params:xml:ns:copycontrol"><list>{entries}</list></resource-lists>'
    ).encode()


def part(body: bytes, content_type: str, disposition: str = "") -> bytes:
    line = f"Content-Disposition: {disposition}\r\n" if disposition else ""
    return f"--b\r\nContent-Type: {content_type}\r\n{line}\r\n".encode() + body + b"\r\n"


def list_part(*uris: str) -> bytes:
    return part(list_of(*uris), "application/resource-lists+xml", "recipient-list")


async def invite(caller: Caller, *parts: bytes, require: str = REQUIRE) -> SipMessage:
    sdp = part(chat_offer(caller.path), "application/sdp")
    body = b"".join([sdp, *parts, b"--b--\r\n"])
    headers = [require] if require else []
    await caller.sip.send(caller.request("INVITE", *headers, body=body, content_type=MIXED))
    final = await caller.await_answer()
    await caller.acknowledge()
    return final


@pytest.mark.parametrize("require", [REQUIRE, ""])
async def test_everybody_in_the_list_is_called(require: str) -> None:
    async with (
        running_server() as server,
        Caller(server, "alice", display_name=b"Alice") as alice,
        Invited(server, "bob") as bob,
        Invited(server, "carol") as carol,
    ):
        # Nobody is called twice, and the caller is here already.
        uris = bob.uri, carol.uri, f"{bob.uri};x=1", f"sip:alice@{DOMAIN}"
        assert (await invite(alice, list_part(*uris), require=require)).status == 200
        await alice.connect()
        assert "the first one here" in await alice.hear_notice()
        for invited in (bob, carol):
            called = await invited.await_invite()
            assert called["Referred-By"] == f"<sip:alice@{DOMAIN}>"
            # Who else is called is told to nobody.
            assert called["Content-Type"] == "application/sdp"
        await bob.pick_up()
        assert "bob" in await alice.hear_notice()
        await bob.hear_notice()
        await carol.reply("486 Busy Here")
        notice = await alice.hear_notice()
        assert notice == f"{carol.uri.removeprefix('sip:')} does not come: 486 Busy Here"
        await alice.say("hello")
        assert (await bob.hear()).text == "hello"
        assert (await alice.bye()).status == 200
        server.stop.set()
        await bob.await_bye()
        await assert_all_is_gone(server)


async def test_who_may_invite_for_the_place_he_comes_from_may_bring_a_list() -> None:
    settings = {"Conference": {"invite": "moderators", "moderators": f"{HOST}/32"}}
    async with (
        running_server(settings) as server,
        Caller(server, "alice") as alice,
        Invited(server, "bob") as bob,
    ):
        assert (await invite(alice, list_part(bob.uri))).status == 200
        await alice.connect()
        await bob.await_invite()


async def test_a_list_makes_a_room_of_the_factory() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice", room=f"conference-factory@{DOMAIN}") as alice,
        Invited(server, "bob") as bob,
    ):
        final = await invite(alice, list_part(bob.uri))
        assert final.status == 200
        await alice.connect()
        name = final["Contact"].partition(":")[2].partition("@")[0]
        assert (await bob.await_invite())["From"].count(f"sip:{name}@{DOMAIN}")
        await bob.pick_up()


async def notices(caller: Caller, count: int) -> list[str]:
    return [await caller.hear_notice() for _ in range(count)]


async def test_who_cannot_be_called_is_named() -> None:
    settings = {"Conference": {"max_ringing": 1}}
    async with (
        running_server(settings) as server,
        Caller(server, "alice") as alice,
        Invited(server, "bob") as bob,
    ):
        uris = "tel:+431234567", bob.uri, f"sip:dave@{DOMAIN}"
        assert (await invite(alice, list_part(*uris))).status == 200
        await alice.connect()
        heard = await notices(alice, 3)
        assert any(text.startswith("+431234567 does not come: 416") for text in heard)
        assert any("dave" in text and "503 too many calls" in text for text in heard)
        await bob.await_invite()


async def test_who_does_not_find_a_seat_is_named() -> None:
    settings = {"Conference": {"max_participants": 2}}
    async with (
        running_server(settings) as server,
        Caller(server, "alice") as alice,
        Invited(server, "bob") as bob,
    ):
        assert (await invite(alice, list_part(bob.uri, f"sip:dave@{DOMAIN}"))).status == 200
        await alice.connect()
        heard = await notices(alice, 2)
        await bob.await_invite()
        assert f"dave@{DOMAIN} does not come: 486 the room is full" in heard


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ([list_part(*(f"sip:u{number}@example.com" for number in range(31)))], 403),
        ([part(b"<resource-lists", "application/resource-lists+xml", "recipient-list")], 400),
        ([part(b"sip:bob@a", "text/uri-list", "recipient-list")], 415),
        ([part(b"<html/>", "text/html")], 415),
        ([list_part("sip:boss@example.com;maddr=127.0.0.1")], 403),
    ],
)
async def test_a_list_that_is_no_good_is_refused(parts: list[bytes], status: int) -> None:
    async with running_server() as server, Caller(server) as alice:
        assert (await invite(alice, *parts)).status == status
        assert rooms_of(server) == 0
        await assert_all_is_gone(server)


async def test_what_may_be_passed_over_is_passed_over() -> None:
    async with running_server() as server, Caller(server) as alice:
        extra = part(b"<html/>", "text/html", "render;handling=optional")
        assert (await invite(alice, extra, require="")).status == 200


async def test_a_list_is_for_conferences_alone() -> None:
    async with running_server() as server, Caller(server, room=f"echo@{DOMAIN}") as alice:
        final = await invite(alice, list_part("sip:bob@example.com"))
        assert (final.status, final["Unsupported"]) == (420, "recipient-list-invite")
    async with running_server() as server, Caller(server, room=f"echo@{DOMAIN}") as alice:
        assert (await invite(alice, list_part("sip:bob@example.com"), require="")).status == 415


async def supported_by(server: Server) -> str:
    async with Caller(server, transport="tcp") as caller:
        answer = await caller.ask("OPTIONS")
        assert answer.status == 200
        return answer["Supported"]


async def test_the_server_says_that_it_calls_lists() -> None:
    async with running_server() as server:
        assert "recipient-list-invite" in await supported_by(server)
