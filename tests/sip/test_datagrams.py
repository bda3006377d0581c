import pytest

from sylk.sip.datagrams import is_no_sip
from tests.sip.user_agents import make


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\0", b"\r\n\r\n", b"    "),
        bytes([0, 1, 0, 0]) + bytes(16),  # a STUN binding request
        bytes([0x80, 0, 0, 1]) + bytes(168),  # RTP, G.711
        bytes([0x81, 200, 0, 6]) + bytes(24),  # an RTCP sender report
        b"\xbf",
    ],
)
def test_what_is_no_sip(data: bytes) -> None:
    assert is_no_sip(data)


@pytest.mark.parametrize(
    "data",
    [
        make("OPTIONS").render(),
        b"\r\n" + make("OPTIONS").render(),
        *(b"nonsense", b"\x03short", b"\x04" + bytes(30), b"\x7f", b"\xc3\xa9"),
    ],
)
def test_what_gets_an_answer_or_a_line_of_the_log(data: bytes) -> None:
    assert not is_no_sip(data)
