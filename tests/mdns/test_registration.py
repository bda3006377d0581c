import pytest
from dns.name import Name
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import LocalProtocolError
from sylk.mdns.record import name_of
from sylk.mdns.registration import (
    CONFLICT_PAUSE,
    MANY_CONFLICTS,
    OURS,
    PROBING,
    TABLE,
    Action,
    Input,
    Registration,
    State,
)


def make_name(number: int) -> Name:
    return name_of(f"lobby-{number}")


def until(registration: Registration, state: State) -> float:
    now = 0.0
    while registration.state is not state:
        assert registration.deadline is not None
        now = registration.deadline
        registration.handle(Input.DUE, now)
    return now


def test_probes_three_times_and_tells_twice() -> None:
    registration = Registration(make_name, 0.1)
    found: list[tuple[float, Action]] = []
    while (now := registration.deadline) is not None:
        found.append((round(now, 3), registration.handle(Input.DUE, now)))
    probe, announce = Action.PROBE, Action.ANNOUNCE
    assert found == [
        (0.1, probe),
        (0.35, probe),
        (0.6, probe),
        (0.85, announce),
        (1.85, announce),
    ]
    assert registration.state is State.ESTABLISHED


@pytest.mark.parametrize("state", [one for one in State if one in PROBING])
def test_who_is_answered_while_he_probes_takes_another_name(state: State) -> None:
    registration = Registration(make_name, 0.0)
    now = until(registration, state)
    assert registration.handle(Input.CONFLICT, now) is Action.RENAME
    assert registration.name == make_name(2)
    assert registration.state is State.WAITING


@pytest.mark.parametrize("state", [State.ANNOUNCED, State.ESTABLISHED])
def test_who_had_the_name_probes_again_first(state: State) -> None:
    registration = Registration(make_name, 0.0)
    now = until(registration, state)
    assert registration.handle(Input.CONFLICT, now) is Action.DEFEND
    assert registration.name == make_name(1)
    assert registration.is_probed


def test_the_loser_of_a_tie_waits_a_second() -> None:
    registration = Registration(make_name, 0.0)
    now = until(registration, State.PROBED_TWICE)
    assert registration.handle(Input.TIE_LOST, now) is Action.DEFER
    assert registration.deadline == now + 1.0
    assert registration.name == make_name(1)


def test_changes_gather_for_six_seconds() -> None:
    registration = Registration(make_name, 0.0)
    now = until(registration, State.ESTABLISHED)
    assert registration.handle(Input.CHANGE, now + 1) is Action.SCHEDULE
    assert registration.deadline == now + 6
    assert registration.handle(Input.CHANGE, now + 2) is Action.NOTHING
    assert registration.handle(Input.DUE, now + 6) is Action.ANNOUNCE
    assert registration.handle(Input.CHANGE, now + 60) is Action.SCHEDULE
    assert registration.deadline == now + 60


def test_who_fights_for_a_name_does_it_slowly() -> None:
    registration = Registration(make_name, 0.0)
    for _ in range(MANY_CONFLICTS):
        registration.handle(Input.CONFLICT, 5.0)
        assert registration.deadline == 5.0
    registration.handle(Input.CONFLICT, 5.0)
    assert registration.deadline == 5.0 + CONFLICT_PAUSE
    registration.handle(Input.CONFLICT, 20.0)
    assert registration.deadline == 20.0


def test_only_who_had_the_name_says_goodbye() -> None:
    early = Registration(make_name, 0.0)
    assert early.handle(Input.WITHDRAW, 0.0) is Action.NOTHING
    assert early.deadline is None
    late = Registration(make_name, 0.0)
    until(late, State.ESTABLISHED)
    assert late.handle(Input.WITHDRAW, 9.0) is Action.GOODBYE
    assert late.state is State.GONE


def test_what_the_table_does_not_have_is_an_error() -> None:
    registration = Registration(make_name, 0.0)
    until(registration, State.ESTABLISHED)
    with pytest.raises(LocalProtocolError, match="DUE of a name that is ESTABLISHED"):
        registration.handle(Input.DUE, 9.0)


@given(st.lists(st.tuples(st.sampled_from(Input), st.floats(0, 20)), max_size=40))
def test_any_order_of_what_happens_keeps_its_deadline(steps: list[tuple[Input, float]]) -> None:
    registration, now = Registration(make_name, 0.0), 0.0
    for what, pause in steps:
        now += pause
        if (registration.state, what) not in TABLE:
            with pytest.raises(LocalProtocolError):
                registration.handle(what, now)
            continue
        registration.handle(what, now)
        # Whatever goes on by itself has a time for it, and all else has none.
        rests = registration.state in (State.ESTABLISHED, State.GONE)
        assert (registration.deadline is None) is rests
        assert registration.is_ours is (registration.state in OURS)
