"""REPORTs by hand: later than the answer to a message, and on what its user has found out."""

from collections.abc import Callable

from sylk.msrp.answers import Answers
from sylk.msrp.events import IncomingMessage
from sylk.msrp.incoming_stream import IncomingStream
from sylk.msrp.receipt import Receipt


class Reporter:
    """Those of one session; what it sends goes through `queue`."""

    __slots__ = ("_answers", "_queue")

    def __init__(self, answers: Answers, queue: Callable[[bytes], None]) -> None:
        self._answers = answers
        self._queue = queue

    def receipt_of(self, message: IncomingMessage | IncomingStream) -> Receipt:
        """Return what has to be kept of a message so that it can be reported on later.

        It is the same object each time, so that success is reported once.
        """
        return self._answers.receipt_of(message)

    def send(self, receipt: Receipt, status: int = 200, comment: bytes | str | None = None) -> None:
        """Report on a message, if its sender wants to hear that (see `Receipt.admits`).

        Nothing happens when the session is over.
        """
        self._queue(self._answers.report(receipt, status, comment))
