"""What the DNS has answered, kept for as long as the answer says and no longer.

Each question has its own place: that a name has no AAAA record says nothing about its A record.
"""

from sylk.sip.dns_records import Answer, Question

MAX_ANSWERS = 1000
"""Answers that are kept; beyond that the one not used for longest is forgotten."""


class AnswerCache:
    """Answers by question. Times are in seconds of a clock that does not go back."""

    def __init__(self, max_answers: int = MAX_ANSWERS) -> None:
        self._max_answers = max_answers
        # The one not used for longest stands first.
        self._answers: dict[Question, tuple[float, Answer]] = {}

    def __len__(self) -> int:
        """Return how many answers are held, those that have expired included."""
        return len(self._answers)

    def get(self, question: Question, now: float) -> Answer | None:
        """Return the answer to `question`, None if there is none or it has expired."""
        entry = self._answers.pop(question, None)
        if entry is None or entry[0] <= now:
            return None
        self._answers[question] = entry
        return entry[1]

    def put(self, question: Question, answer: Answer, ttl: float, now: float) -> None:
        """Keep an answer for `ttl` seconds; none of 0 seconds is kept."""
        self._answers.pop(question, None)
        if ttl <= 0 or self._max_answers < 1:
            return
        if len(self._answers) >= self._max_answers:
            del self._answers[next(iter(self._answers))]
        self._answers[question] = (now + ttl, answer)
