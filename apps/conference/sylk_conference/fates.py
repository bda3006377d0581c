"""What became of the messages of a room, and what their senders are told of it.

The switch answers each message itself. What happens behind it is told by REPORTs of its own, never
by those of the recipients (RFC 7701 section 6.3): that a message was delivered, by the rule of the
room, and who refused it. No I/O, no clock, no tasks.

Theory. A message for which recipients are asked waits for those who have not answered yet:

    rule      success is reported when          and 408, with the names of the silent ones
    accepted  the room has taken it (not here)  never
    any       the first one has it              when the time is over and nobody has it
    all       the last one has it, if none      when the time is over and somebody is silent
              has refused it

A refusal is reported at once, with the name of who refused. Of many, the first NAMED are reported
each, and what follows within WINDOW in one report that names one and counts the others; that is the
last. So a message costs its sender a handful of reports, in a room of any size.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Literal

from sylk.session import Receipt
from sylk_conference.people import Participant

Rule = Literal["accepted", "any", "all"]

MAX_FATES = 1024
"""Messages of one room whose failures are known to belong to somebody; the oldest is forgotten."""

MAX_UNDER_WAY = 256
"""Messages of one room that wait for recipients; for the oldest the time is over then."""

NAMED = 3
"""Names in one report, and reports on single failures of one message."""

WINDOW = 2.0
"""Seconds for which further failures are gathered."""

Tell = Callable[[Participant, Receipt, int, str | None], None]
"""Sends a report with a status and a comment to the sender of a message, if he is still here."""

_REASONS = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    413: "Message too large",
    415: "Unsupported media type",
    481: "No such session",
    501: "Method unknown",
    506: "Session already bound",
}
"""The failures that RFC 4975 section 10 knows; another one counts as 400."""


class Fate:
    """One message: whose it is, and who has still to tell something."""

    __slots__ = (
        "_failures",
        "_last",
        "_rest",
        "deadline",
        "is_closed",
        "receipt",
        "refused",
        "sender",
        "waiting",
    )

    def __init__(
        self, sender: Participant, receipt: Receipt, waiting: set[Participant] | None = None
    ) -> None:
        self.sender = sender
        self.receipt = receipt
        self.waiting = waiting
        """Those who were asked and have not answered; None when nobody is waited for."""
        self.refused = False
        self.deadline = 0.0
        self.is_closed = False
        """True once the last report on failures is sent."""
        self._failures = 0
        self._rest = 0
        self._last = (0, "")

    @property
    def is_asked(self) -> bool:
        """Tell whether recipients are to tell that they have it."""
        return self.waiting is not None

    def count(self, status: int, text: str) -> bool:
        """Count a failure; whether it is reported by itself."""
        self._failures += 1
        if self._failures <= NAMED:
            return True
        self._rest += 1
        self._last = (status, text)
        return False

    def rest(self) -> tuple[int, str]:
        """Return the status and the comment of the last report, for once."""
        self.is_closed = True
        status, text = self._last
        return status, f"{text}, and {self._rest - 1} more" if self._rest > 1 else text


class Fates:
    """The messages of one room that were passed on not long ago."""

    def __init__(self, rule: Rule, patience: float, tell: Tell) -> None:
        self._rule = rule
        self._patience = patience
        self._tell = tell
        # A message of which nothing is known but whose it is: as most are and stay.
        self._fates: dict[bytes, Fate | tuple[Participant, Receipt]] = {}
        self._order: deque[bytes] = deque()
        # All wait equally long, so that the order of each is that of the deadlines.
        self._under_way: dict[bytes, Fate] = {}
        self._gathering: dict[Fate, float] = {}

    def asks(self, receipt: Receipt) -> bool:
        """Tell whether recipients are asked, if there are any."""
        return self._rule != "accepted" and receipt.success_report

    def begin(self, sender: Participant, receipt: Receipt, present: Iterable[Participant]) -> Fate:
        """Take up a message for those who are `present`; the sender's other clients do not count.

        Where recipients are asked (`Fate.is_asked`), success is reported from here.
        """
        if not self.asks(receipt):
            return Fate(sender, receipt)
        waiting = {one for one in present if one.key != sender.key}
        return Fate(sender, receipt, waiting or None)

    def follow(self, identifier: bytes, fate: Fate) -> None:
        """Let what comes under `identifier` be about this message."""
        if identifier not in self._fates:
            self.note(identifier, fate.sender, fate.receipt)
        self._fates[identifier] = fate

    def note(self, identifier: bytes, sender: Participant, receipt: Receipt) -> None:
        """Remember whose message it is, for which nobody is asked."""
        order = self._order
        if len(order) >= MAX_FATES:
            del self._fates[order.popleft()]
        order.append(identifier)
        self._fates[identifier] = (sender, receipt)

    def wait(self, identifier: bytes, fate: Fate, now: float) -> None:
        """Give the recipients their time, once all of the message is on its way."""
        if fate.waiting is None:
            return
        if len(self._under_way) >= MAX_UNDER_WAY:
            self._give_up(next(iter(self._under_way)))
        fate.deadline = now + self._patience
        self._under_way[identifier] = fate

    def give_up(self, fate: Fate) -> None:
        """Wait for nobody any more: the message will never be whole."""
        fate.waiting = None

    def delivered(self, identifier: bytes, recipient: Participant) -> None:
        """Take it that a recipient has the message."""
        fate = self._find(identifier)
        if fate is None or fate.waiting is None or recipient not in fate.waiting:
            return
        fate.waiting.discard(recipient)
        if self._rule == "any" or not (fate.waiting or fate.refused):
            self._finish(identifier, fate)
            self._tell(fate.sender, fate.receipt, 200, None)
        elif not fate.waiting:
            self._finish(identifier, fate)

    def failed(
        self, identifier: bytes, recipient: Participant, status: int, reason: str, now: float
    ) -> None:
        """Take it that a recipient has refused the message, or has lost it."""
        fate = self._find(identifier)
        if fate is None:
            return
        if fate.waiting is not None:
            fate.refused = True
            fate.waiting.discard(recipient)
            if not fate.waiting:
                self._finish(identifier, fate)
        if not fate.receipt.failure_report:
            return
        known = status if status in _REASONS else 400
        text = f"{_name_of(recipient)}: {reason or _REASONS[known]}"
        if fate.count(known, text):
            self._tell(fate.sender, fate.receipt, known, text)
        elif not fate.is_closed and len(self._gathering) < MAX_FATES:
            self._gathering.setdefault(fate, now + WINDOW)

    def next_deadline(self) -> float | None:
        """Return when `handle_deadline` is to be called, None for never."""
        oldest = next(iter(self._under_way.values()), None)
        deadline = None if oldest is None else oldest.deadline
        gathered = next(iter(self._gathering.values()), None)
        if deadline is None or gathered is None:
            return gathered if deadline is None else deadline
        return min(deadline, gathered)

    def handle_deadline(self, now: float) -> None:
        """Report what is due by `now`."""
        while (identifier := next(iter(self._under_way), None)) is not None:
            if self._under_way[identifier].deadline > now:
                break
            self._give_up(identifier)
        for fate in [fate for fate, at in self._gathering.items() if at <= now]:
            del self._gathering[fate]
            self._tell(fate.sender, fate.receipt, *fate.rest())

    def _find(self, identifier: bytes) -> Fate | None:
        found = self._fates.get(identifier)
        if isinstance(found, tuple):
            found = self._fates[identifier] = Fate(*found)
        return found or self._under_way.get(identifier)

    def _finish(self, identifier: bytes, fate: Fate) -> None:
        fate.waiting = None
        self._under_way.pop(identifier, None)

    def _give_up(self, identifier: bytes) -> None:
        fate = self._under_way.pop(identifier)
        if fate.waiting is None:
            return
        names = sorted(_name_of(one) for one in fate.waiting)
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        fate.waiting = None
        text = f"{', '.join(names[:NAMED])}{more}: {_REASONS[408]}"
        self._tell(fate.sender, fate.receipt, 408, text)


def _name_of(participant: Participant) -> str:
    return participant.key.decode("utf-8", "replace")
