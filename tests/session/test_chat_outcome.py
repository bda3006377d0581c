"""What events say about messages of ours."""

import pytest

from sylk.msrp.events import (
    Bound,
    FanOutAnswered,
    MessageAccepted,
    MessageFailed,
    MessageReported,
    ReportReceived,
    SessionEvent,
)
from sylk.session.chat_outcome import Outcome, outcome_of


@pytest.mark.parametrize(
    ("event", "outcome"),
    [
        (MessageAccepted(b"m"), (b"m", 200, "")),
        (MessageReported(b"m"), (b"m", 200, "")),
        (MessageFailed(b"m", 408, b"No \xff"), (b"m", 408, "No \ufffd")),
        (ReportReceived(b"m", 413, None, b"Large"), (b"m", 413, "Large")),
        # Of one part only, maybe: all of it is told by MessageReported.
        (ReportReceived(b"m", 200, None), None),
        (FanOutAnswered(b"t", 415, b"Type"), (b"t", 415, "Type")),
        (Bound(), None),
    ],
)
def test_each_outcome(event: SessionEvent, outcome: Outcome | None) -> None:
    assert outcome_of(event) == outcome
