"""Who is answered, when no session is involved; sessions are tested in test_session."""

import pytest

from sylk.msrp.answers import answer
from sylk.msrp.frame import Frame


@pytest.mark.parametrize(
    ("method", "wish", "status", "answered"),
    [
        (b"SEND", None, 200, True),
        (b"SEND", b"partial", 200, False),
        (b"SEND", b"partial", 481, True),
        (b"SEND", b"no", 481, False),
        (b"NICKNAME", None, 481, True),
        (b"REPORT", None, 481, False),
        (b"", None, 481, False),
    ],
)
def test_the_wish_of_the_sender_counts(
    method: bytes, wish: bytes | None, status: int, answered: bool
) -> None:
    headers = {} if wish is None else {b"failure-report": wish}
    frame = Frame(b"tid1", method, 0, b"", b"a", b"b", headers, None, b"$")
    data = answer(frame, status)
    assert bool(data) is answered
    assert data.startswith(b"MSRP tid1 %d " % status) or not answered
