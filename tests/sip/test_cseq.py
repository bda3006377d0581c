import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import RemoteProtocolError
from sylk.sip.cseq import CSeq


def test_leading_zeros_and_white_space() -> None:
    assert CSeq.parse("0009\t INVITE ") == CSeq(9, "INVITE")


def test_limit_is_32_bits() -> None:
    assert CSeq.parse("4294967295 BYE").number == 2**32 - 1
    with pytest.raises(RemoteProtocolError):
        CSeq.parse("4294967296 BYE")


@pytest.mark.parametrize(
    "text", ["", "1", "INVITE", "-1 INVITE", "1INVITE", "1 IN VITE", "١ INVITE", "1" * 9000 + " A"]
)
def test_malformed(text: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        CSeq.parse(text)
    assert caught.value.status == 400


@given(st.integers(0, 2**32 - 1), st.sampled_from(["INVITE", "a!b"]))
def test_round_trip(number: int, method: str) -> None:
    cseq = CSeq(number, method)
    assert CSeq.parse(str(cseq)) == cseq
