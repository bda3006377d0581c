"""Which worker has which addresses."""

from hypothesis import given
from hypothesis import strategies as st

from sylk.share import Share, user_of, worker_of
from sylk.sip.uri import SipURI

USERS = st.none() | st.text(st.characters(), min_size=1)


@given(USERS, st.integers(1, 64))
def test_each_address_has_one_worker(user: str | None, count: int) -> None:
    owners = [index for index in range(count) if Share(index, count).owns(user)]
    assert owners == [worker_of(user, count)]


@given(USERS)
def test_who_is_alone_has_all(user: str | None) -> None:
    assert Share().owns(user)


def test_rooms_are_spread_evenly() -> None:
    counts = [0] * 4
    for number in range(1000):
        counts[worker_of(f"room{number}", 4)] += 1
    assert min(counts) > 200


def test_a_room_stays_where_it_is_from_version_to_version() -> None:
    # What is on disk depends on it.
    assert [worker_of(user, 7) for user in (None, "lobby", "kitchen", "café")] == [0, 1, 1, 5]


@given(st.text(min_size=1))
def test_an_address_as_it_is_kept_has_the_worker_of_its_uri(user: str) -> None:
    written = str(SipURI("sip", user, None, "example.com")).removeprefix("sip:")
    assert user_of(written) == user


def test_an_address_without_a_user() -> None:
    assert user_of("example.com") is None
