"""A large message through the room's engine: decided once, in order, and told as it is."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sylk_conference.passage import HEAD_SIZE, WINDOW, Passage
from sylk_conference.room import Refusal, Room

from sylk.errors import RemoteProtocolError
from sylk.payload.cpim import Address, split_envelope
from tests.apps.conference.test_room import NOW, PEOPLE, ROOM, compose

ALICE = "<sip:alice@example.com>"
TO_ROOM = ["<sip:lobby@example.com>"]


def make_passage(total: int | None = None) -> tuple[Room, Passage]:
    room = Room(ROOM)
    sender = room.join(PEOPLE["alice"])
    room.join(PEOPLE["bob"])
    return room, Passage(room, sender, total)


def test_the_head_is_written_as_for_any_other_message_and_the_rest_goes_as_it_is() -> None:
    content = b"x" * 100_000
    body = compose(None, [], content, date_time=None)
    _, passage = make_passage(len(body))
    assert passage.take(0, body[:1000], NOW, complete=False) == b""
    assert not passage.begun
    out = passage.take(1000, body[1000:50_000], NOW, complete=False)
    assert passage.begun
    assert passage.recipients is None
    out += passage.take(50_000, body[50_000:], NOW, complete=True)
    assert passage.total == len(out)
    envelope = split_envelope(out)
    assert envelope.from_line == b"From: Alice <sip:alice@example.com>"
    assert envelope.date_time == NOW
    assert out.endswith(content)


def test_a_message_that_ends_before_its_head_is_full_is_passed_on_too() -> None:
    body = compose(ALICE, TO_ROOM)
    _, passage = make_passage()
    assert passage.take(0, body, NOW, complete=True).endswith(b"hello")
    assert passage.total is None


def test_a_private_one_is_for_its_recipients_alone() -> None:
    room, passage = make_passage()
    body = compose(ALICE, ["<sip:bob@example.com>"], b"x" * HEAD_SIZE)
    passage.take(0, body, NOW, complete=False)
    bob = room.people.get(b"bob@example.com")
    assert bob is not None
    assert passage.recipients == bob.participants


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (compose("<sip:bob@example.com>", TO_ROOM, b"x" * HEAD_SIZE), 403),
        (compose(ALICE, ["<sip:nobody@example.com>"], b"x" * HEAD_SIZE), 404),
        (compose(ALICE, TO_ROOM, b"x" * HEAD_SIZE, "text/plain; charset=utf-16"), 415),
        (b"x" * HEAD_SIZE, 400),
    ],
)
def test_what_the_room_refuses_is_refused_at_the_beginning(body: bytes, status: int) -> None:
    _, passage = make_passage()
    with pytest.raises(RemoteProtocolError) as caught:
        passage.take(0, body, NOW, complete=False)
    assert caught.value.status == status
    assert not passage.begun


def test_bytes_that_are_no_text_are_refused_wherever_they_come() -> None:
    _, passage = make_passage()
    head = compose(ALICE, TO_ROOM, b"x" * HEAD_SIZE)
    assert passage.take(0, head, NOW, complete=False)
    with pytest.raises(Refusal) as caught:
        passage.take(len(head), b"\xff", NOW, complete=False)
    assert caught.value.status == 415


def test_a_character_may_be_cut_in_two_but_not_left_unfinished() -> None:
    _, passage = make_passage()
    head = compose(ALICE, TO_ROOM, b"x" * HEAD_SIZE) + "ü".encode()[:1]
    passage.take(0, head, NOW, complete=False)
    assert passage.take(len(head), "ü".encode()[1:], NOW, complete=False) == "ü".encode()[1:]
    with pytest.raises(Refusal):
        passage.take(len(head) + 1, "ü".encode()[:1], NOW, complete=True)


def test_too_much_out_of_order_is_refused() -> None:
    _, passage = make_passage()
    assert passage.take(10, b"x" * WINDOW, NOW, complete=False) == b""
    with pytest.raises(Refusal) as caught:
        passage.take(10 + WINDOW, b"x", NOW, complete=False)
    assert caught.value.status == 413


@given(st.lists(st.integers(0, 999), max_size=6), st.randoms(), st.integers(0, 60))
def test_any_order_and_overlap_gives_the_message_in_order(
    cuts: list[int], random: Random, overlap: int
) -> None:
    body = compose(ALICE, TO_ROOM, bytes(65 + number % 26 for number in range(800)))
    edges = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    pieces = [
        (start, body[start : edges[index + 1] + overlap]) for index, start in enumerate(edges[:-1])
    ]
    random.shuffle(pieces)
    _, passage = make_passage(len(body))
    out = b"".join(
        passage.take(start, piece, NOW, complete=number == len(pieces) - 1)
        for number, (start, piece) in enumerate(pieces)
    )
    assert split_envelope(out).from_line == b"From: Alice <sip:alice@example.com>"
    assert out[split_envelope(out).header_end :] == body[split_envelope(body).header_end :]
    assert passage.total == len(out)


def test_who_joins_in_the_middle_is_no_recipient_of_a_private_one() -> None:
    room, passage = make_passage()
    body = compose(ALICE, ["<sip:bob@example.com>"], b"x" * HEAD_SIZE)
    passage.take(0, body, NOW, complete=False)
    assert passage.recipients is not None
    before = list(passage.recipients)
    room.join(Address("sip:bob@example.com"))
    assert list(passage.recipients) == before
