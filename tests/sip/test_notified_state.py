import pytest

from sylk.errors import LocalProtocolError
from sylk.sip.notified_state import NotifiedState


def test_a_difference_is_told_once_and_then_the_whole() -> None:
    state = NotifiedState(b"whole", "text/plain", b"change")
    assert state.take_body() == b"change"
    assert state.take_body() == b"whole"
    assert NotifiedState(b"whole", "text/plain").take_body() == b"whole"
    assert NotifiedState().take_body() == b""


def test_a_body_has_a_type() -> None:
    with pytest.raises(LocalProtocolError):
        NotifiedState(b"x")
