"""Checks whether each port can be had, or is had by the server that runs."""

import errno
from collections.abc import Iterator
from pathlib import Path

from sylk.cli.checks.finding import Finding, fail, ok
from sylk.cli.faults import describe_listen_error
from sylk.cli.port_owners import owner_of
from sylk.errors import ListenError, TransportError
from sylk.net.connection_limits import ConnectionLimits
from sylk.net.listener import TcpListener
from sylk.net.udp import bind_udp
from sylk.server_config import ServerSections, port_of
from sylk.share import Share

SUBJECT = "ports"


def check_ports(sections: ServerSections, running: int | None) -> Iterator[Finding]:
    """Yield what is to be said of each port; `running` is the pid of the server that runs."""
    for transport, host, port, what in _wanted(sections):
        name = f"{what} {transport} {host}:{port}"
        kind = "udp" if transport == "udp" else "tcp"
        try:
            _try(kind, host, port)
        except ListenError as error:
            owner = owner_of(kind, port) if error.number == errno.EADDRINUSE else None
            if running and owner is not None and running in (owner.pid, _parent_of(owner.pid)):
                yield ok(SUBJECT, f"{name}: the server that runs has it")
            else:
                text, _, cure = describe_listen_error(error, sections).partition("; ")
                yield fail(SUBJECT, f"{what}: {text}", cure)
        else:
            yield ok(SUBJECT, f"{name}: free")


def _wanted(sections: ServerSections) -> Iterator[tuple[str, str, int, str]]:
    sip, msrp = sections.sip, sections.msrp
    for transport, port in (
        ("udp", sip.local_udp_port),
        ("tcp", sip.local_tcp_port),
        ("tls", sip.local_tls_port),
    ):
        if port:
            yield transport, sip.local_ip, port, "SIP"
    count = sections.server.workers
    for share in (Share(index, count) for index in range(count)):
        for transport, host, port, what in (
            ("tcp", msrp.local_ip, msrp.local_tcp_port, "MSRP"),
            ("tls", msrp.local_ip, msrp.local_tls_port, "MSRP"),
            ("tcp", sections.metrics.local_ip, sections.metrics.port, "metrics"),
        ):
            if port:
                yield transport, host, port_of(port, share), what


def _parent_of(pid: int) -> int | None:
    """Return who has started a process: a front has started its workers."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    # The name, in parentheses, may hold spaces.
    return int(stat.rpartition(")")[2].split()[1])


def _try(kind: str, host: str, port: int) -> None:
    """Bind a port for a moment; raises ListenError."""
    try:
        if kind == "udp":
            bind_udp(host, port).close()
        else:
            TcpListener(host, port, ConnectionLimits(1)).close()
    except ListenError:
        raise
    except TransportError as error:
        raise ListenError(kind, host, port, error, None) from error
