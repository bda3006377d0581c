"""Reading a chat in each of the ways, from a source that is told what it brings."""

from collections.abc import Sequence

from sylk.msrp.events import IncomingMessage, PieceReceived
from sylk.msrp.frame import Frame
from sylk.msrp.incoming_stream import IncomingStream
from sylk.session.chat_reading import Batches, Messages, WholeBatches
from sylk.session.message import ChatMessage, MessagePiece


class Source:
    """Brings these batches, then ends."""

    def __init__(self, *batches: list[ChatMessage | MessagePiece]) -> None:
        self._batches = list(batches)
        self.accepted: list[ChatMessage] = []
        self.refused: list[int] = []

    async def take_batch(self) -> list[ChatMessage | MessagePiece]:
        return self._batches.pop(0) if self._batches else []

    def accept(self, messages: Sequence[ChatMessage]) -> None:
        self.accepted += messages

    def refuse(self, message: ChatMessage, status: int, *, as_report: bool = False) -> None:
        assert as_report
        self.refused.append(status)


def message(body: bytes, content_type: bytes = b"text/plain") -> ChatMessage:
    frame = Frame(b"t1", b"SEND", 0, b"", b"to", b"from", {}, body, b"$")
    return ChatMessage(IncomingMessage(b"m1", content_type, body, False, b"yes", frame))


def piece() -> MessagePiece:
    stream = IncomingStream(b"m2", b"text/plain", None, False, b"yes")
    return MessagePiece(PieceReceived(stream, 0, b"part", b"+"))


async def test_message_by_message_each_is_answered_and_pieces_are_left_out() -> None:
    one, other = message(b"one"), message(b"other")
    source = Source([one, piece()], [other])
    assert [each async for each in Messages(source)] == [one, other]
    assert source.accepted == [one, other]


async def test_a_malformed_one_is_refused_and_never_seen() -> None:
    good = message(b"good")
    source = Source([message(b"no cpim", b"message/cpim"), good])
    assert [each async for each in Messages(source)] == [good]
    assert source.refused == [400]


async def test_batches_of_whole_messages_are_never_empty() -> None:
    one = message(b"one")
    source = Source([piece()], [piece(), one])
    assert [batch async for batch in WholeBatches(source)] == [[one]]


async def test_batches_hold_all_there_is() -> None:
    one, part = message(b"one"), piece()
    source = Source([one, part])
    assert [batch async for batch in Batches(source)] == [[one, part]]
    assert source.accepted == []
