"""The reports of one room on the wire: its fates with a clock and with the chats of its people."""

from collections import deque

import trio

from sylk.session import Broadcast, Chat, Receipt
from sylk_conference.alarm import SetAlarm
from sylk_conference.fates import Fate, Fates, Rule
from sylk_conference.people import Participant

HeldReports = list[tuple[Receipt, int, str | None]]
"""Reports that wait for the answers to messages: receipt, status and comment of each."""


_OK = 200


class Reporting:
    """What happens to the messages of a room behind the switch, and who is told."""

    def __init__(
        self,
        rule: Rule,
        patience: float,
        chats: dict[Participant, Chat],
        listeners: dict[Participant, Chat],
        set_alarm: SetAlarm,
    ) -> None:
        """Report to the `chats` of those who are here, and ask the `listeners` among them.

        Others keep both up to date.
        """
        self._chats = chats
        self._listeners = listeners
        self._unanswered: dict[Participant, deque[HeldReports]] = {}
        self._fates = Fates(rule, patience, self._tell)
        self._set_alarm = set_alarm
        self._alarm_at: float | None = None

    def close(self) -> None:
        """Tell nothing any more: nobody is here."""
        self._set_alarm(None, self._ring)

    def listen_to(self, participant: Participant, chat: Chat) -> None:
        """Take what somebody answers to the messages that he gets."""
        answers = _Answers(self, participant)
        chat.watch_fan_outs(answers.answered)
        chat.on_delivered = answers.delivered
        chat.on_failure = answers.failed

    def add(
        self,
        broadcast: Broadcast,
        body: bytes,
        sender: Participant,
        receipt: Receipt,
        others: list[Participant] | None,
    ) -> bool:
        """Add a message for `others`, for everybody but the sender if that is None.

        Returns whether its success is reported from here, and not with its answer.
        """
        if not self._fates.asks(receipt):
            identifier = broadcast.add(body)
            if receipt.failure_report:
                self._fates.note(identifier, sender, receipt)
            return False
        fate = self.begin(sender, receipt, others)
        identifier = broadcast.add(body, success_report=fate.is_asked)
        self.follow(identifier, fate)
        self.sent(identifier, fate)
        return fate.is_asked

    def begin(
        self, sender: Participant, receipt: Receipt, others: list[Participant] | None
    ) -> Fate:
        """Take up a message for `others`, for everybody but the sender if that is None."""
        present = self._listeners if others is None else others
        return self._fates.begin(sender, receipt, (one for one in present if self._hears(one)))

    def follow(self, identifier: bytes, fate: Fate) -> None:
        """Let the answers to what is sent under `identifier` be about this message."""
        if fate.receipt.failure_report or fate.is_asked:
            self._fates.follow(identifier, fate)

    def sent(self, identifier: bytes, fate: Fate) -> None:
        """Give the recipients their time: all of the message is on its way."""
        if fate.is_asked:
            self._fates.wait(identifier, fate, trio.current_time())
            self._keep_time()

    def give_up(self, fate: Fate) -> None:
        """Wait for nobody any more: the message will never be whole."""
        self._fates.give_up(fate)

    def failed(
        self, recipient: Participant, identifier: bytes, status: int, reason: str = ""
    ) -> None:
        """Take it that a message did not reach somebody."""
        self._fates.failed(identifier, recipient, status, reason, trio.current_time())
        self._keep_time()

    def delivered(self, recipient: Participant, identifier: bytes) -> None:
        """Take it that somebody has a message."""
        self._fates.delivered(identifier, recipient)
        self._keep_time()

    def _hears(self, participant: Participant) -> bool:
        chat = self._listeners.get(participant)
        return chat is not None and not chat.is_over and not chat.is_held

    def _tell(
        self, sender: Participant, receipt: Receipt, status: int, comment: str | None
    ) -> None:
        if (unanswered := self._unanswered.get(sender)) is not None:
            unanswered[-1].append((receipt, status, comment))
        elif (chat := self._chats.get(sender)) is not None:
            chat.report(receipt, status, comment)

    # Before the answer

    def hold_back(self, sender: Participant) -> HeldReports:
        """Report nothing to somebody before `release`: some messages of his are not answered yet.

        Returns what is to be released. Of several it is either the oldest or, before anything else
        happens, the latest. COMPAT: deployed clients take a REPORT that comes before the response
        for an odd one.
        """
        held: HeldReports = []
        self._unanswered.setdefault(sender, deque()).append(held)
        return held

    def release(self, sender: Participant, held: HeldReports) -> None:
        """Send what was held back: those messages have their answers."""
        unanswered = self._unanswered[sender]
        if unanswered[-1] is held:
            unanswered.pop()
        else:
            assert unanswered[0] is held, "messages are answered in their order"
            unanswered.popleft()
        if not unanswered:
            del self._unanswered[sender]
        if (chat := self._chats.get(sender)) is not None:
            for receipt, status, comment in held:
                chat.report(receipt, status, comment)

    def _keep_time(self) -> None:
        at = self._fates.next_deadline()
        if at != self._alarm_at:
            self._alarm_at = at
            self._set_alarm(at, self._ring)

    def _ring(self, now: float) -> None:
        self._alarm_at = None
        self._fates.handle_deadline(now)
        self._keep_time()


class _Answers:
    """What one recipient answers. Small, as there is one for everybody who is in a room."""

    __slots__ = ("_recipient", "_reporting")

    def __init__(self, reporting: Reporting, recipient: Participant) -> None:
        self._reporting = reporting
        self._recipient = recipient

    def answered(self, identifier: bytes, status: int, reason: str) -> None:
        if status == _OK:
            self.delivered(identifier)
        else:
            self.failed(identifier, status, reason)

    def delivered(self, identifier: bytes) -> None:
        self._reporting.delivered(self._recipient, identifier)

    def failed(self, identifier: bytes, status: int, reason: str) -> None:
        self._reporting.failed(self._recipient, identifier, status, reason)
