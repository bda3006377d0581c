"""Bans and mutes: each until its time, and no more than there may be."""

from hypothesis import given
from hypothesis import strategies as st
from sylk_conference.sanctions import Sanctions

ALICE, BOB, CARA = b"alice@a", b"bob@a", b"cara@a"


def test_one_holds_until_its_time() -> None:
    sanctions = Sanctions()
    assert sanctions.add(ALICE, 10.0, 0.0)
    assert sanctions.hold(ALICE, 9.9)
    assert not sanctions.hold(ALICE, 10.0)
    assert not sanctions.hold(BOB, 0.0)


def test_one_can_be_lifted_or_begun_anew() -> None:
    sanctions = Sanctions()
    sanctions.add(ALICE, 10.0, 0.0)
    sanctions.add(ALICE, 20.0, 0.0)
    assert sanctions.hold(ALICE, 15.0)
    assert sanctions.lift(ALICE)
    assert not sanctions.lift(ALICE)
    assert not sanctions.hold(ALICE, 0.0)


def test_they_are_listed_without_those_that_are_over() -> None:
    sanctions = Sanctions()
    sanctions.add(ALICE, 10.0, 0.0)
    sanctions.add(BOB, 20.0, 0.0)
    assert dict(sanctions.listed(5.0)) == {ALICE: 10.0, BOB: 20.0}
    assert dict(sanctions.listed(10.0)) == {BOB: 20.0}
    assert len(sanctions) == 1


def test_over_the_limit_there_is_none_for_another_until_one_is_over() -> None:
    sanctions = Sanctions(limit=2)
    assert sanctions.add(ALICE, 10.0, 0.0)
    assert sanctions.add(BOB, 20.0, 0.0)
    assert not sanctions.add(CARA, 30.0, 5.0)
    assert not sanctions.hold(CARA, 5.0)
    assert sanctions.add(BOB, 25.0, 5.0), "there is one for him already"
    assert sanctions.add(CARA, 30.0, 10.0), "alice's is over"
    assert sanctions.hold(BOB, 10.0)


@given(
    st.lists(
        st.tuples(st.sampled_from([ALICE, BOB, CARA, b"d@a"]), st.integers(0, 20)), max_size=30
    )
)
def test_there_are_never_more_than_there_may_be(steps: list[tuple[bytes, int]]) -> None:
    sanctions = Sanctions(limit=2)
    for now, (who, length) in enumerate(steps):
        taken = sanctions.add(who, now + length, now)
        assert len(sanctions) <= 2
        if taken:
            assert sanctions.hold(who, now) is (length > 0)
