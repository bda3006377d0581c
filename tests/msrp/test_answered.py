"""What is remembered of messages that were answered."""

from sylk.msrp.answered import MAX_REMEMBERED, AnsweredMessages


def test_only_what_came_on_an_earlier_connection_is_found() -> None:
    answered = AnsweredMessages()
    answered.settle(b"m1", 403)
    assert answered.find(b"m1") is None
    answered.link_lost()
    assert answered.find(b"m1") == (403, 0)
    answered.settle(b"m1", 200, 200)
    answered.settle(b"m2", 200)
    answered.link_lost()
    assert answered.find(b"m1") == (200, 200)
    assert answered.find(b"m2") == (200, 0)


def test_the_latest_are_remembered_and_memory_is_bounded() -> None:
    answered = AnsweredMessages()
    for number in range(10 * MAX_REMEMBERED):
        answered.settle(b"m%d" % number, 200)
        if number % 1000 == 0:
            answered.link_lost()
    answered.link_lost()
    found = [one for one in range(10 * MAX_REMEMBERED) if answered.find(b"m%d" % one)]
    assert MAX_REMEMBERED <= len(found) <= 2 * MAX_REMEMBERED
    assert found == list(range(found[0], 10 * MAX_REMEMBERED))
