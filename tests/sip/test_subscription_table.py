"""Each table of a subscription against what the RFC wants of it, and each state for each input."""

from collections.abc import Mapping
from enum import Enum

import pytest

from sylk.sip.subscription_table import (
    GONE_STATUSES,
    NOTIFIER,
    SUBSCRIBER,
    NotifierInput,
    NotifierState,
    SubscriberAction,
    SubscriberInput,
    SubscriberState,
)

TABLES: dict[str, Mapping[tuple[Enum, Enum], tuple[Enum, Enum]]] = {
    "notifier": {**NOTIFIER},
    "subscriber": {**SUBSCRIBER},
}
STATES: dict[str, type[Enum]] = {"notifier": NotifierState, "subscriber": SubscriberState}
ENDS: dict[str, Enum] = {"notifier": NotifierState.ENDED, "subscriber": SubscriberState.ENDED}
# What the user may say at any time after the beginning, since he may not know what happened.
USERS: dict[str, list[Enum]] = {
    "notifier": [NotifierInput.CHANGE, NotifierInput.END, NotifierInput.APPROVE],
    "subscriber": [SubscriberInput.UNSUBSCRIBE],
}


@pytest.mark.parametrize("side", TABLES)
def test_every_state_leads_to_the_end(side: str) -> None:
    ends = {ENDS[side]}
    for _ in STATES[side]:
        ends |= {state for (state, _), (_, after) in TABLES[side].items() if after in ends}
    assert ends == set(STATES[side])


@pytest.mark.parametrize("side", TABLES)
def test_nothing_leaves_the_end(side: str) -> None:
    for (state, _), (action, after) in TABLES[side].items():
        if state is ENDS[side]:
            assert after is state
            assert action.name == "NOTHING"


@pytest.mark.parametrize("side", TABLES)
def test_every_state_is_reached(side: str) -> None:
    first = next(iter(STATES[side]))
    assert {first} | {after for _, after in TABLES[side].values()} == set(STATES[side])


@pytest.mark.parametrize("side", TABLES)
def test_the_user_may_say_what_he_likes_once_it_has_begun(side: str) -> None:
    first = next(iter(STATES[side]))
    for state in STATES[side]:
        for verb in USERS[side]:
            if side == "subscriber" or state is not first:
                assert (state, verb) in TABLES[side]


@pytest.mark.parametrize(
    "state", [state for state in SubscriberState if state is not SubscriberState.ENDED]
)
def test_a_subscriber_always_has_an_end_in_sight(state: SubscriberState) -> None:
    for happened in (SubscriberInput.OVERDUE, SubscriberInput.NOTIFY_TERMINATED):
        assert SUBSCRIBER[state, happened][1] is SubscriberState.ENDED


@pytest.mark.parametrize("state", [NotifierState.PENDING, NotifierState.ACTIVE])
def test_a_notifier_always_has_an_end_in_sight(state: NotifierState) -> None:
    assert NOTIFIER[state, NotifierInput.EXPIRE][1] is NotifierState.ENDING
    assert NOTIFIER[state, NotifierInput.GONE][1] is NotifierState.ENDED


def test_nothing_is_handed_out_to_who_has_left() -> None:
    for (state, _), (action, _) in SUBSCRIBER.items():
        if state in (SubscriberState.LEAVING, SubscriberState.ENDING, SubscriberState.ENDED):
            assert action not in (
                SubscriberAction.HAND_OUT,
                SubscriberAction.HAND_OUT_AND_FINISH,
            )


def test_the_statuses_of_the_rfc() -> None:
    listed = {404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604}
    assert listed | {408} == GONE_STATUSES
