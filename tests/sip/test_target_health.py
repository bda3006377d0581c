from hypothesis import given
from hypothesis import strategies as st

from sylk.sip.location import Target
from sylk.sip.target_health import MAX_PENALTY, TargetHealth

PENALTY = 10.0


def target(number: int, transport: str = "udp", name: str = "example.com") -> Target:
    return Target(transport, (f"192.0.2.{number}", 5060), name)


ONE, TWO, THREE = target(1), target(2), target(3)
TARGETS = [ONE, TWO, THREE]


def test_without_failures_the_order_stays() -> None:
    assert TargetHealth().order(TARGETS, 0.0) == TARGETS


def test_what_failed_goes_to_the_end_for_a_while() -> None:
    health = TargetHealth(penalty=PENALTY)
    health.failed(ONE, 100.0)
    assert health.order(TARGETS, 100.0) == [TWO, THREE, ONE]
    assert health.order(TARGETS, 109.9) == [TWO, THREE, ONE]
    assert health.order(TARGETS, 110.0) == TARGETS
    assert len(health) == 0


def test_failing_again_begins_a_new_while() -> None:
    health = TargetHealth(penalty=PENALTY)
    health.failed(ONE, 100.0)
    health.failed(TWO, 104.0)
    health.failed(ONE, 105.0)
    assert len(health) == 2
    assert health.order(TARGETS, 114.0) == [TWO, THREE, ONE]
    assert health.order(TARGETS, 115.0) == TARGETS


def test_where_all_failed_all_are_still_there() -> None:
    health = TargetHealth()
    for each in reversed(TARGETS):
        health.failed(each, 1.0)
    assert health.order(TARGETS, 2.0) == TARGETS


def test_what_answers_is_well_again() -> None:
    health = TargetHealth()
    health.failed(ONE, 1.0)
    health.worked(ONE)
    health.worked(TWO)
    assert health.order(TARGETS, 1.0) == TARGETS


def test_a_server_is_known_by_transport_and_address() -> None:
    health = TargetHealth()
    health.failed(ONE, 1.0)
    other_name, other_transport = target(1, name="example.net"), target(1, "tcp")
    assert health.order([other_name, other_transport], 1.0) == [other_transport, other_name]


def test_the_oldest_is_forgotten_for_want_of_room() -> None:
    health = TargetHealth(max_targets=2)
    for when, each in enumerate(TARGETS):
        health.failed(each, float(when))
    assert len(health) == 2
    assert health.order(TARGETS, 3.0) == [ONE, TWO, THREE]
    assert health.order(reversed(TARGETS), 3.0) == [ONE, THREE, TWO]


def test_without_room_nothing_is_remembered() -> None:
    health = TargetHealth(max_targets=0)
    health.failed(ONE, 1.0)
    assert len(health) == 0
    assert health.order(TARGETS, 1.0) == TARGETS


@given(
    st.lists(st.tuples(st.sampled_from(TARGETS), st.booleans(), st.floats(0, 6))),
    st.lists(st.sampled_from(TARGETS)),
)
def test_it_agrees_with_a_plain_list_of_failures(
    history: list[tuple[Target, bool, float]], asked: list[Target]
) -> None:
    health = TargetHealth(penalty=PENALTY, max_targets=len(TARGETS))
    ends: dict[Target, float] = {}
    now = 0.0
    for each, failed, wait in history:
        now += wait
        if failed:
            health.failed(each, now)
            ends[each] = now + PENALTY
        else:
            health.worked(each)
            ends.pop(each, None)
        assert len(health) <= len(TARGETS)
    ill = [each for each in asked if ends.get(each, 0.0) > now]
    well = [each for each in asked if ends.get(each, 0.0) <= now]
    assert health.order(asked, now) == well + ill


def test_what_wants_to_be_left_alone_is_for_as_long() -> None:
    health = TargetHealth(penalty=PENALTY)
    health.failed(ONE, 100.0, 200.0)
    health.failed(TWO, 100.0, 2.0)
    assert health.order(TARGETS, 101.9) == [THREE, ONE, TWO]
    assert health.order(TARGETS, 102.0) == [TWO, THREE, ONE]
    assert health.order(TARGETS, 299.9) == [TWO, THREE, ONE]
    assert health.order(TARGETS, 300.0) == TARGETS
    assert len(health) == 0


def test_nobody_is_left_alone_for_ever() -> None:
    health = TargetHealth()
    health.failed(ONE, 0.0, 2.0**32)
    assert health.order(TARGETS, MAX_PENALTY - 1) == [TWO, THREE, ONE]
    assert health.order(TARGETS, MAX_PENALTY) == TARGETS


def test_one_may_ask_whether_it_failed() -> None:
    health = TargetHealth(penalty=PENALTY)
    assert not health.is_failing(ONE, 0.0)
    health.failed(ONE, 0.0)
    assert health.is_failing(ONE, PENALTY - 1)
    assert not health.is_failing(TWO, 0.0)
    assert not health.is_failing(ONE, PENALTY)
