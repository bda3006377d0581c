"""Many connections at once that are reset, say nothing, drip, or stop in the TLS handshake.

The chat of two others goes on beside each, and afterwards the memory and the descriptors are there
again (CVE-2018-7286, CVE-2020-28327, CVE-2026-43506).
"""

import socket
import ssl
import struct
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.end_to_end.hostile import is_well
from tests.end_to_end.server import HOST, RunningServer, StartServer, started
from tests.end_to_end.tls_setup import tls_port, with_tls
from tests.end_to_end.undisturbed import undisturbed_chat
from tests.end_to_end.wire_client import WireClient
from tests.end_to_end.wire_sip import TIMEOUT

CONNECTIONS = 150
"""At one port; there are four."""
MAX_GROWTH_OPEN = 48 * 1024 * 1024
"""Bytes that all the idle connections together may take while they stand."""
GIVEN_BACK = 20.0
"""Seconds after which every descriptor must be back: who has talked too fast is read to his end at
the rate that he may talk."""

Opened = Callable[[int], socket.socket]
"""Opens a connection to a port and brings it where it stays."""


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder: Path = tmp_path_factory.mktemp("floods")
    settings = with_tls(folder / "spool")
    # A call that nobody acknowledges need not last for long here.
    settings["MSRP"]["establish_timeout"] = 1
    with started(folder / "server", settings) as server:
        yield server


def count_descriptors(server: RunningServer) -> int:
    """Return how many are open once the history has opened its files for the first who comes."""
    with WireClient(server, "first") as client:
        client.join()
        client.say("hello")
        client.leave()
    return server.open_files


def wait_for_descriptors(server: RunningServer, count: int) -> None:
    """Ask again and again, until no more than `count` descriptors are open."""
    deadline = time.monotonic() + GIVEN_BACK
    with WireClient(server, "counter") as client:
        while time.monotonic() < deadline:
            if server.open_files <= count:
                return
            # A turn of the server's loop.
            assert client.ask("OPTIONS").status == 200
    pytest.fail(f"{server.open_files} descriptors are open, there were {count}")


@contextmanager
def unharmed(server: RunningServer) -> Generator[None]:
    """Check that a chat goes on, and that no descriptor is lost."""
    assert is_well(server)
    with undisturbed_chat(server):
        before = count_descriptors(server)
        yield
        wait_for_descriptors(server, before)
        assert is_well(server)


def connected(port: int) -> socket.socket:
    return socket.create_connection((HOST, port), TIMEOUT)


def secured(port: int) -> socket.socket:
    return client_context().wrap_socket(connected(port))


def client_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def reset(wire: socket.socket) -> None:
    """Close a connection with a reset: everything that is under way is lost."""
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()


def invitations(server: RunningServer, count: int) -> tuple[bytes, list[str]]:
    """Return INVITEs of as many calls to the echo, and their Call-IDs."""
    data, call_ids = b"", list[str]()
    for _ in range(count):
        with WireClient(server, "mallory", room=f"echo@{HOST}", transport="tcp") as mallory:
            data += mallory.invitation()
            call_ids.append(mallory.call_id)
    return data, call_ids


def wait_for_unfinished_calls(server: RunningServer) -> None:
    """Let a call begin that is never acknowledged, and wait until the server has ended it."""
    with WireClient(server, "last", room=f"echo@{HOST}") as last:
        assert last.invite().status == 200
        last.await_bye()


# Floods


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_a_flood_of_invites_and_then_a_reset(tls_server: RunningServer, transport: str) -> None:
    port = tls_server.sip_tcp if transport == "tcp" else tls_port(tls_server, "SIP")
    open_wire = connected if transport == "tcp" else secured
    all_calls: list[str] = []
    with unharmed(tls_server):
        for number in range(30):
            wire = open_wire(port)
            data, call_ids = invitations(tls_server, 10)
            all_calls += call_ids
            wire.sendall(data)
            if number % 2:
                # The answers are under way; in the other half they were never read.
                assert wire.recv(1)
            reset(wire)
        # What was begun before this one has had its time.
        wait_for_unfinished_calls(tls_server)
    begun = [call_id for call_id in all_calls if f"[{call_id}]" in tls_server.log]
    assert begun
    for call_id in begun:
        entries = [line for line in tls_server.entries if f"[{call_id}]" in line]
        assert "ended" in entries[-1]
        assert len(entries) <= 3


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_a_flood_that_is_cut_in_the_middle_of_a_message(
    tls_server: RunningServer, transport: str
) -> None:
    port = tls_server.sip_tcp if transport == "tcp" else tls_port(tls_server, "SIP")
    open_wire = connected if transport == "tcp" else secured
    whole, _ = invitations(tls_server, 1)
    with unharmed(tls_server):
        for number in range(60):
            wire = open_wire(port)
            wire.sendall(whole[: len(whole) * number // 60])
            reset(wire)


@pytest.mark.parametrize("protocol", ["SIP", "MSRP"])
def test_handshakes_that_are_reset(tls_server: RunningServer, protocol: str) -> None:
    port = tls_port(tls_server, protocol)
    hello = client_hello()
    with unharmed(tls_server):
        for number in range(100):
            wire = connected(port)
            wire.sendall(hello[: 1 + len(hello) * number // 100])
            reset(wire)


# Connections that stay


def client_hello() -> bytes:
    """Return what a TLS client says first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    side = client_context().wrap_bio(incoming, outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        side.do_handshake()
    return outgoing.read()


def silent(port: int) -> socket.socket:
    return connected(port)


def dripping(port: int) -> socket.socket:
    """Say one octet of what every port takes for a beginning."""
    wire = connected(port)
    wire.sendall(b"M" if port % 2 else b"\x16")
    return wire


def half_a_hello(port: int) -> socket.socket:
    wire = connected(port)
    hello = client_hello()
    wire.sendall(hello[: len(hello) // 2])
    return wire


def hello_and_nothing_else(port: int) -> socket.socket:
    wire = connected(port)
    wire.sendall(client_hello())
    return wire


@pytest.mark.parametrize("opened", [silent, dripping, half_a_hello, hello_and_nothing_else])
def test_hundreds_of_connections_that_do_nothing(tls_server: RunningServer, opened: Opened) -> None:
    ports = [
        *(tls_server.sip_tcp, tls_server.msrp_tcp),
        *(tls_port(tls_server, "SIP"), tls_port(tls_server, "MSRP")),
    ]
    with unharmed(tls_server), ExitStack() as stack:
        before = tls_server.rss
        for _ in range(CONNECTIONS):
            for port in ports:
                stack.enter_context(opened(port))
        # They stand, and others still come in.
        assert is_well(tls_server)
        growth = tls_server.rss - before
        assert growth < MAX_GROWTH_OPEN, f"they take {growth / 1e6:.1f} MB"


def test_octets_that_drip_into_a_message_hold_up_nobody(tls_server: RunningServer) -> None:
    with unharmed(tls_server), ExitStack() as stack:
        whole = invitations(tls_server, 1)[0][:200]
        wires = [stack.enter_context(connected(tls_server.sip_tcp)) for _ in range(50)]
        for number in range(len(whole)):
            for wire in wires:
                wire.sendall(whole[number : number + 1])
        assert is_well(tls_server)


@pytest.mark.parametrize("protocol", ["SIP", "MSRP"])
def test_over_the_bound_connections_are_closed_at_once(
    running_server: StartServer, protocol: str
) -> None:
    bound = 20
    server = running_server({protocol: {"max_connections": bound}})
    port = server.sip_tcp if protocol == "SIP" else server.msrp_tcp
    before = count_descriptors(server)
    with ExitStack() as stack:
        for _ in range(bound):
            stack.enter_context(connected(port))
        for _ in range(30):
            with connected(port) as refused:
                assert refused.recv(1) == b""
    # Who was first has gone: there is room again.
    wait_for_descriptors(server, before)
    with undisturbed_chat(server):
        pass
