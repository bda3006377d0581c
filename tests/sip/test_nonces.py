import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from sylk.sip.digest import MAX_NONCE_COUNT
from sylk.sip.nonces import REORDERING_WINDOW, Nonces
from tests.sip.user_agents import tokens

LIFETIME = 10.0


def make_nonces(max_nonces: int = 100) -> Nonces:
    return Nonces(tokens("secret"), lifetime=LIFETIME, max_nonces=max_nonces)


def test_each_count_is_good_once() -> None:
    nonces = make_nonces()
    nonce = nonces.issue(1.0)
    assert nonces.use(nonce, 1, 1.0)
    assert not nonces.use(nonce, 1, 1.0)
    assert nonces.use(nonce, 2, 1.0)
    assert not nonces.use(nonce, 1, 1.0)


def test_nothing_is_kept_before_the_first_use() -> None:
    nonces = make_nonces()
    issued = [nonces.issue(1.0) for _ in range(1000)]
    assert len(set(issued)) == 1000
    assert len(nonces) == 0
    assert nonces.use(issued[0], 1, 1.0)
    assert len(nonces) == 1


def test_counts_may_overtake_each_other_within_the_window() -> None:
    nonces = make_nonces()
    nonce = nonces.issue(1.0)
    top = REORDERING_WINDOW + 1
    assert nonces.use(nonce, top, 1.0)
    assert nonces.use(nonce, 2, 1.0)
    assert not nonces.use(nonce, 2, 1.0)
    assert not nonces.use(nonce, 1, 1.0)
    assert nonces.use(nonce, top + 1, 1.0)
    assert not nonces.use(nonce, 2, 1.0)
    assert nonces.use(nonce, 3, 1.0)


def test_the_highest_count_of_all() -> None:
    nonces = make_nonces()
    nonce = nonces.issue(1.0)
    assert nonces.use(nonce, 0, 1.0)
    assert nonces.use(nonce, MAX_NONCE_COUNT, 1.0)
    assert not nonces.use(nonce, MAX_NONCE_COUNT, 1.0)
    assert not nonces.use(nonce, 0, 1.0)


@pytest.mark.parametrize("count", [0, 1, MAX_NONCE_COUNT, None])
def test_without_a_count_a_nonce_is_good_once(count: int | None) -> None:
    nonces = make_nonces()
    first, second = nonces.issue(1.0), nonces.issue(1.0)
    assert nonces.use(first, None, 1.0)
    assert not nonces.use(first, count, 1.0)
    assert nonces.use(second, 1, 1.0)
    assert not nonces.use(second, None, 1.0)


def test_a_nonce_expires_and_is_forgotten() -> None:
    nonces = make_nonces()
    used, unused, late = nonces.issue(1.0), nonces.issue(1.0), nonces.issue(2.0)
    assert nonces.use(used, 1, 10.9)
    assert not nonces.use(used, 2, 11.0)
    assert not nonces.use(unused, 1, 11.0)
    assert nonces.use(late, 1, 11.0)
    assert len(nonces) == 1


def test_a_nonce_of_another_source_is_not_good() -> None:
    nonces = make_nonces()
    nonce = nonces.issue(1.0, "192.0.2.9")
    assert not nonces.use(nonce, 1, 1.0)
    assert not nonces.use(nonce, 1, 1.0, "192.0.2.10")
    assert nonces.use(nonce, 1, 1.0, "192.0.2.9")


def test_a_nonce_of_another_server_is_not_good() -> None:
    foreign = Nonces(tokens("other")).issue(1.0)
    assert not make_nonces().use(foreign, 1, 1.0)


@given(st.text() | st.text("0123456789abcdef."), st.text())
def test_no_other_text_is_a_nonce(text: str, source: str) -> None:
    assert not make_nonces().use(text, 1, 1.0, source)


@given(st.data())
def test_no_change_to_a_nonce_goes_unseen(data: st.DataObject) -> None:
    nonces = make_nonces()
    nonce = nonces.issue(1.0)
    at = data.draw(st.integers(0, len(nonce) - 1))
    other = data.draw(st.characters().filter(lambda char: char != nonce[at]))
    for changed in (nonce[:at] + other + nonce[at + 1 :], nonce[:at] + nonce[at + 1 :]):
        assert not nonces.use(changed, 1, 1.0)


@pytest.mark.parametrize("odd", ["\ud800", "\0", "\U0001f600"])
def test_no_text_at_all_is_more_than_no_nonce_of_ours(odd: str) -> None:
    nonces = make_nonces()
    nonce = nonces.issue(1.0)
    for changed in (odd, odd + nonce, nonce + odd):
        assert not nonces.use(changed, 1, 1.0)
    assert not nonces.use(nonce, 1, 1.0, odd)


def test_what_is_forgotten_for_want_of_room_cannot_be_used_again() -> None:
    nonces = make_nonces(max_nonces=2)
    first, between, second, third = (nonces.issue(when) for when in (1.0, 1.5, 2.0, 3.0))
    assert nonces.use(second, 1, 4.0)
    assert nonces.use(first, 1, 4.0)
    assert nonces.use(third, 1, 4.0)
    assert len(nonces) == 2
    assert not nonces.use(first, 1, 4.0)
    assert not nonces.use(first, 2, 4.0)
    # It never was used, but is older than all that is remembered.
    assert not nonces.use(between, 1, 4.0)
    assert nonces.use(second, 2, 4.0)
    assert nonces.use(third, 2, 4.0)
    assert len(nonces) == 2


class EachCountOnce(RuleBasedStateMachine):
    """Fresh, repeated, overtaken and expired counts, in any order, with room for a few nonces."""

    issued: Bundle[tuple[str, float]] = Bundle("issued")

    def __init__(self) -> None:
        super().__init__()
        self.nonces = make_nonces(max_nonces=3)
        self.now = 0.0
        self.taken: dict[str, set[int | None]] = {}
        self.crowded = False

    @rule(target=issued)
    def issue(self) -> tuple[str, float]:
        return self.nonces.issue(self.now), self.now

    @rule(seconds=st.sampled_from([0.0, 1.0, 4.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(nonce=issued, count=st.none() | st.integers(1, 3 * REORDERING_WINDOW))
    def use(self, nonce: tuple[str, float], count: int | None) -> None:
        self.attempt(*nonce, count)

    @rule(nonce=issued, ahead=st.integers(-2, 2))
    def use_near_the_highest(self, nonce: tuple[str, float], ahead: int) -> None:
        counts = [count for count in self.taken.get(nonce[0], ()) if count is not None]
        self.attempt(*nonce, max(0, max(counts, default=0) + ahead))

    def attempt(self, nonce: str, issued: float, count: int | None) -> None:
        live = sum(1 for other in self.taken if other != nonce)
        self.crowded = self.crowded or live >= 3
        accepted = self.nonces.use(nonce, count, self.now)
        taken = self.taken.get(nonce, set())
        expired = self.now >= issued + LIFETIME
        if accepted:
            assert not expired
            assert count not in taken
            assert not taken or (count is not None and None not in taken)
            self.taken.setdefault(nonce, set()).add(count)
        elif not self.crowded and not expired:
            highest = max((one for one in taken if one is not None), default=0)
            assert (
                count in taken
                or None in taken
                or (count is None and taken)
                or (count is not None and count <= highest - REORDERING_WINDOW)
            )

    @invariant()
    def the_memory_is_bounded(self) -> None:
        assert len(self.nonces) <= 3


TestEachCountOnce = EachCountOnce.TestCase


def test_a_nonce_stays_ours_when_it_is_of_no_more_use() -> None:
    nonces = Nonces(tokens("secret"), lifetime=10)
    nonce = nonces.issue(0.0, "here")
    assert nonces.use(nonce, None, 1.0, "here")
    assert not nonces.use(nonce, None, 100.0, "here")
    assert nonces.issued(nonce, "here")
    assert not nonces.issued(nonce, "there")
    assert not nonces.issued("made.up.nonce", "here")
    assert not nonces.issued("", "here")
