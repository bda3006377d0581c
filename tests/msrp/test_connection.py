"""Connections: which session a frame belongs to, and what is refused."""

import pytest

from sylk.errors import RemoteProtocolError
from sylk.msrp.connection import MsrpConnection
from sylk.msrp.events import Bound, Closed
from sylk.msrp.registry import SessionRegistry
from sylk.msrp.session import MsrpSession
from sylk.msrp.session_table import SessionState
from sylk.msrp.uri import parse_path
from tests.msrp.pair import US, Wire, answer, bodies, bound_wire, make_session, send


@pytest.mark.parametrize(
    ("to", "status"),
    [
        (b"msrp://us.example.com:1/other;tcp", 481),
        (b"msrp://us.example.com:1/US;tcp", 481),
        (b"msrp://us.example.com:1;tcp", 481),
        (b"nonsense", 400),
        (b"\xff", 400),
    ],
)
def test_a_to_path_that_is_not_ours_is_refused(to: bytes, status: int) -> None:
    session = make_session()
    wire = Wire(session)
    assert wire.receive(send(b"Hi", to=to)) == []
    assert wire.statuses() == [status]
    assert session.state is SessionState.IDLE


@pytest.mark.parametrize(
    "to",
    [
        b"msrps://other.example.net:9999/us;tcp",
        b"msrp://[::1]/us;ws",
        US + b" msrp://beyond.example.com:1/x;tcp",
    ],
)
def test_only_the_session_id_must_agree(to: bytes) -> None:
    wire = Wire(make_session())
    back = b"msrp://192.0.2.1:7/them;tcp"
    assert wire.receive(send(to=to, back=back)) == [Bound()]
    (frame,) = wire.sent()
    assert (frame.to_path, frame.from_path) == (back, to.split()[0])


@pytest.mark.parametrize(
    ("back", "status"), [(b"msrp://them.example.com:2/thief;tcp", 481), (b"nonsense", 400)]
)
def test_a_sender_that_is_not_the_peer_is_refused(back: bytes, status: int) -> None:
    session = make_session()
    wire = Wire(session)
    assert wire.receive(send(back=back)) == []
    assert wire.statuses() == [status]
    assert session.state is SessionState.IDLE
    assert session.connection is None
    assert wire.receive(send()) == [Bound()]


def test_without_a_remote_path_the_first_sender_is_the_peer() -> None:
    session = make_session(remote=b"")
    wire = Wire(session)
    relayed = b"msrp://relay.example.com:1/r;tcp msrp://them.example.com:1/t;tcp"
    assert wire.receive(send(back=relayed)) == [Bound()]
    assert wire.sent()[0].to_path == b"msrp://relay.example.com:1/r;tcp"
    session.send_message(b"x", b"text/plain", 0.0)
    assert wire.sent()[0].to_path == relayed


def test_a_second_connection_cannot_push_out_the_first() -> None:
    session, wire = bound_wire()
    thief = Wire(registry=wire.registry)
    assert thief.receive(send(b"mine")) == []
    assert thief.statuses() == [506]
    assert bodies(wire.receive(send(b"still here"))) == [b"still here"]
    assert session.connection is wire.connection


def test_a_session_is_free_for_nobody_after_its_connection() -> None:
    session, wire = bound_wire()
    wire.connection.close("gone")
    other = Wire(registry=wire.registry)
    assert other.receive(send()) == []
    assert other.statuses() == [481]
    assert session.state is SessionState.CLOSED


def test_two_sessions_on_one_connection() -> None:
    one, two = make_session(session_id="one"), make_session(session_id="two")
    wire = Wire(one, two)
    paths = [b"msrp://us.example.com:1/one;tcp", b"msrp://us.example.com:1/two;tcp"]
    data = [send(to=path) for path in paths] + [send(b"x" + path, to=path) for path in paths]
    wire.connection.receive_data(b"".join(data), 0.0)
    told = [wire.connection.next_event() for _ in range(4)]
    assert [event and event[0] for event in told] == [one, one, two, two]
    one.close("done")
    assert wire.receive(send(b"?", to=paths[0])) == [Closed("done")]
    assert bodies(wire.receive(send(b"!", to=paths[1]))) == [b"!"]
    assert wire.statuses()[-1] == 481


def test_all_that_one_read_brought_is_told_session_by_session() -> None:
    one, two = make_session(session_id="one"), make_session(session_id="two")
    wire = Wire(one, two)
    paths = [b"msrp://us.example.com:1/one;tcp", b"msrp://us.example.com:1/two;tcp"]
    data = [send(body + path, to=path) for body in (b"x", b"y") for path in paths]
    wire.connection.receive_data(b"".join(data), 0.0)
    told = [found for _ in paths if (found := wire.connection.next_events()) is not None]
    assert [session for session, _ in told] == [one, two]
    for (_, events), path in zip(told, paths, strict=True):
        assert isinstance(events[0], Bound)
        assert bodies(events[1:]) == [b"x" + path, b"y" + path]
    assert wire.connection.next_events() is None
    assert one.take_events() == []


@pytest.mark.parametrize("wish", [b"", b"Failure-Report: partial\r\n"])
def test_faults_are_answered_400(wish: bytes) -> None:
    _, wire = bound_wire()
    assert wire.receive(send(b"Hi", byte_range=b"x", extra=wish), send(b"ok")) != []
    assert wire.statuses() == [400]


def test_faults_and_strangers_are_not_answered_if_nobody_wants_to_know() -> None:
    _, wire = bound_wire()
    silent = b"Failure-Report: no\r\n"
    wire.receive(
        send(b"Hi", byte_range=b"x", extra=silent),
        send(b"Hi", to=b"msrp://us.example.com:1/other;tcp", extra=silent),
        send(method=b"REPORT", byte_range=b"x"),
        send(method=b"REPORT", to=b"nonsense"),
        answer(b"tid9", 200, to=b"msrp://us.example.com:1/other;tcp"),
        answer(b"tid9", 200, back=b"msrp://us.example.com:1/other;tcp"),
    )
    assert wire.connection.data_to_send() == b""
    assert wire.connection.ignored_frames == 3


def test_auth_is_for_relays() -> None:
    wire = Wire()
    assert wire.receive(send(method=b"AUTH", to=b"msrps://alice@example.com;tcp")) == []
    assert wire.statuses() == [501]


def test_a_large_chunk_for_nobody_is_refused_once() -> None:
    wire = Wire()
    wire.receive(send(b"x" * 300_000, to=b"msrp://us.example.com:1/other;tcp"))
    assert wire.statuses() == [481]


def test_a_stream_that_cannot_be_framed_closes_all() -> None:
    session, wire = bound_wire()
    with pytest.raises(RemoteProtocolError):
        wire.connection.receive_data(send(b"last") + b"GET / HTTP/1.1\r\n", 0.0)
    assert wire.connection.closed
    events = wire.events()
    assert bodies(events) == [b"last"]
    assert events[1] == Closed("not MSRP")
    assert session.connection is None
    assert wire.receive(send(b"more")) == []
    wire.connection.close("again")
    assert wire.connection.close_reason == "not MSRP"


def test_deadlines_of_all_sessions() -> None:
    _, wire = bound_wire()
    assert Wire().connection.next_deadline() is None
    assert wire.connection.next_deadline() == 60.0
    wire.connection.handle_deadline(60.0)
    assert len(wire.sent()) == 1


def test_events_that_the_session_told_itself_are_not_kept() -> None:
    session, wire = bound_wire()
    for _ in range(3):
        wire.connection.receive_data(send(b"x"), 0.0)
        assert session.next_event() is not None
    assert wire.connection.next_event() is None


def test_many_paths_to_one_session() -> None:
    _, wire = bound_wire()
    for i in range(200):
        to = b"msrp://us.example.com:%d/us;tcp" % (i + 1)
        assert bodies(wire.receive(send(b"x", to=to))) == [b"x"]


def test_refusals_are_told_once_and_not_without_bound() -> None:
    wire = Wire()
    stranger = b"msrp://us.example.com:1/other;tcp"
    wire.receive(*[send(b"x", to=stranger)] * 50, send(method=b"AUTH", to=stranger))
    assert wire.connection.take_refusals() == [(481, stranger)] * 4
    assert wire.connection.take_refusals() == []
    wire.receive(send(method=b"AUTH", to=stranger))
    assert wire.connection.take_refusals() == [(501, stranger)]


@pytest.mark.parametrize(
    ("scheme", "over_tls", "status"),
    [("msrp", False, 200), ("msrp", True, 481), ("msrps", True, 200), ("msrps", False, 481)],
)
def test_a_session_is_found_over_its_own_kind_of_connection(
    scheme: str, over_tls: bool, status: int
) -> None:
    registry = SessionRegistry()
    path = f"{scheme}://us.example.com:1/us;tcp"
    registry.add(MsrpSession(parse_path(path), active=False))
    connection = MsrpConnection(registry, secure=over_tls)
    connection.receive_data(send(to=path.encode()), 0.0)
    assert b" %d " % status in connection.data_to_send()
