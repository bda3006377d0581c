"""The room against a plain model: who gets what, in which order, and what is refused."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sylk_conference.content import Refusal
from sylk_conference.people import Participant, comparable
from sylk_conference.policy import RoomPolicy
from sylk_conference.room import Delivery, Room
from sylk_conference.settings import RoomSettings

from sylk.errors import RemoteProtocolError
from sylk.payload.cpim import Address, CpimMessage, split_envelope

ROOM = Address("sip:lobby@example.com", "Conference Room")
PEOPLE = {
    "alice": Address("sip:alice@example.com", "Alice"),
    "bob": Address("sip:bob@example.com"),
    "Carol": Address("sip:Carol@Example.com", 'Ca"rol, Ünal'),
}
NOW = b"2026-11-21T07:35:47+00:00"
STAMP = "2020-02-29T23:59:59Z"
PLAIN = "text/plain; charset=utf-8"


def compose(
    from_: str | None,
    to: list[str],
    content: bytes = b"hello",
    content_type: str | None = PLAIN,
    date_time: str | None = STAMP,
    extra: tuple[str, ...] = (),
) -> bytes:
    lines = [f"From: {from_}"] if from_ is not None else []
    lines += [f"To: {one}" for one in to]
    lines += [f"DateTime: {date_time}"] if date_time is not None else []
    # Without any header at all it were no CPIM.
    lines += extra if lines or extra else ["Subject: x"]
    mime = f"Content-Type: {content_type}\r\n" if content_type else "MIME-Version: 1.0\r\n"
    return "\r\n".join([*lines, "", mime, ""]).encode() + content


def post(room: Room, sender: Participant, body: bytes) -> Delivery:
    return room.post(sender, body, split_envelope(body), NOW)


def room_with(*names: str) -> tuple[Room, list[Participant]]:
    room = Room(ROOM)
    return room, [room.join(PEOPLE[name]) for name in names]


# One thing at a time


def test_who_calls_himself_otherwise_speaks_under_the_name_that_we_know() -> None:
    room = Room(ROOM)
    known = room.join(PEOPLE["alice"], Address("sip:anonymous@anonymous.invalid", "Nobody"))
    room.join(PEOPLE["bob"])
    for said in ("<sip:anonymous@Anonymous.invalid>", "<sip:alice@example.com>"):
        delivery = post(room, known, compose(said, [ROOM.render()]))
        assert split_envelope(delivery.body).from_line == known.from_line
    for said in ("<sip:bob@example.com>", f"<{ROOM.uri}>"):
        with pytest.raises(Refusal):
            post(room, known, compose(said, [ROOM.render()]))
    assert b"alice@example.com" in room.people
    assert b"anonymous@anonymous.invalid" not in room.people


def test_a_message_that_has_all_right_passes_as_the_bytes_that_came() -> None:
    room, (alice, _) = room_with("alice", "bob")
    body = compose("Alice <sip:alice@example.com>", [ROOM.render()], extra=("cc: <sip:x@y>",))
    delivery = post(room, alice, body)
    assert delivery.body is body
    assert delivery.recipients is None


def test_what_is_missing_is_filled_in() -> None:
    room, (alice,) = room_with("alice")
    message = CpimMessage.parse(
        post(room, alice, b"Subject: s\r\n\r\nContent-Type: text/plain\r\n\r\nhello").body
    )
    assert message.from_ == PEOPLE["alice"]
    assert message.to == [ROOM]
    assert message.date_time == NOW.decode()
    assert message.header("Subject") == "s"
    assert message.content == b"hello"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            b"From: Alice <sip:alice@example.com>\nTo: <sip:lobby@example.com>\nDateTime: x\n\n"
            b"Content-Type: text/plain\n\nhello",
            id="bare LF",
        ),
        pytest.param(
            b"From: Alice <sip:alice@example.com>\r\nTo: <sip:lobby@example.com>\r\n"
            b"DateTime: x\r\nContent-Type: text/plain\r\n\r\nhello",
            id="no blank line",
        ),
        pytest.param(
            b"From: Alice <sip:alice@example.com>\r\nTo: <sip:lobby@example.com>\r\n"
            b"DateTime: x\r\nSubject: a\r\n b\r\n\r\nContent-Type: text/plain\r\n\r\nhello",
            id="folded",
        ),
        pytest.param(
            b"From: Alice <sip:alice@example.com>\r\nTo: <sip:lobby@example.com>\r\n"
            b"DateTime: x\r\nDateTime: y\r\n\r\nContent-Type: text/plain\r\n\r\nhello",
            id="two dates",
        ),
    ],
)
def test_an_odd_header_block_is_written_anew_for_strict_clients(body: bytes) -> None:
    room, (alice,) = room_with("alice")
    delivery = post(room, alice, body)
    block, blank, rest = delivery.body.partition(b"\r\n\r\n")
    lines = block.split(b"\r\n")
    assert blank
    assert rest.startswith(b"Content-Type: text/plain")
    assert lines[:3] == [alice.from_line, room.to_line, b"DateTime: x"]
    assert b"\n" not in b"".join(lines)
    assert CpimMessage.parse(delivery.body).content == b"hello"


@pytest.mark.parametrize(
    ("to", "to_whom"),
    [
        (["<sip:bob@example.com>"], ["bob", "bob", "alice"]),
        (['"Bob" <sip:bob@EXAMPLE.com:5061;transport=tcp>'], ["bob", "bob", "alice"]),
        (["<sips:bob@example.com>"], ["bob", "bob", "alice"]),
        (["<sip:alice@example.com>"], ["alice"]),
        (["<sip:lobby@example.com>"], None),
        (["<sip:lobby@EXAMPLE.com;x=y>"], None),
        (["<sip:lobby@example.com>", "<sip:lobby@EXAMPLE.com>"], None),
        ([], None),
    ],
)
def test_one_other_recipient_makes_it_private(to: list[str], to_whom: list[str] | None) -> None:
    room, (alice, *others) = room_with("alice", "bob", "bob", "alice", "Carol")
    delivery = post(room, alice, compose("<sip:alice@example.com>", to))
    if to_whom is None:
        assert delivery.recipients is None
        return
    assert delivery.recipients is not None
    assert [one.address for one in delivery.recipients] == [PEOPLE[name] for name in to_whom]
    assert all(one is not alice and one in others for one in delivery.recipients)
    parsed = CpimMessage.parse(delivery.body)
    assert [one.uri for one in parsed.to] == [Address.parse(to[0]).uri]


@pytest.mark.parametrize(
    ("from_", "to", "status"),
    [
        ("<sip:bob@example.com>", [], 403),
        ("<sip:Alice@example.com>", [], 403),
        ("<sip:alice@example.org>", [], 403),
        ("<sip:alice@example.com@evil.org>", [], 403),
        ("<>", [], 400),
        ("<sip:alice@example.com>", ["<sip:dave@example.com>"], 404),
        ("<sip:alice@example.com>", ["<sip:Bob@example.com>"], 404),
        ("<sip:alice@example.com>", ["<sip:lobby"], 400),
        ("<sip:alice@example.com>", ["<sip:bob@example.com>", "<sip:lobby@example.com>"], 403),
    ],
)
def test_a_forged_sender_and_an_absent_recipient_are_refused(
    from_: str, to: list[str], status: int
) -> None:
    room, (alice, _) = room_with("alice", "bob")
    with pytest.raises(RemoteProtocolError) as caught:
        post(room, alice, compose(from_, to))
    assert caught.value.status == status
    # These are refused in the response itself, aloud.
    assert not (isinstance(caught.value, Refusal) and caught.value.as_report)


# Types


def room_of(**accepts: tuple[str, ...]) -> tuple[Room, dict[str, Participant]]:
    """Return a room of people whose clients take these types."""
    room = Room(ROOM)
    return room, {
        name: room.join(Address(f"sip:{name}@example.com"), accepts=types)
        for name, types in accepts.items()
    }


def test_who_does_not_take_a_type_gets_its_text() -> None:
    room, people = room_of(alice=(), bob=("text/*", "image/*"), carol=("text/plain",), dave=())
    body = compose("<sip:alice@example.com>", [], b"<p>hello</p>", "text/html")
    delivery = post(room, people["alice"], body)
    assert delivery.recipients == [people["bob"], people["dave"]]
    assert CpimMessage.parse(delivery.body).content == b"<p>hello</p>"
    assert delivery.alternative is not None
    assert delivery.alternative.recipients == [people["carol"]]
    instead = CpimMessage.parse(delivery.alternative.body)
    assert instead.content == b"hello"
    assert instead.content_type.startswith("text/plain")
    assert instead.from_ == Address("sip:alice@example.com")
    # Who takes all that is said gets it with everybody else.
    assert post(room, people["alice"], compose(None, [])).recipients is None


def test_what_has_no_text_is_left_out_for_who_does_not_take_it() -> None:
    room, people = room_of(alice=(), bob=("text/*", "image/*"), carol=("text/plain",))
    delivery = post(room, people["alice"], compose(None, [], b"iVBORw0KGgo=", "image/png"))
    assert delivery.recipients == [people["bob"]]
    assert delivery.alternative is None
    # The sender's own client needs not to take what it sends.
    delivery = post(room, people["carol"], compose(None, [], b"iVBORw0KGgo=", "image/png"))
    assert delivery.recipients is None or people["carol"] not in delivery.recipients


def test_what_nobody_takes_is_refused_aloud() -> None:
    room, people = room_of(alice=(), bob=("text/plain",), carol=("text/plain",))
    body = compose(None, [], b"iVBORw0KGgo=", "image/png")
    with pytest.raises(Refusal) as caught:
        post(room, people["alice"], body)
    assert caught.value.status == 415
    assert caught.value.as_report
    whisper = compose(None, ["<sip:bob@example.com>"], b"iVBORw0KGgo=", "image/png")
    with pytest.raises(Refusal):
        post(room, people["alice"], whisper)
    # The one who could not take it has gone, one who can has come.
    room.leave(people["bob"])
    dave = room.join(Address("sip:dave@example.com"))
    assert post(room, people["alice"], body).recipients == [dave]


def test_a_room_may_take_some_types_only() -> None:
    room = Room(ROOM, RoomPolicy(RoomSettings(content_types=("text/plain",))))
    alice = room.join(PEOPLE["alice"])
    assert post(room, alice, compose(None, [])).recipients is None
    with pytest.raises(Refusal) as caught:
        post(room, alice, compose(None, [], b"<p>", "text/html"))
    assert caught.value.status == 413


# Anything


_PIECES = st.sampled_from(
    [
        b"From: Alice <sip:alice@example.com>",
        b"From: <sip:alice@example.com>",
        b"From: <sip:bob@example.com>",
        b"To: Conference Room <sip:lobby@example.com>",
        b"To: <sip:bob@example.com>",
        b"To: x",
        b"DateTime: 2020-02-29T23:59:59Z",
        b"NS: a <u>",
        b"a.b: c",
        b"Content-Type: text/plain",
        b"Content-Type: text/\xff",
        b"\r\n",
        b"\r\n",
        b"\n",
        b" ",
        b"\x00",
        b"hello",
    ]
)


@settings(max_examples=400)
@given(st.lists(_PIECES | st.binary(max_size=3), max_size=20).map(b"".join))
@example(b"")
def test_anything_is_refused_properly_or_passed_on_well(body: bytes) -> None:
    room, (alice, bob) = room_with("alice", "bob")
    try:
        delivery = post(room, alice, body)
    except RemoteProtocolError:
        return
    message = CpimMessage.parse(delivery.body)
    assert message.from_ is not None
    assert comparable(message.from_.uri.encode()) == alice.key
    assert message.date_time
    assert delivery.recipients in (None, [bob])
    block = delivery.body.partition(b"\r\n\r\n")[0]
    assert b"\n" not in block.replace(b"\r\n", b"")
    delivery.body.decode()
