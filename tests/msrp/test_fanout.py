"""The same messages for many."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import LocalProtocolError
from sylk.msrp.fanout import FanOut
from sylk.msrp.frame import Frame
from sylk.msrp.parser import FrameParser

LINES = b"To-Path: msrp://them:1/%d;tcp\r\nFrom-Path: msrp://us:1/%d;tcp\r\n"


def read(data: bytes) -> list[Frame]:
    parser = FrameParser()
    parser.receive_data(data)
    frames: list[Frame] = []
    while (frame := parser.next_event()) is not None:
        frames.append(frame)
    return frames


@given(st.lists(st.binary(max_size=100), max_size=5))
def test_each_recipient_gets_all_messages_with_its_own_paths(bodies: list[bytes]) -> None:
    batch = FanOut()
    ids = [batch.add(body, b"message/cpim") for body in bodies]
    assert bool(batch) is bool(bodies)
    for i in range(2):
        frames = read(batch.render_for(LINES % (i, i)))
        assert [frame.body for frame in frames] == bodies
        assert [frame.headers[b"message-id"] for frame in frames] == ids
        assert {frame.to_path for frame in frames} <= {b"msrp://them:1/%d;tcp" % i}
        assert not any(frame.fault for frame in frames)


def test_what_is_asked_for_is_in_the_headers() -> None:
    batch = FanOut()
    batch.add(b"Hi", b"text/plain", message_id=b"m1", success_report=True)
    batch.add(b"Ho", b"text/plain", message_id=b"m2", failure_report=b"no")
    first, second = read(batch.render_for(LINES % (1, 1)))
    assert first.headers == {
        b"byte-range": b"1-2/2",
        b"message-id": b"m1",
        b"failure-report": b"partial",
        b"success-report": b"yes",
        b"content-type": b"text/plain",
    }
    assert second.headers[b"failure-report"] == b"no"
    assert b"success-report" not in second.headers
    assert batch.reported == [(b"m1", 2)]


def test_the_ids_of_a_batch_are_drawn_once_and_no_two_batches_share_one() -> None:
    batches = [FanOut(), FanOut()]
    ids = [batch.add(b"Hi", b"text/plain") for batch in batches for _ in range(300)]
    assert len(set(ids)) == 600
    # RFC 4975 section 9: four to thirty-two characters.
    assert all(17 <= len(one) <= 32 for one in ids)
    assert len({one[:16] for one in ids}) == 2


def test_an_id_that_a_body_holds_is_not_taken() -> None:
    batch = FanOut()
    token = batch.add(b"Hi", b"text/plain")[:16]
    body = b"".join(b"%b%x " % (token, number) for number in range(5))
    identifier = batch.add(body, b"text/plain")
    assert identifier not in body
    assert [frame.body for frame in read(batch.render_for(LINES % (1, 1)))] == [b"Hi", body]


def test_a_fan_out_waits_for_nobody() -> None:
    with pytest.raises(LocalProtocolError):
        FanOut().add(b"Hi", b"text/plain", failure_report=b"yes")
