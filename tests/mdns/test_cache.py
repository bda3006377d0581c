from hypothesis import given
from hypothesis import strategies as st

from sylk.mdns.cache import Cache
from sylk.mdns.record import Question, Record, Type, location, name_of, pointer, text
from tests.mdns.wire import low

KIND = name_of("_sipuri", "_udp")
NAME = name_of("lobby", "_sipuri", "_udp")
POINTER = pointer(KIND, NAME)
TEXT = text(NAME, [("note", "a")])


def test_keeps_what_was_told_for_its_time() -> None:
    cache = Cache(low)
    assert cache.add(POINTER, 0.0)
    assert not cache.add(POINTER, 1.0)
    assert cache.get(KIND, Type.PTR) == [POINTER]
    assert not cache.expire(4500.9)
    assert cache.expire(4501.0)
    assert len(cache) == 0
    assert cache.deadline is None


def test_asks_again_at_four_fifths_and_later() -> None:
    cache = Cache(low)
    record = POINTER.with_ttl(100)
    cache.add(record, 0.0)
    asked: list[float] = []
    while (deadline := cache.deadline) is not None and not cache.expire(deadline):
        assert cache.refresh(deadline) == [Question(KIND, Type.PTR)]
        asked.append(deadline)
    assert asked == [80.0, 85.0, 90.0, 95.0]


def test_what_is_told_anew_begins_again() -> None:
    cache = Cache(low)
    cache.add(POINTER.with_ttl(100), 0.0)
    cache.refresh(80.0)
    cache.add(POINTER.with_ttl(100), 81.0)
    assert cache.deadline == 161.0


def test_a_goodbye_takes_a_second() -> None:
    cache = Cache(low)
    cache.add(POINTER, 0.0)
    cache.add(POINTER.with_ttl(0), 5.0)
    assert cache.get(KIND, Type.PTR)
    assert cache.refresh(6.0) == []
    assert cache.expire(6.0)
    assert not cache.add(POINTER.with_ttl(0), 7.0)
    assert len(cache) == 0


def test_somebody_else_may_save_it_in_that_second() -> None:
    cache = Cache(low)
    cache.add(POINTER, 0.0)
    cache.add(POINTER.with_ttl(0), 5.0)
    cache.add(POINTER, 5.5)
    assert not cache.expire(7.0)


def test_what_is_all_there_is_takes_the_place_of_what_was() -> None:
    cache = Cache(low)
    cache.add(TEXT, 0.0)
    other = text(NAME, [("note", "b")])
    cache.add(other, 5.0)
    assert cache.get(NAME, Type.TXT) == [other, TEXT]
    cache.expire(6.0)
    assert cache.get(NAME, Type.TXT) == [other]


def test_what_came_in_the_same_second_is_of_the_same_set() -> None:
    cache = Cache(low)
    for number in range(2):
        cache.add(location(NAME, name_of(f"host{number}"), 5060), number * 0.5)
    cache.expire(10.0)
    assert len(cache.get(NAME, Type.SRV)) == 2


def test_tells_what_holds_for_half_of_its_time_yet() -> None:
    cache = Cache(low)
    cache.add(POINTER.with_ttl(100), 0.0)
    assert cache.known(KIND, Type.PTR, 40.0) == [POINTER.with_ttl(60)]
    assert cache.known(KIND, Type.PTR, 50.0) == []


def test_no_more_is_kept_than_there_is_room_for() -> None:
    cache = Cache(low, max_records=3)
    for number in range(10):
        cache.add(pointer(KIND, name_of(str(number), "_sipuri", "_udp")), 0.0)
    assert len(cache) == 3
    assert len(cache.get(KIND, Type.PTR)) == 3


RECORDS = [
    POINTER.with_ttl(10),
    TEXT.with_ttl(10),
    text(NAME, [("note", "b")]).with_ttl(3),
    location(NAME, name_of("host"), 1),
    location(NAME, name_of("host"), 2),
]


@given(st.lists(st.tuples(st.sampled_from(RECORDS), st.booleans(), st.floats(0, 30)), max_size=30))
def test_its_count_is_right_and_its_deadline_is_ahead(
    steps: list[tuple[Record, bool, float]],
) -> None:
    cache, now = Cache(low, max_records=4), 0.0
    for record, is_goodbye, pause in steps:
        now += pause
        cache.add(record.with_ttl(0) if is_goodbye else record, now)
        while (deadline := cache.deadline) is not None and deadline <= now:
            cache.expire(now)
            cache.refresh(now)
        kept = [*cache.get(KIND, Type.PTR), *cache.get(NAME, Type.TXT), *cache.get(NAME, Type.SRV)]
        assert len(cache) == len(kept) <= 4
    cache.expire(now + 1000)
    assert len(cache) == 0
