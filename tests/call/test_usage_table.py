"""Tests of sylk.call.usage_table."""

from itertools import product

import pytest

from sylk.call.usage_table import TRANSITIONS, Action, Input, State, transition

DIALOGS = [State.ANSWERED, State.HANGING_UP, State.CONFIRMED, State.ENDING]
ENDED_BY = {
    Action.SEND_REJECTION,
    Action.SEND_CANCELLED,
    Action.ANSWER_BYE,
    Action.REFUSE_AND_ANSWER_BYE,
    Action.FAIL,
    Action.FINISH,
}


@pytest.mark.parametrize("state", State)
def test_a_call_can_be_hung_up_in_every_state(state: State) -> None:
    assert transition(state, Input.HANG_UP) is not None


@pytest.mark.parametrize("state", DIALOGS)
def test_a_bye_in_a_dialog_ends_the_call(state: State) -> None:
    assert transition(state, Input.BYE) == (Action.ANSWER_BYE, State.TERMINATED)


def test_what_is_not_in_the_table_has_no_meaning() -> None:
    assert transition(State.TERMINATED, Input.RING) is None


def test_nothing_leaves_the_last_state() -> None:
    after = [step for (state, _), step in TRANSITIONS.items() if state is State.TERMINATED]
    assert {step[1] for step in after} == {State.TERMINATED}


def test_the_call_ends_exactly_with_the_actions_that_tell_so() -> None:
    for (state, _), (action, following) in TRANSITIONS.items():
        ends = following is State.TERMINATED and state is not State.TERMINATED
        assert (action in ENDED_BY) == ends


def test_every_state_leads_to_the_end_once_hung_up() -> None:
    """What the peer, the transactions and the clock can do after the hang-up ends the call."""
    outside = {Input.ACK, Input.ACK_OVERDUE, Input.BYE_ANSWERED, Input.SUCCESS, Input.FAILURE}
    for start in State:
        step = transition(start, Input.HANG_UP)
        assert step is not None
        reached = {step[1]}
        for _ in State:
            for state, happened in product(list(reached), outside):
                following = transition(state, happened)
                if following is not None:
                    reached.add(following[1])
        assert State.TERMINATED in reached
        assert reached <= {State.HANGING_UP, State.CANCELLING, State.ENDING, State.TERMINATED}


def test_a_callee_sends_no_bye_before_the_ack() -> None:
    senders = {
        (state, happened)
        for (state, happened), (action, _) in TRANSITIONS.items()
        if action is Action.SEND_BYE
    }
    assert senders == {
        (State.ANSWERED, Input.ACK_OVERDUE),
        (State.HANGING_UP, Input.ACK),
        (State.HANGING_UP, Input.ACK_OVERDUE),
        (State.CONFIRMED, Input.HANG_UP),
        (State.CONFIRMED, Input.ACK_OVERDUE),
    }
