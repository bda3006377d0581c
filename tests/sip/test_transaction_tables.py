"""Each table against the pictures of the RFCs, and each state against each input."""

import pytest

from sylk.sip.transaction_tables import (
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Action,
    Input,
    State,
    Table,
)

TABLES: dict[str, Table] = {
    "INVITE client": INVITE_CLIENT,
    "non-INVITE client": NON_INVITE_CLIENT,
    "INVITE server": INVITE_SERVER,
    "non-INVITE server": NON_INVITE_SERVER,
}
RESPONSES = {Input.PROVISIONAL, Input.SUCCESS, Input.FAILURE}
# What the peer and the transport can bring at any time.
FROM_OUTSIDE = {
    "INVITE client": RESPONSES | {Input.TRANSPORT_ERROR},
    "non-INVITE client": RESPONSES | {Input.TRANSPORT_ERROR},
    "INVITE server": {Input.REQUEST, Input.ACK, Input.TRANSPORT_ERROR},
    "non-INVITE server": {Input.REQUEST, Input.TRANSPORT_ERROR},
}
STARTS = {
    Action.START_A: Input.TIMER_A,
    Action.DOUBLE_A: Input.TIMER_A,
    Action.START_B: Input.TIMER_B,
    Action.START_D: Input.TIMER_D,
    Action.START_E: Input.TIMER_E,
    Action.DOUBLE_E: Input.TIMER_E,
    Action.RESTART_E: Input.TIMER_E,
    Action.START_F: Input.TIMER_F,
    Action.START_G: Input.TIMER_G,
    Action.DOUBLE_G: Input.TIMER_G,
    Action.START_H: Input.TIMER_H,
    Action.START_I: Input.TIMER_I,
    Action.START_J: Input.TIMER_J,
    Action.START_K: Input.TIMER_K,
    Action.START_L: Input.TIMER_L,
    Action.START_M: Input.TIMER_M,
    Action.START_CANCEL: Input.TIMER_CANCEL,
    Action.START_TRYING: Input.TIMER_TRYING,
    Action.START_UNANSWERED: Input.TIMER_UNANSWERED,
}
SENDS_AGAIN = {Input.TIMER_A, Input.TIMER_E, Input.TIMER_G, Input.TIMER_TRYING}


@pytest.mark.parametrize("name", TABLES)
def test_the_network_can_bring_nothing_that_a_state_does_not_know(name: str) -> None:
    table = TABLES[name]
    states = {state for state, _ in table} - {State.INITIAL}
    for state in states:
        for what in FROM_OUTSIDE[name]:
            assert (state, what) in table


@pytest.mark.parametrize("name", TABLES)
def test_every_timer_that_can_run_in_a_state_can_fire_there(name: str) -> None:
    # All (state, timer that sends again, timer that ends) which can be reached.
    table = TABLES[name]
    seen: set[tuple[State, Input | None, Input | None]] = set()
    todo: list[tuple[State, Input | None, Input | None]] = [(State.INITIAL, None, None)]
    while todo:
        state, sends, ends = node = todo.pop()
        if node in seen or state is State.TERMINATED:
            continue
        seen.add(node)
        for timer in (sends, ends):
            assert timer is None or (state, timer) in table, (state, timer)
        for (from_state, what), (actions, to_state) in table.items():
            if from_state is not state or (what in STARTS.values() and what not in (sends, ends)):
                continue
            after: list[Input | None] = [
                None if timer is what else timer for timer in (sends, ends)
            ]
            for action in actions:
                if action is Action.STOP_TIMERS:
                    after = [None, None]
                elif action in STARTS:
                    after[0 if STARTS[action] in SENDS_AGAIN else 1] = STARTS[action]
            todo.append((to_state, after[0], after[1]))
    assert {state for state, _, _ in seen} == {state for state, _ in table}


@pytest.mark.parametrize("name", TABLES)
def test_every_state_leads_to_the_end(name: str) -> None:
    ends = {State.TERMINATED}
    table = TABLES[name]
    for _ in State:
        ends |= {state for (state, _), (_, after) in table.items() if after in ends}
    assert ends >= {state for state, _ in table}


@pytest.mark.parametrize("name", TABLES)
def test_nothing_leaves_the_last_state(name: str) -> None:
    assert all(state is not State.TERMINATED for state, _ in TABLES[name])


@pytest.mark.parametrize(
    ("table", "path"),
    [
        # RFC 3261 figure 5 as RFC 6026 has it.
        (INVITE_CLIENT, "START calling PROVISIONAL proceeding FAILURE completed"),
        (INVITE_CLIENT, "START calling FAILURE completed FAILURE completed TIMER_D terminated"),
        (INVITE_CLIENT, "START calling SUCCESS accepted SUCCESS accepted TIMER_M terminated"),
        (INVITE_CLIENT, "START calling TIMER_A calling TIMER_B terminated"),
        # Figure 6.
        (NON_INVITE_CLIENT, "START trying TIMER_E trying FAILURE completed TIMER_K terminated"),
        (NON_INVITE_CLIENT, "START trying PROVISIONAL proceeding TIMER_E proceeding"),
        (NON_INVITE_CLIENT, "START trying PROVISIONAL proceeding TIMER_F terminated"),
        # Figure 7 as RFC 6026 has it.
        (INVITE_SERVER, "REQUEST proceeding SEND_FAILURE completed ACK confirmed ACK confirmed"),
        (INVITE_SERVER, "REQUEST proceeding SEND_FAILURE completed TIMER_G completed"),
        (INVITE_SERVER, "REQUEST proceeding SEND_FAILURE completed TIMER_H terminated"),
        (INVITE_SERVER, "REQUEST proceeding SEND_SUCCESS accepted REQUEST accepted ACK accepted"),
        (INVITE_SERVER, "REQUEST proceeding SEND_SUCCESS accepted TIMER_L terminated"),
        (INVITE_SERVER, "REQUEST proceeding TRANSPORT_ERROR proceeding"),
        # Figure 8.
        (NON_INVITE_SERVER, "REQUEST trying SEND_SUCCESS completed TIMER_J terminated"),
        (NON_INVITE_SERVER, "REQUEST trying TIMER_TRYING proceeding SEND_FAILURE completed"),
        (NON_INVITE_SERVER, "REQUEST trying TRANSPORT_ERROR terminated"),
    ],
)  # fmt: skip
def test_paths_through_the_figures(table: Table, path: str) -> None:
    state = State.INITIAL
    steps = path.split()
    for what, expected in zip(steps[::2], steps[1::2], strict=True):
        _, state = table[state, Input[what]]
        assert state is State(expected)


@pytest.mark.parametrize("name", ["INVITE client", "non-INVITE client"])
def test_a_client_tells_each_outcome_once(name: str) -> None:
    tells = {Action.DELIVER, Action.REPORT_TIMEOUT, Action.REPORT_TRANSPORT_ERROR}
    final = {State.COMPLETED, State.ACCEPTED, State.TERMINATED}
    for (state, what), (actions, after) in TABLES[name].items():
        told = [action for action in actions if action in tells]
        assert len(told) <= 1
        if state in final:
            # Only a 2xx to INVITE comes more than once, RFC 6026 wants it.
            assert not told or (state is State.ACCEPTED and what is Input.SUCCESS)
        elif after in final:
            assert told
