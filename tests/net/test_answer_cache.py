"""Tests of sylk.net.answer_cache."""

from hypothesis import given
from hypothesis import strategies as st

from sylk.net.answer_cache import AnswerCache
from sylk.sip.dns_records import AddressRecord, NoSuchName, Question

A = Question("example.com", "A")
AAAA = Question("example.com", "AAAA")
RECORDS = (AddressRecord("192.0.2.1"),)


def question(number: int) -> Question:
    return Question(f"host{number}.example.com", "A")


def test_an_answer_is_kept_for_its_time() -> None:
    cache = AnswerCache()
    cache.put(A, RECORDS, 10.0, 100.0)
    assert cache.get(A, 109.9) == RECORDS
    assert cache.get(A, 110.0) is None
    assert len(cache) == 0


def test_no_aaaa_says_nothing_about_a() -> None:
    cache = AnswerCache()
    cache.put(AAAA, NoSuchName(), 10.0, 100.0)
    assert cache.get(A, 100.0) is None
    cache.put(A, RECORDS, 10.0, 100.0)
    assert cache.get(A, 100.0) == RECORDS
    assert cache.get(AAAA, 100.0) == NoSuchName()


def test_a_new_answer_takes_the_place_of_the_old_one() -> None:
    cache = AnswerCache(1)
    cache.put(A, RECORDS, 10.0, 100.0)
    cache.put(A, (), 10.0, 105.0)
    assert cache.get(A, 112.0) == ()
    cache.put(A, RECORDS, 0.0, 112.0)
    assert cache.get(A, 112.0) is None


def test_what_was_not_used_for_longest_is_forgotten() -> None:
    cache = AnswerCache(2)
    cache.put(question(1), RECORDS, 10.0, 0.0)
    cache.put(question(2), RECORDS, 10.0, 0.0)
    assert cache.get(question(1), 1.0) == RECORDS
    cache.put(question(3), RECORDS, 10.0, 1.0)
    assert cache.get(question(2), 1.0) is None
    assert cache.get(question(1), 1.0) == RECORDS
    assert cache.get(question(3), 1.0) == RECORDS


@given(
    st.integers(0, 3),
    st.lists(st.tuples(st.integers(1, 5), st.floats(-1, 5), st.floats(0, 3), st.booleans())),
)
def test_it_is_bounded_and_never_gives_what_has_expired(
    room: int, history: list[tuple[int, float, float, bool]]
) -> None:
    cache = AnswerCache(room)
    ends: dict[int, float] = {}
    now = 0.0
    for number, ttl, wait, put in history:
        now += wait
        if put:
            cache.put(question(number), RECORDS, ttl, now)
            ends[number] = now + ttl
        else:
            answer = cache.get(question(number), now)
            assert answer is None or (answer == RECORDS and ends[number] > now)
        assert len(cache) <= room
