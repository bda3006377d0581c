"""What becomes of each SEND with content, seen at a session."""

import pytest

from sylk.msrp.events import MessageReceived
from sylk.msrp.inbox import MAX_REFUSED, Inbox, failure_report_of, success_report_of
from sylk.msrp.session import MsrpSession
from tests.msrp.pair import Wire, bodies, bound_wire, make_session, send


def accept_all(session: MsrpSession, wire: Wire, *data: bytes) -> list[bytes]:
    events = wire.receive(*data)
    for event in events:
        assert isinstance(event, MessageReceived)
        session.accept(event.message)
    return bodies(events)


def chunk(start: int, body: bytes, flag: bytes, message_id: bytes = b"m1") -> bytes:
    return send(body, byte_range=b"%d-*/*" % start, flag=flag, message_id=message_id)


def test_chunks_are_answered_at_once_and_the_last_by_the_user() -> None:
    _, wire = bound_wire()
    assert wire.receive(chunk(1, b"ab", b"+")) == []
    assert wire.statuses() == [200]
    assert bodies(wire.receive(chunk(3, b"cd", b"$"))) == [b"abcd"]
    assert wire.statuses() == []


def test_the_report_covers_the_whole_message() -> None:
    session, wire = bound_wire()
    wishes = b"Success-Report: yes\r\n"
    data = [
        send(b"ab", byte_range=b"1-2/5", flag=b"+", extra=wishes),
        send(b"cde", byte_range=b"3-5/5", extra=wishes),
    ]
    assert accept_all(session, wire, *data) == [b"abcde"]
    *_, report = wire.sent()
    assert report.headers[b"byte-range"] == b"1-5/5"


def test_messages_may_be_interleaved_and_out_of_order() -> None:
    session, wire = bound_wire()
    data = [
        chunk(3, b"2", b"$", b"a"),
        chunk(1, b"x", b"+", b"b"),
        send(b"whole", message_id=b"c"),
        chunk(1, b"01", b"+", b"a"),
        chunk(2, b"y", b"$", b"b"),
    ]
    assert accept_all(session, wire, *data) == [b"whole", b"012", b"xy"]
    assert wire.statuses() == [200] * 5


def test_a_chunk_without_a_range_follows_the_one_before() -> None:
    session, wire = bound_wire()
    data = [send(b"ab", byte_range=b"", flag=b"+"), send(b"cd", byte_range=b"")]
    assert accept_all(session, wire, *data) == [b"abcd"]
    assert accept_all(session, wire, send(b"alone", byte_range=b"")) == [b"alone"]


def test_an_abort_forgets_the_message() -> None:
    session, wire = bound_wire()
    data = [chunk(1, b"ab", b"+"), chunk(3, b"", b"#"), chunk(1, b"new", b"$")]
    assert accept_all(session, wire, *data) == [b"new"]
    assert wire.statuses() == [200, 200, 200]


def test_a_repeated_chunk_of_a_finished_message_is_answered_and_forgotten() -> None:
    session, wire = bound_wire()
    data = [chunk(1, b"ab", b"+"), chunk(3, b"cd", b"$")]
    assert accept_all(session, wire, *data, data[0], data[1]) == [b"abcd"]
    assert wire.statuses() == [200, 200, 200, 200]


def test_the_range_may_count_characters_as_deployed_clients_do() -> None:
    session, wire = bound_wire()
    body = "né".encode()
    assert accept_all(session, wire, send(body, byte_range=b"1-2/2")) == [body]


def test_a_message_that_starts_anew_replaces_its_parts() -> None:
    session, wire = bound_wire()
    data = [chunk(1, b"old", b"+"), send(b"whole message")]
    assert accept_all(session, wire, *data) == [b"whole message"]
    assert accept_all(session, wire, chunk(4, b"x", b"+")) == []


def test_a_message_that_is_too_large_is_refused_until_it_ends() -> None:
    session, wire = bound_wire()
    data = [chunk(1, b"x" * 600, b"+"), chunk(601, b"x" * 600, b"+"), chunk(1201, b"x", b"+")]
    assert wire.receive(*data) == []
    assert wire.statuses() == [200, 413, 413]
    assert wire.receive(chunk(1202, b"x", b"#")) == []
    assert wire.statuses() == [413]
    assert accept_all(session, wire, chunk(1, b"new", b"$")) == [b"new"]
    wire.sent()
    assert wire.receive(send(b"x" * 1001)) == []
    assert wire.statuses() == [413]


def test_a_size_that_is_announced_too_large_is_refused_at_once() -> None:
    _, wire = bound_wire()
    assert wire.receive(send(b"x", byte_range=b"1-1/1001", flag=b"+")) == []
    assert wire.receive(chunk(2**62, b"x", b"+", b"far")) == []
    assert wire.statuses() == [413, 413]


@pytest.mark.parametrize("flag", [b"$", b"+", b"#"])
def test_a_huge_chunk_is_refused_once_and_never_held(flag: bytes) -> None:
    session, wire = bound_wire()
    big = send(b"x" * 1_000_000, byte_range=b"1-*/*", flag=flag)
    for i in range(0, len(big), 10_000):
        assert wire.receive(big[i : i + 10_000]) == []
    assert wire.statuses() == [413]
    refused = send(b"x" * 1_000_000, content_type=b"", flag=flag)
    assert wire.receive(refused) == []
    assert wire.statuses() == [415]
    assert accept_all(session, wire, send(b"x", message_id=b"m2")) == [b"x"]


def test_a_large_chunk_is_put_together() -> None:
    session, wire = bound_wire(make_session(max_message_size=500_000))
    body = bytes(range(256)) * 1500
    assert accept_all(session, wire, send(body, byte_range=b"")) == [body]
    assert wire.statuses() == [200]
    body = body[:-1]
    assert accept_all(session, wire, send(body, message_id=b"m2")) == [body]


def test_content_without_message_id_or_with_a_range_from_zero_is_malformed() -> None:
    _, wire = bound_wire()
    assert wire.receive(send(b"x", message_id=b""), send(b"x", byte_range=b"0-0/0")) == []
    assert wire.statuses() == [400, 400]


def test_content_without_a_type_is_refused() -> None:
    _, wire = bound_wire()
    data = send(b"x").replace(b"Content-Type: text/plain\r\n", b"")
    assert wire.receive(data) == []
    assert wire.statuses() == [415]


def test_too_many_open_messages_drop_the_oldest_and_tell_its_sender() -> None:
    _, wire = bound_wire()
    wire.receive(*(chunk(1, b"x", b"+", b"m%d" % i) for i in range(5)))
    frames = wire.sent()
    assert [frame.status for frame in frames] == [200, 200, 200, 200, 200, 0]
    assert frames[-1].headers[b"message-id"] == b"m0"
    assert frames[-1].headers[b"status"].startswith(b"000 413")


def test_refusals_are_remembered_for_a_while() -> None:
    _, wire = bound_wire()
    wire.receive(*(chunk(1001, b"x", b"+", b"m%d" % i) for i in range(MAX_REFUSED + 1)))
    wire.sent()
    wire.receive(chunk(1, b"x", b"+", b"m%d" % MAX_REFUSED), chunk(1, b"x", b"+", b"m0"))
    assert wire.statuses() == [413, 200]


@pytest.mark.parametrize(
    ("patterns", "content_type", "accepted"),
    [
        (("*",), b"anything/goes", True),
        (("*",), b"", False),
        (("text/*",), b"TEXT/plain; charset=x", True),
        (("text/*",), b"textual/plain", False),
        (("Message/CPIM",), b"message/cpim", True),
        ((), b"text/plain", False),
    ],
)
def test_accepted_types(patterns: tuple[str, ...], content_type: bytes, accepted: bool) -> None:
    _, wire = bound_wire(make_session(accept_types=patterns))
    events = wire.receive(send(b"x", content_type=content_type))
    assert len(events) == accepted


def test_many_types_are_not_kept() -> None:
    session, wire = bound_wire()
    types = [b"text/x%d" % i for i in range(200)]
    data = [send(b"x", content_type=content_type) for content_type in types]
    assert len(accept_all(session, wire, *data)) == 200
    assert Inbox(("*",)).dropped() == []


def test_defaults_of_the_report_headers() -> None:
    assert failure_report_of({}) == b"yes"
    assert failure_report_of({b"failure-report": b"NO"}) == b"no"
    assert success_report_of({}) is False
    assert success_report_of({b"success-report": b"yes"}) is True
