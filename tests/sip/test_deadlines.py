from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from sylk.sip.deadlines import MINIMUM_EMPTY_SLOTS, Deadline, DeadlineHeap


def test_what_was_added_first_comes_first_at_the_same_time() -> None:
    heap: DeadlineHeap[str] = DeadlineHeap()
    for item in ("a", "b", "c"):
        heap.add(1.0, item)
    assert [heap.pop_due(1.0) for _ in range(4)] == ["a", "b", "c", None]


def test_cancelled_deadlines_let_go_at_once_and_leave_their_slots_soon() -> None:
    heap: DeadlineHeap[str] = DeadlineHeap()
    kept = heap.add(1.0, "kept")
    for _ in range(100 * MINIMUM_EMPTY_SLOTS):
        deadline = heap.add(2.0, "cancelled")
        heap.cancel(deadline)
        assert deadline.item is None
        assert heap.slots <= MINIMUM_EMPTY_SLOTS + 2
    assert len(heap) == 1
    heap.cancel(kept)
    heap.cancel(kept)
    heap.cancel(None)
    assert len(heap) == 0
    assert heap.next() is None


class DeadlinesAgainstAList(RuleBasedStateMachine):
    """The heap does what a plain list would do, slowly."""

    deadlines: Bundle[Deadline[int]] = Bundle("deadlines")

    def __init__(self) -> None:
        super().__init__()
        self.heap: DeadlineHeap[int] = DeadlineHeap()
        self.model: list[tuple[float, int]] = []
        self.count = 0

    @rule(target=deadlines, when=st.integers(0, 20))
    def add(self, when: int) -> Deadline[int]:
        self.count += 1
        self.model.append((float(when), self.count))
        return self.heap.add(float(when), self.count)

    @rule(deadline=deadlines)
    def cancel(self, deadline: Deadline[int]) -> None:
        self.model = [entry for entry in self.model if entry[1] != deadline.item]
        self.heap.cancel(deadline)

    @rule(now=st.integers(0, 20))
    def pop(self, now: int) -> None:
        due = sorted(entry for entry in self.model if entry[0] <= now)
        expected = due[0] if due else None
        assert self.heap.pop_due(float(now)) == (expected[1] if expected else None)
        if expected:
            self.model.remove(expected)

    @invariant()
    def same_length_and_next(self) -> None:
        assert len(self.heap) == len(self.model)
        assert self.heap.next() == min((when for when, _ in self.model), default=None)


TestDeadlines = DeadlinesAgainstAList.TestCase
