"""Calling out: to our own server, and to a phone that is not ours."""

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from sylk.errors import SessionEnded, TransportError
from sylk.session.attempts import Destination
from sylk.session.challenges import Credentials
from sylk.session.dial import Dialled
from sylk.session.endpoint import Endpoint
from sylk.sip.address import NameAddr
from sylk.sip.digest import compute_response, hash_password, parse_credentials
from sylk.sip.uri import SipURI
from tests.end_to_end.wire_msrp import render_frame
from tests.end_to_end.wire_sip import SipMessage
from tests.peers import (
    DOMAIN,
    HOST,
    PATIENCE,
    Callee,
    MsrpListener,
    MsrpPeer,
    answer_frame,
    assert_nothing_left,
    attribute,
    chat_offer,
    connect_msrp,
    destination,
    msrp_port,
    running_endpoint,
    running_server,
    wrap,
)


class Calling:
    """A call of ours in the background, and how it went."""

    def __init__(
        self,
        endpoint: Endpoint,
        target: Destination,
        *,
        timeout: float = 90.0,
        credentials: Credentials | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._credentials = credentials
        self._target = target
        self._timeout = timeout
        self.stands = trio.Event()
        self.leave = trio.Event()
        self.over = trio.Event()
        self.heard: list[str] = []
        self.end: SessionEnded | None = None

    async def run(self) -> None:
        try:
            async with Dialled(
                self._endpoint,
                self._target,
                invite_timeout=self._timeout,
                credentials=self._credentials,
            ) as chat:
                self.stands.set()
                async with trio.open_nursery() as nursery:

                    async def listen() -> None:
                        async for message in chat:
                            self.heard.append(message.text)
                        nursery.cancel_scope.cancel()

                    nursery.start_soon(listen)
                    await self.leave.wait()
                    nursery.cancel_scope.cancel()
        except SessionEnded as ended:
            self.end = ended
        self.over.set()

    async def ended(self) -> SessionEnded:
        with trio.fail_after(PATIENCE):
            await self.over.wait()
        assert self.end is not None
        return self.end


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_two_of_ours_talk(transport: str) -> None:
    async with (
        running_server() as server,
        running_endpoint(tcp_port=None, msrp_port=None) as endpoint,
    ):
        target = destination(server.endpoint, "echo", transport=transport)
        with trio.fail_after(PATIENCE):
            async with Dialled(endpoint, target) as chat:
                assert chat.local.uri == f"sip:alice@{DOMAIN}"
                assert chat.remote.uri == f"sip:echo@{DOMAIN}"
                await chat.send("hello")
                message = await anext(aiter(chat))
                assert message.text == "hello"
        await assert_nothing_left(endpoint)
        await assert_nothing_left(server)


async def test_a_refusal_is_told_with_its_status() -> None:
    async with running_server() as server, running_endpoint() as endpoint:
        lobby = destination(server.endpoint, "lobby")
        with pytest.raises(SessionEnded) as caught:
            async with Dialled(endpoint, lobby, accept_types=("text/plain",)):
                raise AssertionError("a room speaks message/cpim alone")
        assert caught.value.status == 488
        await assert_nothing_left(endpoint)


async def test_nobody_is_there_over_tcp() -> None:
    async with MsrpListener() as listener:
        port = SipURI.parse(f"sip:{listener.path.partition('//')[2].partition('/')[0]}")
    async with running_endpoint() as endpoint:
        target = Destination(port, NameAddr.parse(f"<sip:alice@{DOMAIN}>"), "tcp")
        with pytest.raises(TransportError):
            async with Dialled(endpoint, target):
                raise AssertionError("nobody is there")
        await assert_nothing_left(endpoint)


@pytest.mark.parametrize(
    "uri", ["sip:bob@no-such-host.invalid", "sips:bob@127.0.0.1", "sip:bob@127.0.0.1;transport=x"]
)
async def test_there_is_no_way(uri: str) -> None:
    async with running_endpoint() as endpoint:
        target = Destination(SipURI.parse(uri), NameAddr.parse(f"<sip:alice@{DOMAIN}>"))
        with pytest.raises(TransportError):
            async with Dialled(endpoint, target):
                raise AssertionError("there is no way")
        await assert_nothing_left(endpoint)


# A phone that is not ours


async def established(callee: Callee, answer: bytes) -> SipMessage:
    """Answer the call with 200 and return the ACK."""
    await callee.reply("200 OK", answer)
    return await callee.receive("ACK")


def their_path(invite: SipMessage) -> str:
    (path,) = attribute(invite.body, "path")
    return path


async def test_the_offer_says_what_we_are() -> None:
    async with (
        running_endpoint() as endpoint,
        Callee() as callee,
        trio.open_nursery() as nursery,
    ):
        calling = Calling(endpoint, callee.destination)
        nursery.start_soon(calling.run)
        invite = await callee.receive("INVITE")
        assert attribute(invite.body, "setup") == ["actpass"]
        assert attribute(invite.body, "accept-types") == ["message/cpim text/*"]
        assert f":{msrp_port(endpoint)}/" in their_path(invite)
        assert invite["User-Agent"] == "Phone"
        assert invite["Contact"].startswith(f"<sip:alice@{HOST}:")
        await callee.reply("486 Busy Here")
        await callee.receive("ACK")
        ended = await calling.ended()
        assert (ended.status, ended.reason) == (486, "Busy Here")
        await assert_nothing_left(endpoint)


@pytest.mark.parametrize("setup", ["passive", None])
async def test_we_connect_to_who_listens(setup: str | None) -> None:
    async with (
        running_endpoint() as endpoint,
        Callee() as callee,
        MsrpListener() as listener,
        trio.open_nursery() as nursery,
    ):
        calling = Calling(endpoint, callee.destination)
        nursery.start_soon(calling.run)
        invite = await callee.receive("INVITE")
        await established(callee, chat_offer(listener.path, setup=setup))
        peer = await listener.accept()
        first = await peer.receive()
        assert first.headers["From-Path"] == their_path(invite)
        await peer.send(answer_frame(first))
        with trio.fail_after(PATIENCE):
            await calling.stands.wait()
        calling.leave.set()
        bye = await callee.receive("BYE")
        assert "Reason" not in bye
        await callee.reply("200 OK", to=bye)
        assert await peer.rest() == []
        peer.close()
        await assert_nothing_left(endpoint)


async def connect_to(endpoint: Endpoint, invite: SipMessage, path: str) -> MsrpPeer:
    peer = await connect_msrp(msrp_port(endpoint))
    lines = ["Message-ID: m", "Byte-Range: 1-0/0"]
    await peer.send(render_frame("SEND", their_path(invite), path, lines))
    assert (await peer.receive()).status == 200
    return peer


async def test_we_listen_for_who_connects() -> None:
    path = "msrp://127.0.0.1:2855/theirs;tcp"
    async with (
        running_endpoint() as endpoint,
        Callee() as callee,
        trio.open_nursery() as nursery,
    ):
        calling = Calling(endpoint, callee.destination)
        nursery.start_soon(calling.run)
        invite = await callee.receive("INVITE")
        await established(callee, chat_offer(path, setup="active"))
        peer = await connect_to(endpoint, invite, path)
        lines = ["Message-ID: n", "Content-Type: message/cpim"]
        body = wrap("bob@x", None, b"hello")
        await peer.send(render_frame("SEND", their_path(invite), path, lines, body))
        assert (await peer.receive()).status == 200
        assert calling.heard == ["hello"]
        peer.reset()
        bye = await callee.receive("BYE")
        assert bye["Reason"].startswith("SIP;cause=500;")
        await callee.reply("200 OK", to=bye)
        calling.leave.set()
        await assert_nothing_left(endpoint)


async def test_who_is_called_may_hang_up() -> None:
    path = "msrp://127.0.0.1:2855/theirs;tcp"
    async with (
        running_endpoint() as endpoint,
        Callee() as callee,
        trio.open_nursery() as nursery,
    ):
        calling = Calling(endpoint, callee.destination)
        nursery.start_soon(calling.run)
        invite = await callee.receive("INVITE")
        ack = await established(callee, chat_offer(path))
        peer = await connect_to(endpoint, invite, path)
        with trio.fail_after(PATIENCE):
            await calling.stands.wait()
        # The 200 comes once more: its ACK was lost.
        await callee.reply("200 OK", chat_offer(path))
        assert (await callee.receive("ACK")).raw == ack.raw
        # Another 200 is that of a fork, which is not wanted.
        await callee.reply("200 OK", chat_offer(path), tag="fork")
        assert "tag=fork" in (await callee.receive("ACK"))["To"]
        bye = await callee.receive("BYE")
        assert "tag=fork" in bye["To"]
        await callee.reply("200 OK", to=bye)
        assert not calling.over.is_set()
        calling.leave.set()
        bye = await callee.receive("BYE")
        assert "tag=fork" not in bye["To"]
        await callee.reply("481 Gone", to=bye)
        await assert_nothing_left(endpoint)
        peer.close()


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense", chat_offer("msrp://h:1/x;tcp", port=0), b"v=0\r\n"]
)
async def test_a_200_without_a_chat_is_acknowledged_and_ended(answer: bytes) -> None:
    async with (
        running_endpoint() as endpoint,
        Callee() as callee,
        trio.open_nursery() as nursery,
    ):
        calling = Calling(endpoint, callee.destination)
        nursery.start_soon(calling.run)
        await callee.receive("INVITE")
        await established(callee, answer)
        bye = await callee.receive("BYE")
        assert "Reason" in bye
        await callee.reply("200 OK", to=bye)
        assert (await calling.ended()).status in (400, 488)
        await assert_nothing_left(endpoint)


async def test_a_200_without_contact_is_no_good() -> None:
    async with (
        running_endpoint() as endpoint,
        Callee() as callee,
        trio.open_nursery() as nursery,
    ):
        calling = Calling(endpoint, callee.destination)
        nursery.start_soon(calling.run)
        await callee.receive("INVITE")
        await callee.reply("200 OK", chat_offer("msrp://h:1/x;tcp"), contact="")
        assert (await calling.ended()).status == 400
        await assert_nothing_left(endpoint)


async def test_who_does_not_answer_is_cancelled() -> None:
    async with (
        running_endpoint() as endpoint,
        Callee() as callee,
        trio.open_nursery() as nursery,
    ):
        calling = Calling(endpoint, callee.destination, timeout=0.1)
        nursery.start_soon(calling.run)
        invite = await callee.receive("INVITE")
        await callee.reply("180 Ringing")
        cancel = await callee.receive("CANCEL")
        assert cancel["Via"] == invite["Via"]
        assert (await calling.ended()).status == 408
        await callee.reply("200 OK", to=cancel)
        await callee.reply("487 Request Terminated")
        await callee.receive("ACK")
        await assert_nothing_left(endpoint)


async def test_a_200_that_crosses_the_cancel_is_ended() -> None:
    async with (
        running_endpoint() as endpoint,
        Callee() as callee,
        trio.open_nursery() as nursery,
    ):
        calling = Calling(endpoint, callee.destination, timeout=0.1)
        nursery.start_soon(calling.run)
        await callee.receive("INVITE")
        await callee.reply("180 Ringing")
        await callee.receive("CANCEL")
        await established(callee, chat_offer("msrp://h:1/x;tcp"))
        bye = await callee.receive("BYE")
        await callee.reply("200 OK", to=bye)
        assert (await calling.ended()).status == 408
        await assert_nothing_left(endpoint)


async def test_a_phone_that_answers_a_cancel_with_silence(jumping_clock: MockClock) -> None:
    async with (
        running_endpoint() as endpoint,
        Callee() as callee,
        trio.open_nursery() as nursery,
    ):
        calling = Calling(endpoint, callee.destination, timeout=5)
        nursery.start_soon(calling.run)
        await callee.receive("INVITE")
        await callee.reply("180 Ringing")
        cancel = await callee.receive("CANCEL")
        await callee.reply("200 OK", to=cancel)
        assert (await calling.ended()).status == 408
        # The final response may come for 64·T1 after the CANCEL (RFC 3261 section 9.1).
        with trio.fail_after(64):
            await endpoint.wait_calls_over()
        assert 36 < jumping_clock.current_time() < 38
        await assert_nothing_left(endpoint)


async def test_media_that_never_come_end_the_call() -> None:
    async with (
        running_endpoint(establish_timeout=0.05) as endpoint,
        Callee() as callee,
        trio.open_nursery() as nursery,
    ):
        calling = Calling(endpoint, callee.destination)
        nursery.start_soon(calling.run)
        await callee.receive("INVITE")
        await established(callee, chat_offer("msrp://h:1/x;tcp", setup="active"))
        bye = await callee.receive("BYE")
        assert bye["Reason"].startswith("SIP;cause=500;")
        await callee.reply("200 OK", to=bye)
        assert (await calling.ended()).reason.startswith("media did not come")
        await assert_nothing_left(endpoint)


async def test_a_call_that_is_given_up_while_it_rings_is_cancelled() -> None:
    async with running_endpoint() as endpoint, Callee() as callee:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Calling(endpoint, callee.destination).run)
            await callee.receive("INVITE")
            await callee.reply("180 Ringing")
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        cancel = await callee.receive("CANCEL")
        await callee.reply("200 OK", to=cancel)
        await callee.reply("487 Request Terminated")
        await callee.receive("ACK")
        await assert_nothing_left(endpoint)


async def test_a_caller_may_be_a_telephone_number() -> None:
    async with (
        running_endpoint() as endpoint,
        Callee() as callee,
        trio.open_nursery() as nursery,
    ):
        target = Destination(callee.destination.uri, NameAddr.parse("<tel:+31201234567>"))
        calling = Calling(endpoint, target)
        nursery.start_soon(calling.run)
        invite = await callee.receive("INVITE")
        assert invite["From"].startswith("<tel:+31201234567>;tag=")
        assert invite["Contact"].startswith(f"<sip:{HOST}:")
        await callee.reply("603 Decline")
        await callee.receive("ACK")
        assert (await calling.ended()).status == 603


# A phone that asks for a password

ALICE = Credentials("alice", "secret")
MD5 = f'Digest realm="{DOMAIN}", nonce="n1", algorithm=MD5, qop="auth"'
SHA_256 = f'Digest realm="{DOMAIN}", nonce="n2", algorithm=SHA-256, qop="auth", opaque="o"'
ASKING = [
    ("401 Unauthorized", "WWW-Authenticate", "Authorization"),
    ("407 Proxy Authentication Required", "Proxy-Authenticate", "Proxy-Authorization"),
]
UNAUTHORIZED, ASKS, _ = ASKING[0]


async def ask(callee: Callee, status: str, name: str, *challenges: str) -> None:
    """Refuse the INVITE with challenges, and take the ACK."""
    await callee.reply("\r\n".join([status, *(f"{name}: {value}" for value in challenges)]))
    await callee.receive("ACK")


def is_right(invite: SipMessage, name: str = "Authorization", password: str = "secret") -> bool:
    """Tell whether the digest in an INVITE is that of alice and her password."""
    (found,) = parse_credentials(invite.all(name))
    ha1 = hash_password("alice", found.realm, password, found.algorithm)
    assert (found.username, found.nonce_count) == ("alice", "00000001")
    assert found.uri == invite.start_line.split()[1]
    return compute_response(ha1, found, "INVITE") == found.response


@pytest.mark.parametrize(("status", "asks", "answers"), ASKING)
async def test_a_challenge_is_answered(status: str, asks: str, answers: str) -> None:
    path = "msrp://127.0.0.1:2855/theirs;tcp"
    async with (
        running_endpoint() as endpoint,
        Callee() as callee,
        trio.open_nursery() as nursery,
    ):
        calling = Calling(endpoint, callee.destination, credentials=ALICE)
        nursery.start_soon(calling.run)
        first = await callee.receive("INVITE")
        assert answers not in first
        await ask(callee, status, asks, MD5, SHA_256, 'Digest realm="other", nonce="n3"')
        second = await callee.receive("INVITE")
        assert is_right(second, answers)
        (found,) = parse_credentials(second.all(answers))
        assert (found.algorithm, found.nonce, found.opaque) == ("SHA-256", "n2", "o")
        assert second["Call-ID"] == first["Call-ID"]
        assert second["From"] == first["From"]
        assert second["To"] == first["To"]
        assert (first["CSeq"], second["CSeq"]) == ("1 INVITE", "2 INVITE")
        assert second["Via"] != first["Via"]
        ack = await established(callee, chat_offer(path))
        assert ack["CSeq"] == "2 ACK"
        peer = await connect_to(endpoint, second, path)
        with trio.fail_after(PATIENCE):
            await calling.stands.wait()
        calling.leave.set()
        bye = await callee.receive("BYE")
        assert bye["CSeq"] == "3 BYE"
        await callee.reply("200 OK", to=bye)
        peer.close()
        await assert_nothing_left(endpoint)


async def test_a_challenge_after_the_answer_ends_the_call() -> None:
    async with (
        running_endpoint() as endpoint,
        Callee() as callee,
        trio.open_nursery() as nursery,
    ):
        calling = Calling(endpoint, callee.destination, credentials=ALICE)
        nursery.start_soon(calling.run)
        await callee.receive("INVITE")
        await ask(callee, UNAUTHORIZED, ASKS, MD5)
        assert is_right(await callee.receive("INVITE"))
        await ask(callee, UNAUTHORIZED, ASKS, MD5)
        assert (await calling.ended()).status == 401
        await assert_nothing_left(endpoint)


async def test_a_stale_nonce_is_replaced_once() -> None:
    async with (
        running_endpoint() as endpoint,
        Callee() as callee,
        trio.open_nursery() as nursery,
    ):
        calling = Calling(endpoint, callee.destination, credentials=ALICE)
        nursery.start_soon(calling.run)
        for number in (1, 2, 3):
            invite = await callee.receive("INVITE")
            assert invite["CSeq"] == f"{number} INVITE"
            assert number == 1 or is_right(invite)
            assert len(endpoint.msrp.registry) == 1
            await ask(callee, UNAUTHORIZED, ASKS, f"{MD5}, stale=true")
        assert (await calling.ended()).status == 401
        await assert_nothing_left(endpoint)


@pytest.mark.parametrize(
    "challenges",
    [
        (),
        ("Basic realm=x",),
        ("Digest nonsense",),
        (f"{MD5}, stale=true".replace("MD5", "ROT13"),),
    ],
)
async def test_a_challenge_that_cannot_be_answered_ends_the_call(challenges: tuple[str]) -> None:
    async with (
        running_endpoint() as endpoint,
        Callee() as callee,
        trio.open_nursery() as nursery,
    ):
        calling = Calling(endpoint, callee.destination, credentials=ALICE)
        nursery.start_soon(calling.run)
        await callee.receive("INVITE")
        await ask(callee, UNAUTHORIZED, ASKS, *challenges)
        ended = await calling.ended()
        assert (ended.status, ended.reason) == (401, "Unauthorized")
        await assert_nothing_left(endpoint)


@pytest.mark.parametrize(("status", "asks", "answers"), ASKING)
async def test_without_a_password_a_challenge_ends_the_call(
    status: str, asks: str, answers: str
) -> None:
    async with (
        running_endpoint() as endpoint,
        Callee() as callee,
        trio.open_nursery() as nursery,
    ):
        calling = Calling(endpoint, callee.destination)
        nursery.start_soon(calling.run)
        assert answers not in await callee.receive("INVITE")
        await ask(callee, status, asks, MD5)
        assert (await calling.ended()).status == int(status[:3])
        await assert_nothing_left(endpoint)


async def test_an_answer_that_nobody_answers_is_given_up() -> None:
    async with (
        running_endpoint() as endpoint,
        Callee() as callee,
        trio.open_nursery() as nursery,
    ):
        calling = Calling(endpoint, callee.destination, timeout=0.2, credentials=ALICE)
        nursery.start_soon(calling.run)
        await callee.receive("INVITE")
        await ask(callee, UNAUTHORIZED, ASKS, MD5)
        await callee.receive("INVITE")
        await callee.reply("180 Ringing")
        cancel = await callee.receive("CANCEL")
        assert cancel["CSeq"] == "2 CANCEL"
        await callee.reply("200 OK", to=cancel)
        await callee.reply("487 Request Terminated")
        await callee.receive("ACK")
        assert (await calling.ended()).status == 408
        await assert_nothing_left(endpoint)


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(ALICE)
