"""What a sender wants to hear, how often, and in words that are safe."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.msrp.receipt import MAX_COMMENT, MAX_FAILURE_REPORTS, Receipt, safe_comment


@pytest.mark.parametrize(
    ("success", "failure", "hears_success", "hears_failure"),
    [
        (True, b"yes", True, True),
        (True, b"no", True, False),
        (True, b"partial", True, True),
        (False, b"yes", False, True),
        (False, b"no", False, False),
        (False, b"partial", False, True),
    ],
)
def test_the_wishes_of_the_sender(
    success: bool, failure: bytes, hears_success: bool, hears_failure: bool
) -> None:
    receipt = Receipt(b"m", b"", (b"1-2/2", 2), success, failure)
    assert receipt.admits(200) is hears_success
    assert receipt.admits(200) is False
    failures = [receipt.admits(413) for _ in range(2 * MAX_FAILURE_REPORTS)]
    assert failures.count(True) == (MAX_FAILURE_REPORTS if hears_failure else 0)
    assert failures[0] is hears_failure


@given(st.one_of(st.binary(), st.text()))
def test_a_comment_cannot_leave_its_line(comment: bytes | str) -> None:
    safe = safe_comment(comment)
    text = safe.decode()
    assert text.isprintable()
    assert len(text) <= MAX_COMMENT


def test_a_harmless_comment_stays_as_it_is() -> None:
    assert safe_comment("jürgen@example.com: Nö") == "jürgen@example.com: Nö".encode()
    assert safe_comment(b"x\r\nStatus: 000 200\x00\x1b[2J") == b"x  Status: 000 200  [2J"
