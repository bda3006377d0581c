"""Messages that are larger than a datagram may be on the way: fragments, or TCP in place of UDP."""

import socket
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.end_to_end.lossy_wire import Quality
from tests.end_to_end.network import bad_network
from tests.end_to_end.repeating_wire import RepeatingClient
from tests.end_to_end.test_network import TEXTS, await_order, await_seats, served, talk, together
from tests.end_to_end.wire_client import ROOM
from tests.end_to_end.wire_sip import TIMEOUT, SipMessage, take_message

LARGEST_DATAGRAM = 1300
"""Bytes of the largest request that may go over UDP (RFC 3261 section 18.1.1)."""
SMALL_MTU = 1280
NOTHING = Quality(loss=1.0)


def behind_many_names(client: RepeatingClient) -> RepeatingClient:
    """Let a proxy with many names stand where the client is: each request to it names them all."""
    address = f"{client.wire.host}:{client.wire.port}"
    client.headers = tuple(
        f"Record-Route: <sip:{address};lr;number={number};x={'y' * 90}>" for number in range(12)
    )
    return client


def read_request(connection: socket.socket) -> SipMessage:
    """Return the first message of a connection."""
    data = b""
    while (taken := take_message(data)) is None:
        piece = connection.recv(65536)
        assert piece, "the connection was closed"
        data += piece
    return taken[0]


def test_large_messages_over_a_path_with_a_small_mtu(tmp_path: Path) -> None:
    with bad_network(2) as network, served(network, tmp_path) as server, ExitStack() as stack:
        clients: list[RepeatingClient] = []
        for name, link in zip(("alice", "bob"), network.links, strict=True):
            link.mtu = SMALL_MTU
            client = behind_many_names(RepeatingClient(server, name, source=link.host))
            clients.append(stack.enter_context(client))
            client.join()
            assert len(client.responses[-1].raw) > SMALL_MTU
        await_seats(server, ROOM, 2)
        alice, bob = clients
        together(
            partial(talk, alice, 1, TEXTS, padding="x" * 50_000),
            partial(talk, bob, 1, TEXTS, padding="x" * 50_000),
        )
        assert bob.msrp is not None
        bob.msrp.close()
        # Nobody takes TCP there, so it comes in fragments.
        assert len(bob.await_bye().raw) > LARGEST_DATAGRAM
        await_order(bob)
        alice.leave()
        for link in network.links:
            assert max(link.sizes) <= SMALL_MTU
            assert link.counts.lost > 0


def test_a_large_request_goes_over_tcp(tmp_path: Path) -> None:
    with bad_network(1) as network, served(network, tmp_path) as server:
        (link,) = network.links
        link.mtu = SMALL_MTU
        with behind_many_names(RepeatingClient(server, "alice", source=link.host)) as alice:
            alice.join()
            await_seats(server, ROOM, 1)
            place = alice.wire.host, alice.wire.port
            with socket.create_server(place) as listener:
                listener.settimeout(TIMEOUT)
                assert alice.msrp is not None
                alice.msrp.close()
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(TIMEOUT)
                    bye = read_request(connection)
                    connection.sendall(bye.answer("200 OK"))
                    server.wait_for_log(f" left sip:{ROOM} ")
        assert bye.method == "BYE"
        assert len(bye.raw) > LARGEST_DATAGRAM
        assert bye["Via"].startswith("SIP/2.0/TCP ")


def test_a_large_request_goes_over_udp_where_tcp_is_swallowed(tmp_path: Path) -> None:
    settings = {"MSRP": {"establish_timeout": 1}}
    with bad_network(1) as network, served(network, tmp_path, settings) as server:
        (link,) = network.links
        link.mtu = SMALL_MTU
        # As a firewall does that lets UDP pass alone; so no media comes either, and a BYE does.
        link.tcp = NOTHING
        with behind_many_names(RepeatingClient(server, "alice", source=link.host)) as alice:
            assert alice.invite().status == 200
            bye = alice.await_bye()
            await_order(alice)
        assert len(bye.raw) > LARGEST_DATAGRAM
        assert bye["Via"].startswith("SIP/2.0/UDP ")
