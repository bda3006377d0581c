"""Requests and what their answers mean."""

import pytest

from sylk.msrp.events import MessageAccepted, MessageFailed, NicknameAnswered, SessionEvent
from sylk.msrp.frame import Frame
from sylk.msrp.outgoing import event_of_answer, event_of_silence
from sylk.msrp.outstanding import Purpose, Transaction


@pytest.mark.parametrize(
    ("purpose", "accepted", "refused", "silence"),
    [
        (
            Purpose.MESSAGE,
            MessageAccepted(b"m"),
            MessageFailed(b"m", 413, b"No"),
            MessageFailed(b"m", 408, b"Late"),
        ),
        (Purpose.QUIET_MESSAGE, MessageAccepted(b"m"), MessageFailed(b"m", 413, b"No"), None),
        (Purpose.QUIET_CHUNK, None, MessageFailed(b"m", 413, b"No"), None),
        (
            Purpose.NICKNAME,
            NicknameAnswered(b"m", 200, b"OK"),
            NicknameAnswered(b"m", 413, b"No"),
            NicknameAnswered(b"m", 408, b"Late"),
        ),
        (Purpose.BIND, None, None, None),
        (Purpose.KEEP_ALIVE, None, None, None),
    ],
)
def test_what_an_answer_and_silence_mean(
    purpose: Purpose,
    accepted: SessionEvent | None,
    refused: SessionEvent | None,
    silence: SessionEvent | None,
) -> None:
    transaction = Transaction(purpose, b"m", 0.0, 30.0)
    ok = Frame(b"tid1", b"", 200, b"OK", b"a", b"b", {}, None, b"$")
    no = Frame(b"tid1", b"", 413, b"No", b"a", b"b", {}, None, b"$")
    assert event_of_answer(transaction, ok) == accepted
    assert event_of_answer(transaction, no) == refused
    assert event_of_silence(transaction, b"Late") == silence
