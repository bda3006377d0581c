"""What a session keeps for its next connection, and what of it is sent there (RFC 4975 5.4).

Theory. Three things may be missing at the peer when a connection is lost.

Messages of our own that have no answer: `Outstanding` has them, body and all.

Messages that went to many. Nothing is kept of a delivery, but that a `FanOut` went out, which all
its recipients share, can be noted at the price of one reference. With Failure-Report `partial`
nobody confirms them, so the latest are kept: those whose bytes still wait for the socket, as far
as `backlog` tells, and before them KEPT_FAN_OUTS. They go again unless they are known to have come:
whatever was sent before a request that the peer has answered has come before it; and silence means
success after the time of a transaction, as ever. What has come all the same is known to the peer by
its Message-ID.

What the user says while there is no connection: it is put behind these, up to `max_kept` bytes.

All of it goes out in the order of time. Answers of ours are never kept, as their transactions are
gone; REPORTs are.
"""

from collections.abc import Callable

from sylk.errors import LocalProtocolError
from sylk.msrp.events import FanOutAnswered, MessageFailed, SessionEvent
from sylk.msrp.fanout import FanOut
from sylk.msrp.outgoing import CONNECTION_LOST, Outgoing, event_of_loss
from sylk.msrp.outstanding import SentMessage
from sylk.msrp.session_limits import SessionLimits

KEPT_FAN_OUTS = 16
"""Fan-outs kept at least, besides those that wait for the socket."""

MOST_FAN_OUTS = 2 * KEPT_FAN_OUTS
"""Fan-outs kept at most, besides those."""

MAX_AGAIN = 256
"""Messages that are sent again although they may have come, of each kind; the oldest are not."""

MAX_REPORTS = 256
"""REPORTs kept while there is no connection; the oldest is dropped."""


def _nothing_waits() -> int:
    return 0


class Unconfirmed:
    """What one session may have to send again."""

    __slots__ = (
        "_kept",
        "_limits",
        "_outgoing",
        "_reports",
        "_trim_at",
        "backlog",
        "fan_outs",
    )

    def __init__(self, outgoing: Outgoing, limits: SessionLimits) -> None:
        self._outgoing = outgoing
        self._limits = limits
        self.fan_outs: list[FanOut] = []
        """What went to many, the latest last: the same list as long as the session lives."""
        self._reports: list[bytes] = []
        self._trim_at = MOST_FAN_OUTS
        self._kept = 0
        self.backlog: Callable[[], int] = _nothing_waits
        """How many bytes wait for the socket."""

    @property
    def kept(self) -> int:
        """Bytes that are kept to be sent, or sent again."""
        return self._kept + self._outgoing.outstanding.kept

    # While there is a connection

    def note(self, fan_out: FanOut) -> None:
        """Take note of what was just sent."""
        self.fan_outs.append(fan_out)
        if len(self.fan_outs) >= MOST_FAN_OUTS:
            self.trim()

    def trim(self) -> None:
        """Forget the oldest; to be called whenever there are MOST_FAN_OUTS or more."""
        fan_outs = self.fan_outs
        if len(fan_outs) < self._trim_at:
            return
        waiting = self.backlog()
        first = len(fan_outs)
        while first and waiting > 0:
            first -= 1
            waiting -= fan_outs[first].size
        del fan_outs[: max(0, first - KEPT_FAN_OUTS)]
        self._trim_at = max(MOST_FAN_OUTS, 2 * len(fan_outs))

    def confirm(self, sent: float) -> None:
        """Take it that a request sent at that time was answered: what went before it has come."""
        fan_outs = self.fan_outs
        if fan_outs and fan_outs[0].sent < sent:
            fan_outs[:] = [fan_out for fan_out in fan_outs if fan_out.sent >= sent]

    # While there is none

    def link_lost(self, streams: list[bytes], now: float) -> list[SessionEvent]:
        """Decide what is to be sent again; returns what else fails, with `streams`."""
        waiting = self.backlog()
        self.backlog = _nothing_waits
        again: list[FanOut] = []
        count = 0
        for fan_out in reversed(self.fan_outs):
            if waiting > 0:
                waiting -= fan_out.size
            else:
                count += len(fan_out.message_ids)
                is_old = now - fan_out.sent >= self._limits.transaction_timeout
                if is_old or count > MAX_AGAIN:
                    break
            again.append(fan_out)
        again.reverse()
        self.fan_outs[:] = again
        self._kept = sum(fan_out.size for fan_out in again)
        return self._give_up(streams)

    def _give_up(self, streams: list[bytes]) -> list[SessionEvent]:
        outstanding = self._outgoing.outstanding
        unsettled = outstanding.unsettled()
        failed = dict.fromkeys(streams)
        events: list[SessionEvent] = []
        for index, (transaction_id, transaction) in enumerate(unsettled):
            if transaction.message is not None and len(unsettled) - index <= MAX_AGAIN:
                continue
            outstanding.answered(transaction_id)
            event = event_of_loss(transaction)
            if isinstance(event, MessageFailed):
                failed[event.message_id] = None
            elif event is not None:
                events.append(event)
        # A message in pieces may have several transactions, but fails once.
        return events + [MessageFailed(one, 408, CONNECTION_LOST) for one in failed]

    def keep_message(self, message: SentMessage, message_id: bytes, now: float) -> None:
        """Keep one message; raises LocalProtocolError when that is too much."""
        if message.failure_report != b"no":
            self._make_room(len(message.body))
            self._outgoing.message(message, message_id, now)
            return
        # Nobody answers it, so it is kept as what goes to many.
        batch = FanOut()
        batch.sent = now
        batch.add(
            message.body,
            message.content_type,
            message_id=message_id,
            failure_report=message.failure_report,
            success_report=message.success_report,
        )
        self.keep(batch)

    def _make_room(self, size: int) -> None:
        kept = self.kept
        if kept + size > self._limits.max_kept:
            raise LocalProtocolError(f"{kept} bytes wait for another connection")

    def keep(self, fan_out: FanOut) -> None:
        """Keep what is said to many; raises LocalProtocolError when that is too much."""
        size = fan_out.size
        self._make_room(size)
        self._kept += size
        self.fan_outs.append(fan_out)

    def keep_report(self, data: bytes) -> None:
        """Keep a REPORT."""
        self._reports.append(data)
        del self._reports[:-MAX_REPORTS]

    def again(self, path_lines: bytes, now: float) -> list[bytes]:
        """Return all that is to be sent on the new connection, in the order of time."""
        outgoing = self._outgoing
        waiting: list[tuple[float, FanOut | bytes]] = [
            (transaction.sent, transaction_id)
            for transaction_id, transaction in outgoing.outstanding.unsettled()
            if transaction.message is not None
        ]
        waiting += [(fan_out.sent, fan_out) for fan_out in self.fan_outs]
        waiting.sort(key=lambda one: one[0])
        reports, self._reports = self._reports, []
        self._kept = 0
        return reports + [
            what.render_for(path_lines) if isinstance(what, FanOut) else outgoing.again(what, now)
            for _, what in waiting
        ]

    def lost(self, is_watched: bool) -> list[SessionEvent]:
        """Forget everything, as there will be no other connection, and return what has failed.

        `is_watched` tells whether anybody wants to hear of what went to many.
        """
        outstanding = self._outgoing.outstanding.clear()
        events = [event for one in outstanding if (event := event_of_loss(one)) is not None]
        if is_watched:
            events += [
                FanOutAnswered(message_id, 408, CONNECTION_LOST)
                for fan_out in self.fan_outs
                for message_id in fan_out.message_ids
            ]
        self.fan_outs.clear()
        self._reports = []
        return events
