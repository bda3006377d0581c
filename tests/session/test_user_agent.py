"""What an application sends of its own accord, to servers that are not ours."""

from pathlib import Path

import pytest
import trio

from sylk.errors import SessionEnded
from sylk.payload.cpim import Address
from sylk.session import Credentials, UserAgent
from sylk.session.endpoint import Endpoint
from sylk.sip.uri import SipURI
from tests.end_to_end.wire_sip import SipMessage
from tests.peers import (
    DOMAIN,
    HOST,
    PATIENCE,
    assert_nothing_left,
    attribute,
    chat_offer,
    running_endpoint,
)
from tests.session.test_dial import connect_to
from tests.session.wire_servers import WireServer, endpoint_in, response_to

ROOM = Address(f"sip:lobby@{DOMAIN}", "The Lobby")
PATH = "msrp://127.0.0.1:2855/theirs;tcp"


def target(server: WireServer, transport: str = "udp") -> str:
    return f"sip:bob@{HOST}:{server.port};transport={transport}"


class Sent:
    """A message that is sent in the background."""

    def __init__(self, nursery: trio.Nursery, endpoint: Endpoint, to: str, content: bytes) -> None:
        self._agent = UserAgent(endpoint)
        self.outcome: int | SessionEnded | None = None
        self._done = trio.Event()
        nursery.start_soon(self._run, to, content)

    async def _run(self, to: str, content: bytes) -> None:
        try:
            self.outcome = await self._agent.send_message(
                to,
                local=ROOM,
                content=content,
                content_type="text/plain",
                headers=[("Subject", "greetings")],
                credentials=Credentials("lobby", "secret"),
            )
        except SessionEnded as ended:
            self.outcome = ended
        self._done.set()

    async def status(self) -> int | None:
        with trio.fail_after(PATIENCE):
            await self._done.wait()
        return self.outcome.status if isinstance(self.outcome, SessionEnded) else self.outcome


@pytest.mark.parametrize("status", ["200 OK", "202 Accepted"])
async def test_a_message_is_sent(status: str) -> None:
    async with (
        running_endpoint() as endpoint,
        WireServer() as server,
        trio.open_nursery() as nursery,
    ):
        sent = Sent(nursery, endpoint, target(server), b"hello")
        message = await server.request("MESSAGE")
        assert message["From"].startswith(f'"The Lobby" <sip:lobby@{DOMAIN}>;tag=')
        assert message["To"] == f"<sip:bob@{HOST}>"
        assert (message["Content-Type"], message["Subject"]) == ("text/plain", "greetings")
        assert message.body == b"hello"
        assert "Contact" not in message, "RFC 3428 section 4 forbids it"
        await server.answer(message, status)
        assert await sent.status() == int(status[:3])
        assert isinstance(sent.outcome, int)
        await assert_nothing_left(endpoint)


async def test_a_message_that_is_refused_ends_with_its_status() -> None:
    async with (
        running_endpoint() as endpoint,
        WireServer() as server,
        trio.open_nursery() as nursery,
    ):
        sent = Sent(nursery, endpoint, target(server), b"hello")
        await server.answer(await server.request("MESSAGE"), "415 No")
        assert await sent.status() == 415
        assert isinstance(sent.outcome, SessionEnded)
        assert sent.outcome.reason == "No"


async def test_a_message_is_sent_again_with_the_password() -> None:
    async with (
        running_endpoint() as endpoint,
        WireServer() as server,
        trio.open_nursery() as nursery,
    ):
        sent = Sent(nursery, endpoint, target(server), b"hello")
        challenge = 'WWW-Authenticate: Digest realm="r", nonce="n"'
        await server.answer(await server.request("MESSAGE"), "401 Who", challenge)
        again = await server.request("MESSAGE")
        assert 'username="lobby"' in again["Authorization"]
        await server.answer(again, "200 OK")
        assert await sent.status() == 200


async def test_a_large_message_does_not_go_over_udp() -> None:
    async with (
        running_endpoint() as endpoint,
        WireServer("udp") as server,
        trio.open_nursery() as nursery,
    ):
        sent = Sent(nursery, endpoint, target(server), b"x" * 1300)
        assert await sent.status() == 513
        assert not server.came
        await assert_nothing_left(endpoint)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_large_message_goes_over_tcp(transport: str) -> None:
    async with (
        running_endpoint() as endpoint,
        WireServer("udp", "tcp") as server,
        trio.open_nursery() as nursery,
    ):
        sent = Sent(nursery, endpoint, target(server, transport), b"x" * 1300)
        message = await server.request("MESSAGE")
        assert (server.over, len(message.body)) == (["tcp"], 1300)
        assert "SIP/2.0/TCP" in message["Via"]
        await server.answer(message, "200 OK")
        assert await sent.status() == 200


@pytest.mark.parametrize("uri", ["tel:+31201234567", "mailto:bob@example.com", "nonsense", "sip:"])
async def test_there_is_no_way_to_another_scheme(uri: str) -> None:
    async with running_endpoint() as endpoint:
        agent = UserAgent(endpoint)
        with pytest.raises(SessionEnded) as caught:
            await agent.send_message(uri, local=ROOM, content=b"x")
        assert caught.value.status == 416


async def test_requests_go_through_the_outbound_proxy(tmp_path: Path) -> None:
    """The Route is pre-loaded and loose; the request names whom it is for (RFC 3261 8.1.2)."""
    async with WireServer() as proxy:
        uri = SipURI.parse(f"sip:{HOST}:{proxy.port}")
        async with (
            endpoint_in({}, tmp_path, outbound_proxy=uri) as endpoint,
            trio.open_nursery() as nursery,
        ):
            sent = Sent(nursery, endpoint, "sip:bob@nowhere.invalid", b"hello")
            message = await proxy.request("MESSAGE")
            assert message.start_line == "MESSAGE sip:bob@nowhere.invalid SIP/2.0"
            assert message["Route"] == f"<{uri};lr>"
            await proxy.answer(message, "200 OK")
            assert await sent.status() == 200


async def test_a_call_is_that_of_a_conference() -> None:
    async with running_endpoint() as endpoint, WireServer() as server:
        agent = UserAgent(endpoint)
        left = trio.Event()

        async def call() -> None:
            referrer = [("Referred-By", f"<sip:carol@{DOMAIN}>"), ("Subject", "come in")]
            async with agent.call(
                target(server),
                local=ROOM,
                headers=referrer,
                focus=True,
                chatroom=("nickname", "private-messages"),
            ) as chat:
                assert (chat.local, chat.remote.uri) == (ROOM, f"sip:bob@{HOST}")
            left.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            invite = await server.request("INVITE")
            assert invite["Referred-By"] == f"<sip:carol@{DOMAIN}>"
            assert invite["Subject"] == "come in"
            assert invite["Contact"].startswith(f"<sip:lobby@{HOST}:")
            assert invite["Contact"].endswith(">;isfocus")
            assert attribute(invite.body, "chatroom") == ["nickname private-messages"]
            assert attribute(invite.body, "accept-types") == ["message/cpim"]
            headers = (
                f"Contact: <sip:bob@{HOST}:{server.port}>",
                "Content-Type: application/sdp",
            )
            answer = response_to(invite, "200 OK", *headers, body=chat_offer(PATH))
            await server.send(answer, invite)
            await server.request("ACK")
            peer = await connect_to(endpoint, invite, PATH)
            bye: SipMessage = await server.request("BYE")
            await server.answer(bye, "200 OK")
            with trio.fail_after(PATIENCE):
                await left.wait()
            peer.close()
        await assert_nothing_left(endpoint)


async def test_an_alarm_rings_once_and_the_newest_of_a_key_counts() -> None:
    rung: list[str] = []
    done = trio.Event()

    def ring(_now: float) -> None:
        rung.append("second")
        done.set()

    async with running_endpoint() as endpoint:
        agent = UserAgent(endpoint)
        now = trio.current_time()
        agent.set_alarm("never", now, lambda _now: rung.append("never"))
        agent.set_alarm("never", None, lambda _now: None)
        agent.set_alarm("key", now, lambda _now: rung.append("first"))
        agent.set_alarm("key", now + 0.01, ring)
        with trio.fail_after(PATIENCE):
            await done.wait()
        assert rung == ["second"]
