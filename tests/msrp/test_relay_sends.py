"""SEND through a relay: answers hop by hop, chunks in pieces, what stops them."""

import pytest

from sylk.msrp.frame import REPORT, reported_range, reported_status
from sylk.msrp.relay_limits import RelayLimits
from tests.msrp.relay_world import CHUNK_END, FAR, World, answer, open_chunk, send

PIECE = 65536
MORE = PIECE + 100
"""Enough for the first piece to go on."""


@pytest.mark.parametrize(
    ("failure", "answers"), [(b"", 1), (b"yes", 1), (b"partial", 0), (b"no", 0)]
)
def test_the_previous_hop_is_answered_at_once_if_it_wants(failure: bytes, answers: int) -> None:
    world = World()
    client, path, own = world.client()
    world.send(client, send(path + b" " + FAR, own, failure=failure))
    frames = client.read()
    assert [frame.status for frame in frames] == [200] * answers
    if frames:
        assert (frames[0].to_path, frames[0].from_path) == (own, path)
    frame = world.connected().one()
    assert frame.headers.get(b"failure-report", b"") == failure


def test_a_message_without_an_id_is_refused() -> None:
    world = World()
    client, path, own = world.client()
    world.send(
        client,
        b"MSRP t SEND\r\nTo-Path: %b %b\r\nFrom-Path: %b\r\nContent-Type: a/b\r\n\r\nx\r\n"
        b"-------t$\r\n" % (path, FAR, own),
    )
    assert client.one().status == 400


@pytest.mark.parametrize("flag", [b"$", b"+", b"#"])
def test_a_large_chunk_goes_on_as_it_comes_and_in_one(flag: bytes) -> None:
    world = World()
    client, path, own = world.client()
    body = bytes(range(256)) * 800
    world.send(client, open_chunk(path + b" " + FAR, own, total=b"200000"), body[:MORE])
    far = world.connected()
    head, *others = far.read()
    seen = sum(len(frame.body or b"") for frame in [head, *others])
    for start in range(MORE, len(body), 10_000):
        world.send(client, body[start : start + 10_000])
        frames = far.read()
        seen += sum(len(frame.body or b"") for frame in frames)
        # Less than two pieces are ever inside.
        assert start + 10_000 - seen < 2 * PIECE
    assert client.read() == []
    world.send(client, b"\r\n-------big1" + flag + b"\r\n")
    frames = far.read()
    assert frames[-1].flag == flag
    assert head.headers[b"byte-range"] == b"1-*/200000"
    assert {frame.transaction_id for frame in frames} == {head.transaction_id}
    assert seen + sum(len(frame.body or b"") for frame in frames) == len(body)
    assert client.one().status == 200


def test_a_short_message_does_not_wait_behind_a_long_one() -> None:
    world = World()
    alice, path, own = world.client("alice", "alice")
    bob, bob_path, bob_own = world.client("bob", "bob")
    to = b" ".join([path, bob_path, bob_own])
    world.send(alice, open_chunk(to, own), b"a" * MORE)
    far = world.end()
    world.send(far, send(bob_path + b" " + bob_own, FAR, b"short"))
    world.send(alice, b"b" * PIECE, CHUNK_END)
    frames = bob.read()
    kinds = [(frame.headers[b"message-id"], frame.flag) for frame in frames if frame.flag]
    assert kinds == [(b"big", b"+"), (b"m1", b"$"), (b"big", b"$")]
    parts = [frame for frame in frames if frame.headers[b"message-id"] == b"big"]
    assert b"".join(frame.body or b"" for frame in parts) == b"a" * MORE + b"b" * PIECE
    assert parts[-1].headers[b"byte-range"] == b"%d-*/*" % (PIECE + 1)
    # Each part is a request of its own, and each failure is told with its range.
    ids = {frame.transaction_id: frame for frame in parts}
    assert len(ids) == 2
    alice.read()
    world.send(bob, *(answer(frame, 413) for frame in ids.values()))
    reports = alice.read()
    assert [reported_status(frame) for frame in reports] == [413, 413]
    ranges = [reported_range(frame) for frame in reports]
    assert [(one.start, one.end) for one in ranges if one] == [
        (1, PIECE),
        (PIECE + 1, MORE + PIECE),
    ]


def test_a_body_that_forges_the_end_line_forges_nothing() -> None:
    world = World()
    client, path, own = world.client()
    world.send(client, open_chunk(path + b" " + FAR, own), b"x" * MORE)
    far = world.connected()
    (head, *_) = far.read()
    forged = b"\r\n-------%b$\r\nMSRP evil SEND\r\n" % head.transaction_id
    world.send(client, forged + b"y" * PIECE, CHUNK_END)
    frames = far.read()
    assert all(
        frame.method == b"SEND" and frame.headers[b"message-id"] == b"big" for frame in frames
    )
    assert forged in b"".join(frame.body or b"" for frame in frames)


def test_a_chunk_is_stopped_by_a_refusal_before_its_end() -> None:
    world = World()
    client, path, own = world.client()
    world.send(client, open_chunk(path + b" " + FAR, own), b"x" * MORE)
    far = world.connected()
    world.send(far, answer(far.read()[0], 413))
    assert far.one().flag == b"#"
    refusal = client.one()
    assert (refusal.status, refusal.transaction_id) == (413, b"big1")
    world.send(client, b"y" * 3 * PIECE, CHUNK_END, send(path + b" " + FAR, own))
    assert [frame.body for frame in far.read()] == [b"Hi"]
    assert [frame.transaction_id for frame in client.read()] == [b"t1"]


def test_a_chunk_whose_sender_goes_is_given_up() -> None:
    world = World()
    client, path, own = world.client()
    world.send(client, open_chunk(path + b" " + FAR, own), b"x" * MORE)
    far = world.connected()
    far.read()
    world.relay.closed(client.link, world.now)
    frame = far.one()
    assert frame.flag == b"#"
    world.send(far, answer(frame))
    world.pass_time(60)
    assert far.read() == []


@pytest.mark.parametrize(("failure", "told"), [(b"", 408), (b"partial", 408), (b"no", None)])
def test_a_chunk_whose_target_goes_is_told_to_its_sender_once(
    failure: bytes, told: int | None
) -> None:
    world = World()
    client, path, own = world.client()
    world.send(client, open_chunk(path + b" " + FAR, own, failure=failure), b"x" * MORE)
    far = world.connected()
    far.read()
    world.relay.closed(far.link, world.now)
    assert [frame.status for frame in client.read()] == ([] if told is None else [told])
    world.send(client, b"x" * PIECE, CHUNK_END)
    world.pass_time(60)
    assert client.read() == []


def test_a_chunk_without_end_waits_for_no_answer_and_ends_with_its_path() -> None:
    world = World()
    client, path, own = world.client()
    world.send(client, open_chunk(path + b" " + FAR, own), b"x" * MORE)
    far = world.connected()
    far.read()
    world.pass_time(600)
    assert client.read() == []
    world.pass_time(43_200)
    assert far.one().flag == b"#"
    assert client.one().status == 481
    world.send(client, b"x" * PIECE)
    assert far.read() == []
    # The end of what was refused is no frame of anybody.
    world.send(client, CHUNK_END)
    assert client.read() == []


def test_a_large_request_that_is_no_send_is_refused_once() -> None:
    world = World()
    client, path, own = world.client()
    head = open_chunk(path + b" " + FAR, own).replace(b" SEND", b" OTHER", 1)
    world.send(client, head, b"x" * 3 * PIECE, CHUNK_END)
    assert client.one().status == 413
    assert world.connected().read() == []


def test_a_large_refused_chunk_is_answered_once() -> None:
    world = World(RelayLimits(max_waiting=100))
    client, path, own = world.client()
    world.send(client, send(path + b" " + FAR, own, b"x" * 200))
    world.send(client, open_chunk(path + b" " + FAR, own), b"x" * 3 * PIECE, CHUNK_END)
    assert [frame.status for frame in client.read()] == [200, 408]


def test_a_recipient_that_is_behind_holds_up_nobody_else() -> None:
    world = World(RelayLimits(max_backlog=1000))
    alice, path, own = world.client("alice", "alice")
    bob, bob_path, bob_own = world.client("bob", "bob")
    bob.link.backlog = lambda: 1001
    world.send(alice, send(b" ".join([path, bob_path, bob_own]), own, tid=b"slow"))
    world.send(alice, send(b" ".join([path, FAR]), own, tid=b"fast"))
    assert [(frame.transaction_id, frame.status) for frame in alice.read()] == [
        (b"slow", 408),
        (b"fast", 200),
    ]
    assert world.connected().one().body == b"Hi"
    # A REPORT for the slow one is dropped; nobody waits for its answer.
    world.send(alice, send(b" ".join([path, bob_path, bob_own]), own, method=REPORT))
    assert bob.read() == []
    assert alice.read() == []


def test_only_so_many_requests_wait() -> None:
    world = World(RelayLimits(max_transactions=3))
    client, path, own = world.client()
    for number in range(5):
        world.send(client, send(path + b" " + FAR, own, tid=b"t%d" % number))
    far = world.connected()
    assert [frame.status for frame in client.read()] == [200, 200, 200, 408, 408]
    world.send(far, *map(answer, far.read()))
    world.send(client, send(path + b" " + FAR, own))
    assert client.one().status == 200


def test_an_interrupted_part_has_its_own_time() -> None:
    world = World()
    alice, path, own = world.client("alice", "alice")
    _, bob_path, bob_own = world.client("bob", "bob")
    far = world.end()
    world.send(alice, open_chunk(b" ".join([path, bob_path, bob_own]), own), b"a" * MORE)
    world.send(far, send(bob_path + b" " + bob_own, FAR, b"short", failure=b"no"))
    world.now = 10.0
    world.send(alice, b"b" * PIECE)
    world.pass_time(29)
    assert alice.read() == []
    world.pass_time(1)
    (report,) = alice.read()
    assert reported_status(report) == 408
    claimed = reported_range(report)
    assert claimed is not None
    assert (claimed.start, claimed.end) == (1, PIECE)


@pytest.mark.parametrize("flag", [b"$", b""])
@pytest.mark.parametrize(
    "lines",
    [
        b"".join(b"X-%d: y\r\n" % number for number in range(58)),
        b"X-Long:" + b"y" * 16_300 + b"\r\n",
        b"".join(b"X-%d: %b\r\n" % (number, b"y" * 1000) for number in range(16)),
    ],
)
def test_headers_that_would_choke_the_next_hop_are_refused(lines: bytes, flag: bytes) -> None:
    world = World()
    client, path, own = world.client()
    head = open_chunk(path + b" " + FAR, own).replace(b"Content-Type", lines + b"Content-Type")
    world.send(client, head, b"x" if flag else b"x" * MORE, CHUNK_END)
    assert client.one().status == 400
    assert world.connected().link.data_to_send() == b""


def test_paths_that_would_choke_the_next_hop_are_refused() -> None:
    world = World()
    client, path, own = world.client()
    back = b" ".join(b"msrps://%b.example.com:1/x;tcp" % (b"h" * 1990) for _ in range(8))
    world.send(client, send(path + b" " + FAR, back))
    assert client.one().status == 400
    assert world.connected().link.data_to_send() == b""
    assert own
