"""A client behind a NAT is reached by the way that it opened (RFC 5626 section 3.3, RFC 5923).

Via and Contact of these clients name an address of their own network, where nothing of ours leads.
"""

import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from sylk.application import Application, NoSettings
from sylk.server import Server
from sylk.session import Invitation, PageMessage, SubscriptionRequest
from tests.end_to_end.wire_sip import SipMessage, render_request
from tests.peers import (
    DOMAIN,
    HOST,
    PATIENCE,
    Caller,
    SipPeer,
    assert_nothing_left,
    chat_offer,
    running_server,
    sip_port,
)
from tests.session.tls_peers import TlsCaller, TlsSipPeer

TRANSPORTS = pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
PRIVATE = "10.1.2.3:5060"


class Talkative(Application):
    """Tells everybody something: subscribers, callers, and who writes to it."""

    name = "talkative"
    event_packages = ("conference",)

    def __init__(self) -> None:
        super().__init__(NoSettings())
        self.sent = trio.Event()

    async def handle_invitation(self, invitation: Invitation) -> None:
        async with invitation.accept():
            await trio.lowlevel.checkpoint()

    async def handle_subscription(self, subscription: SubscriptionRequest) -> None:
        held = await subscription.accept(b"one", "text/plain")
        held.end("noresource", b"two")

    async def handle_message(self, message: PageMessage) -> None:
        await message.accept()
        assert self.user_agent is not None
        status = await self.user_agent.send_message(
            message.sender,
            local=message.recipient,
            content=b"you said: " + message.content,
            content_type="text/plain",
            answers=message,
        )
        assert status == 200
        self.sent.set()


@asynccontextmanager
async def talking(folder: Path) -> AsyncGenerator[tuple[Server, Talkative]]:
    settings: Mapping[str, Mapping[str, object]] = {
        "Server": {"spool_dir": folder},
        "SIP": {"local_tls_port": 0},
        "MSRP": {"local_tls_port": 0},
    }
    application = Talkative()
    async with running_server(settings, application=application) as server:
        yield server, application


def peer_of(server: Server, transport: str) -> SipPeer:
    port = sip_port(server.endpoint, transport)
    return TlsSipPeer(port) if transport == "tls" else SipPeer(port, transport)


@asynccontextmanager
async def hidden_peer(server: Server, transport: str) -> AsyncGenerator[SipPeer]:
    peer = peer_of(server, transport)
    await peer.open()
    yield peer
    peer.close()


def request(method: str, transport: str, *headers: str, body: bytes = b"") -> bytes:
    branch = f"z9hG4bK{secrets.token_hex(8)}"
    lines = [
        f"Via: SIP/2.0/{transport.upper()} {PRIVATE};branch={branch};rport",
        "Max-Forwards: 70",
        f"From: <sip:alice@{DOMAIN}>;tag=1",
        f"To: <sip:room@{DOMAIN}>",
        f"Call-ID: {secrets.token_hex(8)}",
        f"CSeq: 1 {method}",
        *headers,
    ]
    return render_request(f"{method} sip:room@{DOMAIN} SIP/2.0", lines, body, "text/plain")


async def take(peer: SipPeer, method: str) -> SipMessage:
    came = await peer.request(method)
    await peer.send(came.answer("200 OK"))
    return came


@TRANSPORTS
async def test_a_notify_goes_back(transport: str, tmp_path: Path) -> None:
    async with (
        talking(tmp_path) as (server, _),
        hidden_peer(server, transport) as peer,
    ):
        contact = f"Contact: <sip:alice@{PRIVATE};transport={transport}>"
        fields = (contact, "Event: conference", "Expires: 600")
        await peer.send(request("SUBSCRIBE", transport, *fields))
        assert (await peer.response("SUBSCRIBE")).status == 200
        for body in (b"one", b"two"):
            notify = await take(peer, "NOTIFY")
            assert notify.body == body
            assert notify.start_line.startswith(f"NOTIFY sip:alice@{PRIVATE};transport=")
            assert f"SIP/2.0/{transport.upper()} {HOST}:" in notify["Via"]
        await assert_nothing_left(server)


@TRANSPORTS
async def test_a_bye_goes_back(transport: str, tmp_path: Path) -> None:
    async with talking(tmp_path) as (server, _):
        if transport == "tls":
            caller = TlsCaller(server, "sip")
            offer = caller.offer()
        else:
            caller = Caller(server, transport=transport)
            offer = chat_offer(caller.path)
        async with caller:
            invite = caller.request("INVITE", body=offer)
            shown = f"{HOST}:{caller.sip.port}".encode()
            await caller.sip.send(invite.replace(shown, PRIVATE.encode()))
            assert (await caller.await_answer()).status == 200
            await caller.acknowledge()
            await caller.connect()
            bye = await caller.await_bye()
            assert bye.start_line.startswith(f"BYE sip:alice@{PRIVATE}")
            await assert_nothing_left(server)


@TRANSPORTS
async def test_a_message_is_answered_by_a_message(transport: str, tmp_path: Path) -> None:
    async with (
        talking(tmp_path) as (server, application),
        hidden_peer(server, transport) as peer,
    ):
        await peer.send(request("MESSAGE", transport, body=b"hello"))
        assert (await peer.response("MESSAGE")).status == 200
        message = await take(peer, "MESSAGE")
        assert message.start_line == f"MESSAGE sip:alice@{DOMAIN} SIP/2.0"
        assert message["From"].startswith(f"<sip:room@{DOMAIN}>;tag=")
        assert message["To"] == f"<sip:alice@{DOMAIN}>"
        assert message.body == b"you said: hello"
        with trio.fail_after(PATIENCE):
            await application.sent.wait()
        await assert_nothing_left(server)
