"""Each fault of a port is told with its setting and its cure."""

import errno

import pytest

from sylk.cli.faults import describe_listen_error, is_out_of_memory, setting_of_port
from sylk.errors import ListenError
from sylk.media_sections import MsrpSettings
from sylk.sections import SipSettings
from sylk.server_config import ServerSections

SECTIONS = ServerSections()


def error(
    number: int, transport: str = "tcp", port: int = 5060, host: str = "0.0.0.0"
) -> ListenError:
    return ListenError(transport, host, port, errno.errorcode[number], number)


@pytest.mark.parametrize(
    ("transport", "port", "setting"),
    [
        ("udp", 5060, "[SIP] local_udp_port"),
        ("tcp", 5060, "[SIP] local_tcp_port"),
        ("tcp", 5061, "[SIP] local_tls_port"),
        ("tcp", 2855, "[MSRP] local_tcp_port"),
        ("tcp", 2856, "[MSRP] local_tls_port"),
        ("tcp", 1, "sylk.ini"),
    ],
)
def test_the_setting_is_named(transport: str, port: int, setting: str) -> None:
    assert setting_of_port(error(errno.EADDRINUSE, transport, port), SECTIONS) == setting


def test_of_two_settings_with_one_port_the_later_is_named() -> None:
    sections = ServerSections(sip=SipSettings(), msrp=MsrpSettings(local_tcp_port=5060))
    assert setting_of_port(error(errno.EADDRINUSE), sections) == "[MSRP] local_tcp_port"


@pytest.mark.parametrize(
    ("number", "port", "cure"),
    [
        (errno.EADDRINUSE, 0, "end what uses the port, or set another in "),
        (errno.EACCES, 80, "CAP_NET_BIND_SERVICE"),
        (errno.EADDRNOTAVAIL, 5060, "no interface of this machine has that address: set [SIP] "),
        (errno.EAFNOSUPPORT, 5060, "set [SIP] local_ip = 0.0.0.0"),
        (errno.ENOBUFS, 5060, "set another port in [SIP] local_tcp_port"),
    ],
)
def test_the_cure_is_told(number: int, port: int, cure: str) -> None:
    line = describe_listen_error(error(number, port=port), SECTIONS)
    assert line.startswith(f"cannot listen on tcp 0.0.0.0:{port}: ")
    assert cure in line
    assert "\n" not in line


def nested(cause: BaseException) -> BaseException:
    """Return a fault that comes of another, as trio wraps what happens in nurseries."""
    outer = RuntimeError("internal error")
    outer.__cause__ = BaseExceptionGroup(
        "tasks", [ValueError("x"), ExceptionGroup("", [OSError()])]
    )
    outer.__cause__.exceptions[0].__context__ = cause
    # A circle is no reason to go on for ever.
    cause.__context__ = outer
    return outer


def test_a_lack_of_memory_is_found_whatever_it_is_wrapped_in() -> None:
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(nested(MemoryError()))
    assert is_out_of_memory(nested(RuntimeError("can't start new thread")))
    assert not is_out_of_memory(nested(KeyError()))
