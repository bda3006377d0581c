"""Who has a port: this process, for a port that the test has bound."""

import os
import socket

import pytest

from sylk.cli.port_owners import owner_of


@pytest.mark.parametrize(
    ("transport", "kind"), [("tcp", socket.SOCK_STREAM), ("udp", socket.SOCK_DGRAM)]
)
def test_the_owner_of_a_port_is_named(transport: str, kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as bound:
        bound.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            bound.listen()
        port = bound.getsockname()[1]
        owner = owner_of(transport, port)
    assert owner is not None
    assert owner.pid == os.getpid()
    assert str(owner).endswith(f"(pid {os.getpid()})")


def test_a_port_that_nobody_has_has_no_owner() -> None:
    # Port 0 is never bound.
    assert owner_of("tcp", 0) is None
