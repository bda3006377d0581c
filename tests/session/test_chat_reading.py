"""Reading a chat in each of the ways, from a source that is told what it brings."""

from collections.abc import Sequence

from sylk.msrp.events import IncomingMessage, NicknameRequested, PieceReceived
from sylk.msrp.frame import Frame
from sylk.msrp.incoming_stream import IncomingStream
from sylk.session.chat_reading import Batches, Messages, WholeBatches
from sylk.session.message import ChatMessage, Incoming, MessagePiece
from sylk.session.nickname import NicknameRequest


class Source:
    """Brings these batches, then ends."""

    def __init__(self, *batches: list[Incoming]) -> None:
        self._batches = list(batches)
        self.accepted: list[ChatMessage] = []
        self.refused: list[int] = []
        self.nicknames: list[tuple[str, int]] = []

    async def take_batch(self) -> list[Incoming]:
        return self._batches.pop(0) if self._batches else []

    def accept(self, messages: Sequence[ChatMessage]) -> None:
        self.accepted += messages

    def refuse(self, message: ChatMessage, status: int, *, as_report: bool = False) -> None:
        assert as_report
        self.refused.append(status)

    def answer_nickname(self, request: NicknameRequest, status: int) -> None:
        self.nicknames.append((request.nickname, status))


def message(body: bytes, content_type: bytes = b"text/plain") -> ChatMessage:
    frame = Frame(b"t1", b"SEND", 0, b"", b"to", b"from", {}, body, b"$")
    return ChatMessage(IncomingMessage(b"m1", content_type, body, False, b"yes", frame))


def piece() -> MessagePiece:
    stream = IncomingStream(b"m2", b"text/plain", None, False, b"yes")
    return MessagePiece(PieceReceived(stream, 0, b"part", b"+"))


def nickname(name: str) -> NicknameRequest:
    frame = Frame(b"t1", b"NICKNAME", 0, b"", b"to", b"from", {}, None, b"$")
    return NicknameRequest(NicknameRequested(name, frame))


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
    batch: list[Incoming] = [message(b"one"), piece(), nickname("Al")]
    source = Source(batch)
    assert [each async for each in Batches(source)] == [batch]
    assert source.accepted == []
    assert source.nicknames == []


async def test_nicknames_are_refused_by_who_reads_messages_alone() -> None:
    for way in (Messages, WholeBatches):
        one = message(b"one")
        source = Source([nickname("Al")], [nickname("Bo"), one])
        assert [each async for each in way(source)] in ([one], [[one]])
        assert source.nicknames == [("Al", 403), ("Bo", 403)]
