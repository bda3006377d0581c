"""The gate of a running server: what applications are told, what is kept, and of whom."""

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from sylk.application import Application, NoSettings
from sylk.net.certificate import CertificateFiles, ensure_certificate
from sylk.payload.cpim import Address
from sylk.server import Server
from sylk.session import Invitation, PageMessage, ReferralRequest, SubscriptionRequest
from tests.end_to_end.wire_sip import SipMessage
from tests.peers import (
    DOMAIN,
    HOST,
    PATIENCE,
    Caller,
    assert_nothing_left,
    running_server,
    take_message,
)

BEGINNING = ["INVITE", "SUBSCRIBE", "REFER", "MESSAGE"]
FIELDS = ["Event: conference", "Refer-To: <sip:bob@example.com>"]
ASSERTED = f'P-Asserted-Identity: "Cara" <sip:cara@{DOMAIN}>, <tel:+15550100>'
PREFERRED = f"P-Preferred-Identity: <sip:root@{DOMAIN}>"
CARA = Address(f"sip:cara@{DOMAIN}", "Cara")
ALICE = Address(f"sip:alice@{DOMAIN}")


class Book(Application):
    """Writes down who came with what, and takes subscriptions and referrals."""

    name = "book"
    event_packages = ("conference",)

    def __init__(self) -> None:
        super().__init__(NoSettings())
        self.senders: list[Address] = []

    async def handle_invitation(self, invitation: Invitation) -> None:
        self.senders.append(invitation.sender)
        async with invitation.accept() as chat:
            async for _ in chat:
                pass

    async def handle_message(self, message: PageMessage) -> None:
        self.senders.append(message.sender)
        await message.accept()

    async def handle_subscription(self, subscription: SubscriptionRequest) -> None:
        self.senders.append(subscription.sender)
        told = await subscription.accept(b"state", "text/plain")
        self.senders.append(told.subscriber)

    async def handle_referral(self, referral: ReferralRequest) -> None:
        self.senders.append(referral.sender)
        told = await referral.accept()
        self.senders.append(told.referrer)


# In whose name


@pytest.mark.parametrize("method", BEGINNING)
@pytest.mark.parametrize(("trusted", "who"), [(HOST, CARA), ("any", ALICE), ("127.0.0.0/8", CARA)])
async def test_applications_see_whom_a_trusted_proxy_names(
    method: str, trusted: str, who: Address
) -> None:
    book = Book()
    settings = {"SIP": {"trusted_peers": trusted}}
    async with running_server(settings, application=book) as server, Caller(server) as caller:
        answer = await caller.ask(method, *FIELDS, ASSERTED, PREFERRED)
        assert answer.status in (200, 202)
    assert book.senders
    assert all(sender == who for sender in book.senders)


async def test_a_room_knows_a_caller_by_the_name_of_his_proxy() -> None:
    """What he writes in his messages is what his client knows; what others see is ours."""
    settings = {"SIP": {"trusted_peers": HOST}}
    async with (
        running_server(settings) as server,
        Caller(server, "alice", headers=[ASSERTED]) as alice,
        Caller(server, "dave", headers=[f"{ASSERTED}", "Privacy: id"]) as dave,
        Caller(server, "bob") as bob,
    ):
        for caller in (bob, alice, dave):
            await caller.join()
        await alice.say("hello")
        assert (await bob.hear()).sender == f"Cara <sip:cara@{DOMAIN}>"
        await dave.say("psst")
        shown = (await bob.hear()).sender
        assert shown.startswith("Anonymous <sip:anonymous-")
        assert shown.endswith("@anonymous.invalid>")


async def test_a_malformed_assertion_is_refused_without_state() -> None:
    settings = {"SIP": {"trusted_peers": HOST}}
    async with running_server(settings) as server, Caller(server) as caller:
        assert (await caller.ask("INVITE", "P-Asserted-Identity: <sip:")).status == 400
        assert server.endpoint.core.next_deadline() is None


# What is kept


@pytest.mark.parametrize("method", BEGINNING)
async def test_nothing_is_kept_of_those_who_are_refused(method: str, tmp_path: Path) -> None:
    settings = {
        "Server": {"spool_dir": tmp_path},
        "SIP": {"authenticate": "yes", "realm": DOMAIN},
    }
    async with running_server(settings) as server, Caller(server) as caller:
        await caller.sip.send(caller.request(method, *FIELDS))
        # The first answer is the 401: a 100 would have been the first of a transaction.
        assert (await caller.sip.receive()).status == 401
        assert server.endpoint.core.next_deadline() is None
        await assert_nothing_left(server)


@pytest.mark.parametrize("key", ["max_subscriptions", "max_subscriptions_per_source"])
async def test_nobody_has_all_the_subscriptions(key: str) -> None:
    settings = {"SIP": {key: 2, "unlimited_peers": "none"}}
    async with (
        running_server(settings, application=Book()) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "cara") as cara,
    ):
        assert (await alice.ask("SUBSCRIBE", *FIELDS)).status == 200
        assert (await bob.ask("REFER", *FIELDS)).status == 202
        for method in ("SUBSCRIBE", "REFER"):
            refusal = await cara.ask(method, *FIELDS)
            assert (refusal.status, refusal["Retry-After"]) == (503, "60")
        # Who takes no NOTIFY has none any more.
        notify = await alice.sip.request("NOTIFY")
        await alice.sip.send(notify.answer("481 No"))
        with trio.fail_after(PATIENCE):
            while (await cara.ask("SUBSCRIBE", *FIELDS)).status != 200:
                await trio.lowlevel.checkpoint()


# Floods


@pytest.fixture
def jumping_clock() -> MockClock:
    return MockClock(autojump_threshold=0.05)


async def test_after_a_flood_that_ends_in_resets_nothing_is_left(jumping_clock: MockClock) -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob", transport="tcp") as bob,
    ):
        await alice.join()
        await bob.join()
        before = server.endpoint.transports.connection_count
        for number in range(30):
            async with Caller(server, "mallory", transport="tcp") as mallory:
                # None of them reads; half of them break off within a message.
                flood = b"".join(mallory_invites(mallory, 5))
                await mallory.sip.send(flood[: len(flood) - 100 * (number % 2)])
                if number % 3 == 0:
                    assert (await mallory.sip.receive()).status
                mallory.sip.reset()
        await alice.say("still here")
        assert (await bob.hear()).text == "still here"
        # A 200 that nobody acknowledges is given up after 32 seconds, and its BYE at once.
        await trio.sleep(40)
        assert server.endpoint.call_count == 2
        assert server.endpoint.transports.connection_count == before
        for caller in (alice, bob):
            assert (await caller.bye()).status == 200
        await assert_nothing_left(server)
        await trio.sleep(64)
        assert server.endpoint.core.next_deadline() is None
        assert server.endpoint.is_idle


def mallory_invites(caller: Caller, count: int) -> list[bytes]:
    invites: list[bytes] = []
    for number in range(count):
        invite = caller.request("INVITE")
        old = f"Call-ID: {caller.call_id}".encode()
        invites.append(invite.replace(old, b"Call-ID: %d-%b" % (number, caller.call_id.encode())))
    return invites


# Certificates


Sections = dict[str, dict[str, object]]


def certificate(folder: Path, name: str) -> CertificateFiles:
    return ensure_certificate(folder / name, [name], [HOST], datetime.now(UTC))


def asking_for_certificates(folder: Path, mode: str, known: Path) -> Sections:
    return {
        "Server": {"spool_dir": folder / "spool"},
        "SIP": {
            "local_tls_port": 0,
            "trusted_peers": "none",
            "trusted_domains": "proxy.example.com",
        },
        "TLS": {"client_certificates": mode, "ca_file": known},
    }


@asynccontextmanager
async def secured(
    server: Server, files: CertificateFiles | None
) -> AsyncGenerator[trio.SSLStream[trio.SocketStream]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if files is not None:
        context.load_cert_chain(files.certificate, files.private_key)
    address = dict(server.endpoint.transports.listening)["tls"]
    below = await trio.open_tcp_stream(*address)
    stream = trio.SSLStream(below, context, https_compatible=True)
    async with stream:
        yield stream


async def message_over(stream: trio.SSLStream[trio.SocketStream]) -> SipMessage | None:
    """Send a MESSAGE in the name of Cara; return its answer, None when the connection is closed."""
    lines = [
        f"MESSAGE sip:lobby@{DOMAIN} SIP/2.0",
        f"Via: SIP/2.0/TLS {HOST};branch=z9hG4bK{id(stream)};rport",
        "Max-Forwards: 70",
        f"From: <sip:alice@{DOMAIN}>;tag=1",
        f"To: <sip:lobby@{DOMAIN}>",
        f"Call-ID: {id(stream)}",
        "CSeq: 1 MESSAGE",
        ASSERTED,
        "Content-Length: 0",
        "",
        "",
    ]
    data = b""
    try:
        with trio.fail_after(PATIENCE):
            await stream.send_all("\r\n".join(lines).encode())
            while (taken := take_message(data)) is None:
                received = bytes(await stream.receive_some())
                if not received:
                    return None
                data += received
    except trio.BrokenResourceError:
        return None
    return taken[0]


async def test_a_domain_proves_itself_by_its_certificate(tmp_path: Path) -> None:
    proxy = certificate(tmp_path, "proxy.example.com")
    other = certificate(tmp_path, "other.example.com")
    known = tmp_path / "known.pem"
    known.write_bytes(proxy.certificate.read_bytes())
    book = Book()
    settings = asking_for_certificates(tmp_path, "optional", known)
    async with running_server(settings, application=book) as server:

        async def status_for(files: CertificateFiles | None) -> int | None:
            async with secured(server, files) as stream:
                answer = await message_over(stream)
                return None if answer is None else answer.status

        assert await status_for(None) == 403
        assert await status_for(other) is None
        async with secured(server, proxy) as old:
            assert await status_for(proxy) == 200
            assert book.senders == [CARA]
            # SIGHUP: now the other one is known too, but it is none of trusted_domains.
            known.write_bytes(proxy.certificate.read_bytes() + other.certificate.read_bytes())
            server.reload_certificate()
            assert await status_for(other) == 403
            assert await status_for(proxy) == 200
            answer = await message_over(old)
            assert answer is not None
            assert answer.status == 200


async def test_where_a_certificate_is_required_nobody_comes_in_without(tmp_path: Path) -> None:
    proxy = certificate(tmp_path, "proxy.example.com")
    settings = asking_for_certificates(tmp_path, "required", proxy.certificate)
    async with running_server(settings, application=Book()) as server:
        async with secured(server, None) as stream:
            assert await message_over(stream) is None
        async with secured(server, proxy) as stream:
            answer = await message_over(stream)
            assert answer is not None
            assert answer.status == 200


async def test_a_realm_without_users_is_said_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings: Sections = {
        "Server": {"spool_dir": tmp_path},
        "SIP": {"authenticate": "yes", "realm": DOMAIN},
    }
    async with running_server(settings):
        pass
    warnings = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert any(f"no user of the realm {DOMAIN}" in warning for warning in warnings)
