from datetime import UTC, datetime

import pytest

from sylk.cli.received import Noticed, Parties, Said, Writing, read_message
from sylk.msrp.events import IncomingMessage
from sylk.msrp.frame import Frame
from sylk.payload.composing import CONTENT_TYPE as COMPOSING
from sylk.payload.composing import ComposingState, IsComposing
from sylk.payload.cpim import Address, CpimMessage
from sylk.session.message import ChatMessage

ME = Address("sip:me@example.com", "Me")
ALICE = Address("sip:alice@example.com", "Alice")
ROOM = Address("sip:lobby@example.com")
IN_ROOM = Parties(ME, ROOM, is_room=True)
WITH_ALICE = Parties(ME, ALICE, is_room=False)
STATE = IsComposing(ComposingState.ACTIVE, refresh=60)
SENT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
STATUS = ("agp", "urn:ag-projects:xml:ns:cpim", "Message-Type", "status")


def bare(body: bytes, content_type: bytes) -> ChatMessage:
    frame = Frame(b"t", b"SEND", 0, b"", b"", b"", {}, body, b"$")
    return ChatMessage(IncomingMessage(b"id", content_type, body, False, b"yes", frame))


def wrapped(
    sender: Address,
    text: str | bytes,
    content_type: str = "text/plain",
    to: Address = ROOM,
    extra: tuple[tuple[str, str, str, str], ...] = (),
) -> ChatMessage:
    content = text.encode() if isinstance(text, str) else text
    cpim = CpimMessage.compose(sender, to, content, content_type, "2026-11-21T12:00:00Z", extra)
    return bare(cpim.render(), b"message/cpim")


@pytest.mark.parametrize(
    ("message", "meaning"),
    [
        (wrapped(ALICE, "hello"), Said(ALICE, "hello", sent=SENT)),
        (wrapped(ALICE, "psst", to=ME), Said(ALICE, "psst", is_private=True, sent=SENT)),
        (wrapped(ME, "psst", to=ALICE), Said(ME, "psst", to=ALICE, sent=SENT)),
        (wrapped(ME, "hello"), Said(ME, "hello", sent=SENT)),
        (wrapped(ROOM, "Welcome!", to=ROOM), Noticed("Welcome!")),
        (wrapped(ALICE, "x has left", extra=(STATUS,)), Noticed("x has left")),
        (wrapped(ALICE, "<b>hi</b>", "text/html"), Said(ALICE, "hi", sent=SENT)),
        (wrapped(ALICE, b"1234", "image/png"), Said(ALICE, "[image/png, 4 bytes]", sent=SENT)),
        (wrapped(ALICE, "<x/>", COMPOSING), None),
        (wrapped(ALICE, STATE.render(), COMPOSING), Writing(ALICE, STATE)),
    ],
)
def test_messages_in_a_room(message: ChatMessage, meaning: object) -> None:
    assert read_message(message, IN_ROOM) == meaning


@pytest.mark.parametrize(
    ("message", "meaning"),
    [
        (wrapped(ALICE, "hello", to=ME), Said(ALICE, "hello", sent=SENT)),
        (bare(b"hello", b"text/plain;charset=utf-8"), Said(ALICE, "hello")),
        (bare(b"\xff", b"text/plain"), Said(ALICE, "\ufffd")),
    ],
)
def test_messages_of_a_person(message: ChatMessage, meaning: object) -> None:
    assert read_message(message, WITH_ALICE) == meaning


@pytest.mark.parametrize(
    "message",
    [
        bare(b"no header here", b"message/cpim"),
        bare(b"From: <<>\r\n\r\nContent-Type: text/plain\r\n\r\nx", b"message/cpim"),
        bare(b"x", b"not a type"),
    ],
)
def test_what_cannot_be_read_is_a_notice(message: ChatMessage) -> None:
    meaning = read_message(message, WITH_ALICE)
    assert isinstance(meaning, Noticed)
    assert "cannot be read" in meaning.text
