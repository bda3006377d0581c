"""The ways of our requests: over which flow, to which place, and what becomes of one without."""

import secrets
import socket

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from sylk.application import Application, NoSettings
from sylk.errors import SessionEnded
from sylk.session import Invitation, SubscriptionRequest
from sylk.session.dial import Dialled
from sylk.session.endpoint import Endpoint
from sylk.session.request_client import PlainRequest
from sylk.session.sending import MAX_DATAGRAM, TCP_PATIENCE
from sylk.sip.message import make_request
from tests.end_to_end.wire_sip import SipMessage
from tests.peers import (
    DOMAIN,
    HOST,
    PATIENCE,
    Callee,
    Caller,
    Scripted,
    assert_nothing_left,
    chat_offer,
    running_endpoint,
    running_server,
    sip_port,
    take_message,
)
from tests.session.test_dial import connect_to
from tests.session.wire_servers import ALICE, WireServer, response_to


async def leave(invitation: Invitation) -> None:
    async with invitation.accept():
        await trio.lowlevel.checkpoint()


class TcpPhone:
    """A TCP port that takes the requests to a Contact."""

    def __init__(self) -> None:
        self._socket = trio.socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.port = 0

    async def open(self) -> None:
        await self._socket.bind((HOST, 0))
        self._socket.listen()
        self.port = self._socket.getsockname()[1]

    async def take_bye(self) -> None:
        """Wait for a connection with a BYE, and answer it."""
        with trio.fail_after(PATIENCE):
            connection, _ = await self._socket.accept()
            with connection:
                data = b""
                while (taken := take_message(data)) is None:
                    data += await connection.recv(65536)
                assert taken[0].method == "BYE"
                await connection.send(taken[0].answer("200 OK"))
                assert await connection.recv(1) == b""

    def close(self) -> None:
        self._socket.close()


def with_contact(invite: bytes, contact: str) -> bytes:
    head, _, rest = invite.partition(b"Contact: ")
    return head + f"Contact: {contact}\r\n".encode() + rest.partition(b"\r\n")[2]


@pytest.mark.parametrize("host", [HOST, "localhost"])
async def test_a_bye_finds_a_peer_whose_connection_is_gone(host: str) -> None:
    """The INVITE came over TCP; that connection is closed, but the Contact can be reached."""
    stands, may_leave = trio.Event(), trio.Event()

    async def wait(invitation: Invitation) -> None:
        async with invitation.accept():
            stands.set()
            await may_leave.wait()

    phone = TcpPhone()
    await phone.open()
    async with (
        running_server(application=Scripted(wait)) as server,
        Caller(server, transport="tcp") as caller,
    ):
        invite = caller.request("INVITE", body=chat_offer(caller.path))
        await caller.sip.send(with_contact(invite, f"<sip:a@{host}:{phone.port};transport=tcp>"))
        assert (await caller.await_answer()).status == 200
        await caller.acknowledge()
        await caller.connect()
        with trio.fail_after(PATIENCE):
            await stands.wait()
        caller.sip.close()
        await trio.testing.wait_all_tasks_blocked()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(phone.take_bye)
            may_leave.set()
            await assert_nothing_left(server)
            server.endpoint.transports.close()
    phone.close()


@pytest.mark.parametrize(
    "contact",
    [
        "<sip:a@no-such-host.invalid>",
        "<sip:a@127.0.0.1:1;transport=tcp>",
        "<sip:a@127.0.0.1;transport=sctp>",
        "<sips:a@127.0.0.1>",
    ],
)
async def test_a_peer_that_cannot_be_reached_is_forgotten(contact: str) -> None:
    async with (
        running_server(application=Scripted(leave)) as server,
        Caller(server) as caller,
    ):
        invite = caller.request("INVITE", body=chat_offer(caller.path))
        await caller.sip.send(with_contact(invite, contact))
        assert (await caller.await_answer()).status in (200, 400)
        if caller.remote_path:
            await caller.acknowledge()
            await caller.connect()
        await assert_nothing_left(server)


async def test_a_udp_peer_that_is_gone_is_forgotten(jumping_clock: MockClock) -> None:
    async with running_server(application=Scripted(leave)) as server:
        async with Caller(server) as caller:
            await caller.join()
            await caller.sip.request("BYE")
            caller.sip.close()
            with trio.fail_after(64):
                await server.endpoint.wait_calls_over()
        await assert_nothing_left(server)
        assert jumping_clock.current_time() < 40


async def test_the_way_back_through_a_nat_is_the_way_it_came() -> None:
    """Via and Contact name an address that nobody can reach; the packet tells the true one."""
    async with (
        running_server(application=Scripted(leave)) as server,
        Caller(server) as caller,
    ):
        invite = caller.request("INVITE", body=chat_offer(caller.path))
        private = invite.replace(f"{HOST}:{caller.sip.port}".encode(), b"192.0.2.1:5060")
        await caller.sip.send(private)
        assert (await caller.await_answer()).status == 200
        await caller.acknowledge()
        await caller.connect()
        await caller.await_bye()
        await assert_nothing_left(server)


async def test_an_invite_that_is_refused_by_nobody_reachable() -> None:
    """Our INVITE finds a port where nobody listens: the system says so, and the call fails."""
    async with Callee() as callee:
        target = callee.destination
    async with running_endpoint() as endpoint:
        with pytest.raises(SessionEnded) as caught:
            async with Dialled(endpoint, target, invite_timeout=0.2):
                raise AssertionError("nobody is there")
        assert caught.value.status in (408, 503)


async def test_a_peer_that_is_left_without_any_way_is_forgotten() -> None:
    """Its connection is gone, and its Contact asks for UDP, which is switched off here."""
    may_leave = trio.Event()

    async def wait(invitation: Invitation) -> None:
        async with invitation.accept():
            await may_leave.wait()

    settings = {"SIP": {"local_udp_port": "none"}}
    async with (
        running_server(settings, application=Scripted(wait)) as server,
        Caller(server, transport="tcp") as caller,
    ):
        invite = caller.request("INVITE", body=chat_offer(caller.path))
        await caller.sip.send(with_contact(invite, f"<sip:a@{HOST}:9>"))
        assert (await caller.await_answer()).status == 200
        await caller.acknowledge()
        await caller.connect()
        caller.sip.close()
        await trio.testing.wait_all_tasks_blocked()
        may_leave.set()
        await assert_nothing_left(server)


# The size of a request: RFC 3261 section 18.1.1


async def send_options(endpoint: Endpoint, server: WireServer, size: int) -> SipMessage:
    """Send an OPTIONS of `size` bytes to a UDP address, and return it as it came."""
    target = server.destination("udp")
    probe = make_request("OPTIONS", target.uri, ALICE, ALICE, "x" * 33, 1)
    flow = await endpoint.sender.open_flow(target.uri, ("udp",))
    room = size - endpoint.sender.size_of(probe, flow) - len("Subject: \r\n")
    probe.headers.add("Subject", "x" * room)
    assert endpoint.sender.size_of(probe, flow) == size
    request = PlainRequest(endpoint, probe, flow)
    endpoint.adopt(request)
    came = await server.request("OPTIONS")
    await server.answer(came, "200 OK")
    with trio.fail_after(PATIENCE):
        await request.done.wait()
    return came


async def test_a_request_of_1300_bytes_goes_over_udp_and_a_larger_one_over_tcp() -> None:
    async with running_endpoint() as endpoint, WireServer("udp", "tcp") as server:
        small = await send_options(endpoint, server, MAX_DATAGRAM)
        assert len(small.raw) == MAX_DATAGRAM
        assert small["Via"].startswith("SIP/2.0/UDP ")
        large = await send_options(endpoint, server, MAX_DATAGRAM + 1)
        assert len(large.raw) == MAX_DATAGRAM + 1
        port = sip_port(endpoint, "tcp")
        assert large["Via"].startswith(f"SIP/2.0/TCP {HOST}:{port};")
        assert server.over == ["udp", "tcp"]
        # The connection stands now, and the next large one leaves at once.
        await send_options(endpoint, server, MAX_DATAGRAM + 1)
        assert endpoint.transports.connection_count == 1
        await assert_nothing_left(endpoint)


async def test_where_tcp_is_refused_a_large_request_goes_over_udp() -> None:
    async with running_endpoint() as endpoint, WireServer("udp") as server:
        large = await send_options(endpoint, server, 2000)
        assert large["Via"].startswith("SIP/2.0/UDP ")
        assert server.over == ["udp"]
        await assert_nothing_left(endpoint)


async def test_where_nobody_answers_over_tcp_a_large_request_goes_over_udp(
    jumping_clock: MockClock,
) -> None:
    """A port whose queue of connections is full answers no further one."""
    async with running_endpoint() as endpoint, WireServer("udp") as server:
        with trio.socket.socket(socket.AF_INET, socket.SOCK_STREAM) as deaf:
            await deaf.bind((HOST, server.port))
            deaf.listen(0)
            with socket.create_connection((HOST, server.port)):
                large = await send_options(endpoint, server, 2000)
                assert large["Via"].startswith("SIP/2.0/UDP ")
                waited = jumping_clock.current_time()
                assert waited >= TCP_PATIENCE
                # It is remembered: the next one does not wait.
                await send_options(endpoint, server, 2000)
                assert jumping_clock.current_time() - waited < TCP_PATIENCE
        await assert_nothing_left(endpoint)


async def test_a_large_invite_goes_over_tcp_and_so_does_its_bye() -> None:
    async with (
        running_endpoint() as endpoint,
        WireServer("udp", "tcp") as server,
        trio.open_nursery() as nursery,
    ):
        left = trio.Event()

        async def call() -> None:
            subject = [("Subject", "x" * 1300)]
            async with Dialled(endpoint, server.destination("udp"), headers=subject):
                pass
            left.set()

        nursery.start_soon(call)
        invite = await server.request("INVITE")
        contact = f"Contact: <sip:bob@{HOST}:{server.port}>"
        path = "msrp://127.0.0.1:2855/theirs;tcp"
        answer = response_to(
            invite, "200 OK", contact, "Content-Type: application/sdp", body=chat_offer(path)
        )
        await server.send(answer, invite)
        await server.request("ACK")
        peer = await connect_to(endpoint, invite, path)
        await server.answer(await server.request("BYE"), "200 OK")
        with trio.fail_after(PATIENCE):
            await left.wait()
        assert set(server.over) == {"tcp"}
        assert "transport=tcp" not in invite["Contact"], "UDP is spoken there as well"
        peer.close()
        await assert_nothing_left(endpoint)


class Large(Application):
    """Tells subscribers a state that no datagram should hold, then a small one."""

    name = "large"
    event_packages = ("conference",)

    def __init__(self) -> None:
        super().__init__(NoSettings())

    async def handle_subscription(self, subscription: SubscriptionRequest) -> None:
        held = await subscription.accept(b"x" * 2000, "text/plain")
        held.end("noresource", b"small")


@pytest.mark.parametrize("takes_tcp", [True, False])
async def test_a_large_notify_goes_over_tcp_where_that_is_taken(takes_tcp: bool) -> None:
    transports = ("udp", "tcp") if takes_tcp else ("udp",)
    async with running_server(application=Large()) as server, WireServer(*transports) as phone:
        with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            await sock.bind((HOST, 0))
            via = f"{HOST}:{sock.getsockname()[1]}"
            contact = f"Contact: <sip:a@{HOST}:{phone.port}>"
            subscribe = subscription(via, contact)
            await sock.sendto(subscribe, (HOST, sip_port(server.endpoint, "udp")))
            taken = take_message(await sock.recv(65536))
            assert taken is not None
            assert taken[0].status == 200
        for size in (2000, 5):
            notify = await phone.request("NOTIFY")
            await phone.answer(notify, "200 OK")
            assert len(notify.body) == size
        assert phone.over[0] == ("tcp" if takes_tcp else "udp")
        await assert_nothing_left(server)


def subscription(via: str, contact: str, transport: str = "UDP") -> bytes:
    lines = [
        f"SUBSCRIBE sip:room@{DOMAIN} SIP/2.0",
        f"Via: SIP/2.0/{transport} {via};branch=z9hG4bK{secrets.token_hex(8)};rport",
        "Max-Forwards: 70",
        f"From: <sip:a@{DOMAIN}>;tag=1",
        f"To: <sip:room@{DOMAIN}>",
        f"Call-ID: {secrets.token_hex(8)}",
        "CSeq: 1 SUBSCRIBE",
        "Event: conference",
        "Expires: 600",
        contact,
        "Content-Length: 0",
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


async def test_what_is_too_large_stays_on_the_flow_through_a_nat() -> None:
    """Via and Contact name an address that is known behind the NAT alone."""
    async with running_server(application=Large()) as server, WireServer("udp", "tcp") as phone:
        subscribe = subscription("10.0.0.1:5060", "Contact: <sip:a@10.0.0.1>")
        await phone.send_to(sip_port(server.endpoint, "udp"), subscribe)
        for size in (2000, 5):
            notify = await phone.request("NOTIFY")
            assert len(notify.body) == size
            await phone.answer(notify, "200 OK")
        assert phone.over == ["udp", "udp"]
        await assert_nothing_left(server)


async def test_requests_of_a_dialog_stay_in_order_behind_one_that_waits() -> None:
    """The BYE has nothing to look up and may not get past the ACK, which has."""
    async with running_endpoint() as endpoint, WireServer("tcp") as server:
        order: list[str] = []
        async with trio.open_nursery() as nursery:

            async def call() -> None:
                async with Dialled(endpoint, server.destination("tcp")):
                    raise AssertionError("there is no chat in the answer")

            async def run() -> None:
                with pytest.raises(SessionEnded):
                    await call()

            nursery.start_soon(run)
            invite = await server.request("INVITE")
            contact = f"Contact: <sip:bob@localhost:{server.port};transport=tcp>"
            route = f"Record-Route: <sip:localhost:{server.port};transport=tcp;lr>"
            await server.send(response_to(invite, "200 OK", contact, route), invite)
            order.append((await server.any_request()).method)
            last = await server.any_request()
            order.append(last.method)
            await server.answer(last, "200 OK")
        assert order == ["ACK", "BYE"]
        await assert_nothing_left(endpoint)
