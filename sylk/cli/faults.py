"""What the operator is told when the server cannot run: one line, with what to do about it."""

import errno
from typing import cast

from sylk.cli.port_owners import owner_of
from sylk.errors import ListenError
from sylk.server_config import ServerSections

_FIRST_FREE = 1024
"""Ports below it are for root, and for those with the right to them."""

OUT_OF_MEMORY = (
    "memory is used up, so the server has ended, and must be started again: systemd does so. What "
    "was acknowledged is kept. Give it more memory, or lower [MSRP] max_waiting and [SIP] "
    "max_sessions"
)
_NO_THREAD = "can't start new thread"


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether a fault is, or comes of, a lack of memory."""
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        # A thread that cannot be started has no memory for its stack; it is told by words alone.
        if isinstance(one, MemoryError) or str(one) == _NO_THREAD:
            return True
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, BaseExceptionGroup):
            waiting += cast("BaseExceptionGroup[BaseException]", one).exceptions
        waiting += [cause for cause in (one.__cause__, one.__context__) if cause is not None]
    return False


def describe_listen_error(error: ListenError, sections: ServerSections) -> str:
    """Return why a port cannot be had, and what to do."""
    return f"{error}; {_cure(error, sections)}"


def _cure(error: ListenError, sections: ServerSections) -> str:
    setting = setting_of_port(error, sections)
    match error.number:
        case errno.EADDRINUSE:
            owner = owner_of(error.transport, error.port)
            whom = f"{owner} has it: end that" if owner else "end what uses the port"
            return f"{whom}, or set another in {setting}"
        case errno.EACCES | errno.EPERM if error.port < _FIRST_FREE:
            return (
                f"ports below {_FIRST_FREE} need a right: start with systemd and "
                f"AmbientCapabilities=CAP_NET_BIND_SERVICE, or set another in {setting}"
            )
        case errno.EADDRNOTAVAIL:
            section = setting.partition(" ")[0]
            return f"no interface of this machine has that address: set {section} local_ip"
        case errno.EAFNOSUPPORT:
            section = setting.partition(" ")[0]
            return f"this machine has no such addresses: set {section} local_ip = 0.0.0.0"
        case _:
            return f"set another port in {setting}"


def setting_of_port(error: ListenError, sections: ServerSections) -> str:
    """Return the setting that a port comes from, as `[Section] key`."""
    sip, msrp = sections.sip, sections.msrp
    if error.transport == "udp":
        return "[SIP] local_udp_port"
    known = {
        "[SIP] local_tcp_port": (sip.local_ip, sip.local_tcp_port),
        "[SIP] local_tls_port": (sip.local_ip, sip.local_tls_port),
        "[MSRP] local_tcp_port": (msrp.local_ip, msrp.local_tcp_port),
        "[MSRP] local_tls_port": (msrp.local_ip, msrp.local_tls_port),
        "[Metrics] port": (sections.metrics.local_ip, sections.metrics.port),
    }
    # What is bound later meets what was bound before, so the last one is the one to change.
    names = [name for name, place in known.items() if place == (error.host, error.port)]
    return names[-1] if names else "sylk.ini"
