"""SEND requests on their way through a relay (RFC 4976 section 6.4.1).

A whole one goes on as it came and is answered at once. One that comes in pieces goes on as it
comes, and is answered at its end; what stops it before is answered there and then, and the rest of
it is read and forgotten. So its sender hears of each chunk once from us, by this answer; what
happens to the chunk after that is told by a REPORT.
"""

from sylk.errors import RemoteProtocolError
from sylk.msrp.answers import answer
from sylk.msrp.connection import MsrpConnection
from sylk.msrp.frame import Frame, answer_path_lines, render_answer
from sylk.msrp.header_names import render_headers
from sylk.msrp.identifiers import TransactionIds
from sylk.msrp.inbox import failure_report_of
from sylk.msrp.relay_outlets import Outlets
from sylk.msrp.relay_routes import Route
from sylk.msrp.relay_transactions import Purpose, Transactions, transaction_of
from sylk.msrp.relayed_chunk import RelayedChunk

MAX_HEAD = 16_000
"""Bytes of headers that are passed on. The next hop would close on a line of more than 16384."""

MAX_HEADERS = 60
"""Header fields that are passed on, without the paths; the next hop would close on 64 lines."""

_OK = 200
_PURPOSES = {b"yes": Purpose.SEND, b"partial": Purpose.QUIET_SEND}


class _Passage:
    """A chunk that comes in pieces over one connection; `chunk` is None where it has failed."""

    __slots__ = ("chunk", "first", "last_id", "route", "target")

    def __init__(self, first: Frame, route: Route | None, target: MsrpConnection | None) -> None:
        self.first = first
        self.route = route
        self.target = target
        self.chunk = None if route is None else RelayedChunk(first)
        self.last_id = b""


class Sends:
    """All SEND requests of one relay; at most one of each connection is unfinished."""

    def __init__(
        self, outlets: Outlets, transactions: Transactions, transaction_ids: TransactionIds
    ) -> None:
        self._outlets = outlets
        self._transactions = transactions
        self._ids = transaction_ids
        self._passages: dict[MsrpConnection, _Passage] = {}

    def pass_on(self, link: MsrpConnection, route: Route, frame: Frame, now: float) -> None:
        """Pass on a request, or the first piece of one.

        Raises RemoteProtocolError with the status to refuse it with.
        """
        target = route.target
        assert target is not None
        if b"message-id" not in frame.headers:
            raise RemoteProtocolError("no Message-ID", 400)
        if not frame.flag:
            self._passages[link] = _Passage(frame, route, target)
            self.pass_piece(link, frame, now)
            return
        transaction_id = self._ids.take(frame.body)
        purpose = _PURPOSES.get(failure_report_of(frame.headers))
        if purpose is not None:
            steps = len(route.tokens)
            transaction = transaction_of(purpose, frame, link, target, steps)
            self._transactions.begin(transaction_id, transaction)
            self._transactions.sent(transaction_id, now)
        self._outlets.write(target, render(transaction_id, route.path_lines, frame))
        if data := answer(frame, _OK):
            self._outlets.write(link, data)

    def refuse(self, link: MsrpConnection, frame: Frame, status: int) -> None:
        """Answer a request of any kind that does not go on; the rest of it is forgotten."""
        if not frame.flag:
            self._passages[link] = _Passage(frame, None, None)
        if data := answer(frame, status):
            self._outlets.write(link, data)

    def pass_piece(self, link: MsrpConnection, frame: Frame, now: float) -> bool:
        """Pass on the next piece of a chunk; False when it is not of one that came here."""
        passage = self._passages.get(link)
        if passage is None:
            return False
        chunk, target = passage.chunk, passage.target
        if chunk is not None and target is not None:
            try:
                self._write_piece(link, passage, chunk, target, frame, now)
            except RemoteProtocolError as error:
                self._fail(link, passage, error.status)
            else:
                if frame.flag and (data := answer(passage.first, _OK)):
                    self._outlets.write(link, data)
        if frame.flag:
            del self._passages[link]
        return True

    def refused(self, link: MsrpConnection, transaction_id: bytes, status: int) -> bool:
        """Stop a chunk from `link` that is still coming in, if the answer was to its open part."""
        passage = self._passages.get(link)
        chunk = None if passage is None else passage.chunk
        if passage is None or chunk is None or transaction_id != chunk.transaction_id:
            return False
        self._fail(link, passage, status)
        return True

    def closed(self, link: MsrpConnection, status: int) -> None:
        """Take it that a connection has closed: end what came from it, fail what goes to it."""
        passage = self._passages.pop(link, None)
        if passage is not None:
            self._abandon(passage)
        for source, other in self._passages.items():
            if other.target is link:
                other.target = None
                self._fail(source, other, status)

    def expired(self, session_id: str, status: int) -> None:
        """Stop what is on its way over a path that is good no more."""
        for source, passage in self._passages.items():
            route = passage.route
            if route is not None and any(one.session_id == session_id for one in route.tokens):
                self._fail(source, passage, status)

    def _write_piece(
        self,
        link: MsrpConnection,
        passage: _Passage,
        chunk: RelayedChunk,
        target: MsrpConnection,
        frame: Frame,
        now: float,
    ) -> None:
        write, transactions = self._outlets.write, self._transactions
        piece = frame.body or b""
        while True:
            if not chunk.is_open:
                # Another frame may have ended the part before this one.
                transactions.sent(passage.last_id, now)
                self._open(link, passage, chunk, target)
            taken = chunk.take(piece)
            transactions.add_piece(chunk.transaction_id, taken)
            write(target, piece[:taken], chunk)
            piece = piece[taken:]
            if not piece:
                break
            write(target, chunk.close(b"+"), chunk)
        if frame.flag:
            write(target, chunk.close(frame.flag), chunk)
            transactions.sent(passage.last_id, now)

    def _open(
        self, link: MsrpConnection, passage: _Passage, chunk: RelayedChunk, target: MsrpConnection
    ) -> None:
        assert passage.route is not None
        transaction_id = passage.last_id = self._ids.take()
        purpose = _PURPOSES.get(chunk.failure_report)
        if purpose is not None:
            steps = len(passage.route.tokens)
            transaction = transaction_of(purpose, passage.first, link, target, steps)
            transaction.start, transaction.size = chunk.position + 1, 0
            self._transactions.begin(transaction_id, transaction)
        lines = passage.route.path_lines
        self._outlets.write(target, chunk.open(transaction_id, lines, chunk.position), chunk)

    def _fail(self, link: MsrpConnection, passage: _Passage, status: int) -> None:
        """Answer a chunk that cannot go on, before it has ended."""
        if passage.chunk is None:
            return
        wish = passage.chunk.failure_report
        self._abandon(passage)
        if wish != b"no":
            first = passage.first
            lines = answer_path_lines(first.to_path, first.from_path, whole=False)
            self._outlets.write(link, render_answer(first.transaction_id, status, lines))

    def _abandon(self, passage: _Passage) -> None:
        """Tell the target that nothing follows."""
        chunk, target = passage.chunk, passage.target
        passage.chunk = passage.route = passage.target = None
        self._transactions.forget(passage.last_id)
        if chunk is not None and chunk.is_open and target is not None:
            self._outlets.write(target, chunk.close(b"#"), chunk)


def check_head(path_lines: bytes, frame: Frame) -> None:
    """Raise RemoteProtocolError 400 when the next hop may choke on what we make of the headers.

    Others share the connection to it: nobody is to make it close.
    """
    headers = frame.headers
    size = len(path_lines) + sum(map(len, headers)) + sum(map(len, headers.values()))
    if len(headers) > MAX_HEADERS or size > MAX_HEAD:
        raise RemoteProtocolError("headers too large to be passed on", 400)


def render(transaction_id: bytes, path_lines: bytes, frame: Frame) -> bytes:
    """Write a whole request anew, with the paths of the next hop."""
    headers = render_headers(frame.headers)
    start = b"MSRP %b %b\r\n" % (transaction_id, frame.method)
    end = b"-------%b%b\r\n" % (transaction_id, frame.flag)
    if frame.body is None:
        return b"".join((start, path_lines, headers, end))
    return b"".join((start, path_lines, headers, b"\r\n", frame.body, b"\r\n", end))
