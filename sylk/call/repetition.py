"""A 2xx response that is repeated until its ACK comes (RFC 3261 section 13.3.1.4)."""

from dataclasses import dataclass

from sylk.sip.flow import Flow
from sylk.sip.message import Response
from sylk.sip.timers import Timers


@dataclass(slots=True)
class Repetition:
    """One unacknowledged 2xx: when it goes out again and when the ACK is overdue (seconds)."""

    response: Response
    flow: Flow
    cseq: int
    awaits_answer: bool
    """True when the 2xx holds our offer, so that the ACK must hold the answer."""
    interval: float
    due: float
    overdue: float

    @classmethod
    def begin(
        cls, response: Response, flow: Flow, awaits_answer: bool, timers: Timers, now: float
    ) -> "Repetition":
        """Start the clocks of a 2xx that has just been sent."""
        return cls(
            response=response,
            flow=flow,
            cseq=response.cseq.number,
            awaits_answer=awaits_answer,
            interval=timers.t1,
            due=now + timers.t1,
            overdue=now + 64 * timers.t1,
        )

    def next_deadline(self) -> float:
        """Return the earlier of the two clocks."""
        return min(self.due, self.overdue)

    def repeat(self, timers: Timers, now: float) -> None:
        """Note that the response has gone out again: the interval doubles up to T2."""
        self.interval = min(2 * self.interval, timers.t2)
        self.due = now + self.interval
