"""One chat message as an application reads it."""

import pytest

from sylk.errors import RemoteProtocolError
from sylk.msrp.events import IncomingMessage
from sylk.msrp.frame import Frame
from sylk.msrp.parser import FrameParser
from sylk.payload.cpim import Address
from sylk.session.message import ChatMessage

WRAPPED = (
    b"From: Alice <sip:alice@example.com>\r\nTo: <sip:bob@example.com>\r\n"
    b"DateTime: 2026-11-21T07:35:47Z\r\n\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<b>hi</b>"
)


def a_frame() -> Frame:
    parser = FrameParser()
    parser.receive_data(
        b"MSRP tid1 SEND\r\nTo-Path: msrp://h:1/a;tcp\r\nFrom-Path: msrp://h:2/b;tcp\r\n"
        b"Message-ID: m\r\n-------tid1$\r\n"
    )
    frame = parser.next_event()
    assert frame is not None
    return frame


def message(body: bytes, content_type: bytes) -> ChatMessage:
    return ChatMessage(IncomingMessage(b"m", content_type, body, False, b"yes", a_frame()))


@pytest.mark.parametrize("outer", [b"message/cpim", b"Message/CPIM", b"message/cpim;x=y"])
def test_a_wrapped_message_is_read_from_inside(outer: bytes) -> None:
    one = message(WRAPPED, outer)
    assert one.is_cpim
    assert one.content == b"<b>hi</b>"
    assert one.text == "<b>hi</b>"
    assert one.content_type == "text/html; charset=utf-8"
    assert one.sender == Address("sip:alice@example.com", "Alice")
    assert one.recipients == [Address("sip:bob@example.com")]
    assert one.body == WRAPPED
    assert one.envelope.to_lines == [b"To: <sip:bob@example.com>"]
    # What was read once is not read again.
    assert one.cpim is one.cpim
    assert one.envelope is one.envelope
    one.check()


def test_a_bare_message_has_neither_sender_nor_recipients() -> None:
    one = message("grüß".encode("latin-1"), b"text/plain")
    assert not one.is_cpim
    assert one.content_type == "text/plain"
    assert one.text == "gr\ufffd\ufffd"
    assert one.sender is None
    assert one.recipients == []
    one.check()
    with pytest.raises(RemoteProtocolError):
        _ = one.cpim


def test_a_malformed_wrapping_is_blamed_on_the_peer() -> None:
    one = message(b"nonsense", b"message/cpim")
    for read in (lambda: one.content, lambda: one.sender, lambda: one.envelope, one.check):
        with pytest.raises(RemoteProtocolError) as caught:
            read()
        assert caught.value.status == 400
