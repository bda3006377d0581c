"""Tests of sylk.call.modification: every state with every input, and what is sent when."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sylk.call.modification import (
    MOST_ATTEMPTS,
    TRANSITIONS,
    Action,
    Input,
    Modification,
    State,
    Wish,
)

NOW = 50.0


def modification(fraction: float = 0.5) -> Modification:
    return Modification(lambda: fraction)


def opened(wish: Wish = Wish.HOLD, fraction: float = 0.5) -> Modification:
    ours = modification(fraction)
    ours.want(wish)
    assert ours.send(NOW)
    return ours


def in_state(state: State) -> Modification:
    ours = modification()
    if state is not State.IDLE:
        ours.want(Wish.REFRESH)
    if state is State.OPEN:
        ours.send(NOW)
    return ours


def happen(ours: Modification, happened: Input) -> Action | bool | None:
    match happened:
        case Input.WISH:
            ours.want(Wish.RESUME)
            return Action.NOTHING
        case Input.FREE:
            return Action.SEND if ours.send(NOW) else None
        case Input.NEEDLESS:
            ours.drop()
            return Action.NOTHING
        case Input.SUCCESS:
            return ours.answered(200, NOW, owns_call_id=True)
        case Input.GLARE:
            return ours.answered(491, NOW, owns_call_id=True)
        case Input.OTHERWISE:
            return ours.answered(422, NOW, owns_call_id=True, otherwise=True)
        case Input.GONE:
            return ours.answered(481, NOW, owns_call_id=True)
        case Input.FAILURE:
            return ours.answered(488, NOW, owns_call_id=True)


@pytest.mark.parametrize(("state", "happened"), list(product(State, Input)))
def test_every_input_in_every_state(state: State, happened: Input) -> None:
    ours = in_state(state)
    action = happen(ours, happened)
    step = TRANSITIONS.get((state, happened))
    if step is None:
        assert ours.state is state
        assert action in (None, Action.NOTHING)
    else:
        assert (action, ours.state) == step


def test_the_table_leaves_open_by_an_answer_alone() -> None:
    leaving = {happened for (state, happened) in TRANSITIONS if state is State.OPEN}
    assert leaving == set(Input) - {Input.FREE, Input.NEEDLESS}
    assert all(
        action is not Action.SEND or state is State.WAITING
        for (state, _), (action, _) in TRANSITIONS.items()
    )


@pytest.mark.parametrize(
    ("owns", "fraction", "wait"),
    [
        (True, 0.0, 2.1),
        (True, 0.999, 4.0),
        (True, 0.5, 3.05),
        (False, 0.0, 0.0),
        (False, 0.999, 2.0),
        (False, 0.123, 0.25),
    ],
)
def test_after_glare_it_waits_in_steps_of_10_ms(owns: bool, fraction: float, wait: float) -> None:
    ours = opened(fraction=fraction)
    assert ours.answered(491, NOW, owns_call_id=owns) is Action.WITHDRAW
    assert ours.next_deadline() == pytest.approx(NOW + wait)
    assert ours.send(NOW + wait - 0.001) is False
    assert ours.send(NOW + wait + 0.001)


@settings(deadline=None)
@given(st.floats(0, 1, exclude_max=True), st.booleans())
def test_the_owner_of_the_call_id_waits_longer(fraction: float, owns: bool) -> None:
    ours = opened(fraction=fraction)
    ours.answered(491, 0.0, owns_call_id=owns)
    wait = ours.next_deadline()
    assert wait is not None
    assert (2.1 <= wait <= 4.0) if owns else (0.0 <= wait <= 2.0)


@pytest.mark.parametrize(("status", "otherwise"), [(491, False), (422, True)])
def test_it_gives_up_after_some_attempts(status: int, otherwise: bool) -> None:
    ours = opened()
    for _ in range(MOST_ATTEMPTS - 1):
        action = ours.answered(status, NOW, owns_call_id=True, otherwise=otherwise)
        assert action is Action.WITHDRAW
        assert ours.send(NOW + 10)
    assert ours.answered(status, NOW, owns_call_id=True, otherwise=otherwise) is Action.GIVE_UP
    assert ours.state is State.IDLE
    # The next wish has as many again.
    ours.want(Wish.RESUME)
    assert ours.send(NOW)
    assert ours.answered(491, NOW, owns_call_id=True) is Action.WITHDRAW


def test_the_last_wish_counts() -> None:
    ours = modification()
    ours.want(Wish.HOLD)
    ours.want(Wish.RESUME)
    assert ours.wish is Wish.RESUME
    assert ours.send(NOW)
    ours.want(Wish.HOLD)
    ours.want(Wish.REOFFER)
    assert ours.wish is Wish.RESUME
    assert ours.answered(200, NOW, owns_call_id=True) is Action.TAKE_ANSWER
    assert (ours.state, ours.wish) == (State.WAITING, Wish.REOFFER)


def test_a_newer_wish_takes_the_place_of_one_that_met_glare() -> None:
    ours = opened(Wish.HOLD)
    ours.want(Wish.RESUME)
    ours.answered(491, NOW, owns_call_id=True)
    assert (ours.state, ours.wish) == (State.WAITING, Wish.RESUME)
    assert not ours.send(NOW)


def test_a_newer_wish_goes_out_after_a_failure() -> None:
    ours = opened(Wish.HOLD)
    ours.want(Wish.RESUME)
    assert ours.answered(488, NOW, owns_call_id=True) is Action.GIVE_UP
    assert ours.send(NOW)


def test_a_newer_wish_ends_with_the_call() -> None:
    ours = opened(Wish.HOLD)
    ours.want(Wish.RESUME)
    assert ours.answered(408, NOW, owns_call_id=True) is Action.END_CALL
    assert ours.state is State.IDLE


def test_a_refresh_replaces_nothing() -> None:
    ours = modification()
    ours.want(Wish.HOLD)
    ours.want(Wish.REFRESH)
    assert ours.wish is Wish.HOLD
    ours.drop()
    assert ours.state is State.WAITING
    ours.send(NOW)
    ours.want(Wish.REFRESH)
    ours.answered(200, NOW, owns_call_id=True)
    assert ours.state is State.IDLE
