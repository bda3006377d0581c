"""How many may be told something at one time, in all and from one source."""

from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import RemoteProtocolError
from sylk.session.subscription_counts import SubscriptionBounds, SubscriptionCounts


def fault_of(counts: SubscriptionCounts, source: str) -> str:
    """Return which bound there is no room for; empty when there is room."""
    try:
        counts.check(source)
    except RemoteProtocolError as error:
        asks_later = error.status == 503 and dict(error.headers).get("Retry-After") == "60"
        return str(error).partition(" ")[0] if asks_later else "another fault"
    return ""


def test_one_source_cannot_have_them_all() -> None:
    counts = SubscriptionCounts(SubscriptionBounds(max_in_all=10, max_per_source=2))
    for user in (1, 2):
        assert fault_of(counts, "a") == ""
        counts.add(user, "a")
    assert fault_of(counts, "a") == "max_subscriptions_per_source"
    assert fault_of(counts, "b") == ""
    counts.remove(1)
    assert fault_of(counts, "a") == ""


def test_who_has_no_limits_has_the_common_one_alone() -> None:
    counts = SubscriptionCounts(SubscriptionBounds(max_in_all=3, max_per_source=1))
    for user in range(3):
        assert fault_of(counts, "") == ""
        counts.add(user, "")
    assert fault_of(counts, "") == "max_subscriptions"
    assert fault_of(counts, "a") == "max_subscriptions"
    counts.remove(0)
    assert fault_of(counts, "") == ""


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 8))))
def test_never_more_than_there_may_be(steps: list[tuple[str, int]]) -> None:
    """Each user comes when it is not there and there is room, and goes when it is."""
    counts = SubscriptionCounts(SubscriptionBounds(max_in_all=5, max_per_source=2))
    there: dict[int, str] = {}
    for source, user in steps:
        if user in there:
            counts.remove(user)
            counts.remove(user)
            del there[user]
        elif not fault_of(counts, source):
            counts.add(user, source)
            there[user] = source
        assert len(counts) == len(there) <= 5
        assert all(list(there.values()).count(one) <= 2 for one in "abc")
