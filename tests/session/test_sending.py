"""The ways of our requests: over which flow, to which place, and what becomes of one without."""

import socket

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from sylk.errors import SessionEnded
from sylk.session import Invitation
from sylk.session.dial import Dialled
from tests.peers import (
    HOST,
    PATIENCE,
    Callee,
    Caller,
    Scripted,
    assert_nothing_left,
    chat_offer,
    running_endpoint,
    running_server,
    take_message,
)


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
