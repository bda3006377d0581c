from itertools import product

from hypothesis import given
from hypothesis import strategies as st
from sylk_conference.history.backlog import MAX_BATCH, Backlog, Outcome, State

WRITTEN, DELAYED, FAILED = Outcome.WRITTEN, Outcome.DELAYED, Outcome.FAILED


class Talk:
    """A backlog whose `then`s are called as the store calls them."""

    def __init__(self, limit: int = 1000) -> None:
        self.backlog: Backlog[int] = Backlog(limit)
        self.answered: list[int] = []
        self.added = 0

    def add(self, size: int = 10) -> int:
        number = self.added
        self.added += 1
        for then in self.backlog.add(number, size, lambda: self.answered.append(number)):
            then()
        return number

    def settle(self, outcome: Outcome) -> None:
        for then in self.backlog.settle(outcome):
            then()


def test_an_answer_waits_for_its_own_entry() -> None:
    talk = Talk()
    talk.add()
    assert talk.backlog.take() == [0]
    talk.add()
    assert talk.answered == []
    talk.settle(WRITTEN)
    assert talk.answered == [0]
    assert talk.backlog.take() == [1]
    talk.settle(WRITTEN)
    assert talk.answered == [0, 1]
    assert len(talk.backlog) == talk.backlog.waiting == 0


def test_a_failure_answers_all_and_what_failed_is_tried_again_in_its_place() -> None:
    talk = Talk()
    talk.add()
    talk.backlog.take()
    talk.add()
    talk.settle(FAILED)
    assert talk.backlog.state is State.OFF
    talk.add()
    assert talk.answered == [0, 1, 2]
    assert talk.backlog.take() == [0, 1, 2]
    talk.settle(WRITTEN)
    assert talk.backlog.state is State.ON
    talk.add()
    assert talk.answered == [0, 1, 2]


def test_a_late_disk_holds_nobody_and_counts_again_once_it_has_answered() -> None:
    talk = Talk()
    talk.add()
    talk.backlog.take()
    talk.settle(DELAYED)
    talk.add()
    assert talk.answered == [0, 1]
    talk.settle(WRITTEN)
    talk.add()
    assert talk.answered == [0, 1]
    assert talk.backlog.take() == [1, 2]
    talk.settle(WRITTEN)
    assert talk.answered == [0, 1, 2]


def test_with_a_good_disk_who_adds_waits_and_without_one_the_rest_is_lost() -> None:
    talk = Talk(limit=25)
    for _ in range(3):
        talk.add()
    assert talk.backlog.is_full
    talk.backlog.take()
    talk.settle(FAILED)
    assert not talk.backlog.is_full
    assert not talk.backlog.fits(10)
    talk.add()
    assert talk.backlog.forget_losses() == 1
    assert talk.backlog.forget_losses() == 0
    assert talk.backlog.take() == [0, 1, 2]
    assert talk.answered == [0, 1, 2, 3]


def test_a_batch_is_bounded() -> None:
    talk = Talk()
    for _ in range(MAX_BATCH + 1):
        talk.add(0)
    assert len(talk.backlog.take()) == MAX_BATCH
    talk.settle(WRITTEN)
    assert talk.backlog.take() == [MAX_BATCH]


def test_what_is_said_in_one_go_is_counted_by_its_messages() -> None:
    backlog: Backlog[str] = Backlog(100)
    backlog.add("one", 10, count=MAX_BATCH)
    backlog.add("two", 90, count=3)
    backlog.add("three", 10)
    assert len(backlog) == MAX_BATCH + 4
    assert backlog.take() == ["one"]
    backlog.settle(WRITTEN)
    assert len(backlog) == 4
    assert backlog.take() == ["two", "three"]
    backlog.settle(FAILED)
    assert backlog.take() == ["two", "three"]
    backlog.add("four", 10, count=5)
    assert backlog.forget_losses() == 5
    backlog.settle(WRITTEN)
    assert len(backlog) == backlog.waiting == 0


def test_every_outcome_is_known_in_every_state() -> None:
    ways: dict[State, tuple[Outcome, ...]] = {
        State.ON: (WRITTEN,),
        State.LATE: (DELAYED,),
        State.OFF: (FAILED,),
    }
    assert set(ways) == set(State)
    for state, outcome in product(State, Outcome):
        backlog: Backlog[int] = Backlog(100)
        for step in ways[state]:
            backlog.settle(step)
        assert backlog.state is state
        backlog.settle(outcome)
        assert (backlog.state is State.ON) == (outcome is WRITTEN)


STEPS = st.lists(st.sampled_from(["add", "take", WRITTEN, DELAYED, FAILED]), max_size=60)


@given(STEPS)
def test_answers_keep_their_order_and_never_precede_the_disk_while_it_is_on(
    steps: list[str | Outcome],
) -> None:
    talk = Talk(limit=60)
    on_disk: list[int] = []
    under_way: list[int] = []
    trusted: set[int] = set()
    for step in steps:
        if step == "add":
            number = talk.add()
            if talk.backlog.state is State.ON:
                trusted.add(number)
        elif step == "take":
            under_way = talk.backlog.take()
        elif isinstance(step, Outcome):
            if step is WRITTEN:
                on_disk += under_way
            if step is not DELAYED:
                under_way = []
            talk.settle(step)
            if talk.backlog.state is not State.ON:
                trusted.clear()
        assert talk.answered == list(range(len(talk.answered)))
        assert not trusted.intersection(talk.answered).difference(on_disk)
        assert on_disk == sorted(set(on_disk))
        if talk.backlog.state is not State.ON:
            assert len(talk.answered) == talk.added
    # What was neither lost nor written is still there, in order.
    while len(talk.backlog):
        on_disk += talk.backlog.take()
        talk.settle(WRITTEN)
    assert on_disk == sorted(set(on_disk))
    assert len(on_disk) + talk.backlog.lost == talk.added
    assert len(talk.answered) == talk.added
