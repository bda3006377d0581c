"""Tests of sylk.sip.subscription_limits: for how long a subscription is granted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import RemoteProtocolError
from sylk.sip.subscription_limits import SubscriptionLimits


@given(st.integers(0, 2**32 - 1), st.integers(0, 7200), st.integers(3600, 7200))
def test_never_more_than_asked_for_and_never_more_than_the_most(
    asked: int, least: int, most: int
) -> None:
    limits = SubscriptionLimits(min_expires=least, max_expires=most)
    # RFC 6665 4.2.1.1: more than nothing, less than the least, and less than an hour.
    if 0 < asked < min(least, 3600):
        with pytest.raises(RemoteProtocolError) as caught:
            limits.grant(asked)
        assert caught.value.status == 423
        assert caught.value.headers == (("Min-Expires", str(least)),)
    else:
        assert limits.grant(asked) == min(asked, most)


def test_what_nobody_asked_for_is_the_default() -> None:
    assert SubscriptionLimits(default_expires=180).grant(None) == 180


@pytest.mark.parametrize(("asked", "granted"), [(0, 0), (60, 60), (3601, 3600)])
def test_the_defaults(asked: int, granted: int) -> None:
    assert SubscriptionLimits().grant(asked) == granted
