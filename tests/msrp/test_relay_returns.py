"""What senders hear of requests that were passed on."""

import pytest

from sylk.msrp.frame import REPORT, reported_range, reported_status
from tests.msrp.relay_world import FAR, World, answer, send


@pytest.mark.parametrize(
    ("failure", "status", "told"),
    [
        (b"", 200, None),
        (b"", 413, 413),
        (b"partial", 413, 413),
        (b"partial", 200, None),
        (b"no", 413, None),
        (b"", 481, 481),
    ],
)
def test_an_error_of_the_next_hop_becomes_a_report(
    failure: bytes, status: int, told: int | None
) -> None:
    world = World()
    client, path, own = world.client()
    data = send(path + b" " + FAR, own, failure=failure, byte_range=b"3-4/9")
    world.send(client, data)
    far = world.connected()
    client.read()
    frame = far.one()
    world.send(far, answer(frame, status))
    reports = client.read()
    assert [reported_status(report) for report in reports] == ([] if told is None else [told])
    for report in reports:
        assert (report.method, report.to_path, report.from_path) == (REPORT, own, path)
        assert report.headers[b"message-id"] == b"m1"
        assert report.headers[b"byte-range"] == b"3-4/9"
    # The same answer again means nothing.
    world.send(far, answer(frame, status))
    world.pass_time(60)
    assert client.read() == []


@pytest.mark.parametrize(("failure", "told"), [(b"", [408]), (b"partial", []), (b"no", [])])
def test_silence_of_the_next_hop_is_reported_after_its_time(
    failure: bytes, told: list[int]
) -> None:
    world = World()
    client, path, own = world.client()
    world.send(client, send(path + b" " + FAR, own, failure=failure))
    far = world.connected()
    client.read()
    world.pass_time(29.9)
    assert client.read() == []
    world.pass_time(0.1)
    assert [reported_status(report) for report in client.read()] == told
    world.send(far, answer(far.one(), 413))
    assert client.read() == []


def test_an_error_of_the_client_is_reported_to_the_world() -> None:
    world = World()
    client, path, own = world.client()
    far = world.end()
    world.send(far, send(path + b" " + own, FAR + b" " + FAR))
    world.send(client, answer(client.one(), 415))
    accepted, report = far.read()
    assert accepted.status == 200
    assert (report.to_path, report.from_path) == (FAR + b" " + FAR, path)
    claimed = reported_range(report)
    assert claimed is not None
    assert (claimed.start, claimed.end) == (1, 2)


def test_nobody_answers_for_another() -> None:
    world = World()
    client, path, own = world.client()
    world.send(client, send(path + b" " + FAR, own))
    frame = world.connected().one()
    client.read()
    world.send(world.end(), answer(frame, 413))
    world.send(client, answer(frame, 413))
    assert client.read() == []


def test_an_answer_that_names_no_way_back_is_dropped() -> None:
    world = World()
    client, path, own = world.client()
    world.send(client, send(path + b" " + FAR, own, method=b"OTHER"))
    far = world.connected()
    frame = far.one()
    lines = b"To-Path: %b\r\nFrom-Path: %b\r\n" % (path, FAR)
    world.send(
        far,
        b"MSRP %b 200 OK\r\n%b-------%b$\r\n" % (frame.transaction_id, lines, frame.transaction_id),
    )
    assert client.read() == []


def test_a_sender_that_has_gone_is_told_nothing() -> None:
    world = World()
    client, path, own = world.client()
    world.send(client, send(path + b" " + FAR, own))
    far = world.connected()
    frame = far.one()
    client.read()
    world.relay.closed(client.link, world.now)
    world.send(far, answer(frame, 413))
    world.pass_time(60)
    assert client.read() == []
