import trio
import trio.testing

from sylk.cli.deliveries import Deliveries

Failures = list[tuple[str, int, str]]


def make() -> tuple[Deliveries, Failures]:
    failures: Failures = []

    def fail(text: str, status: int, reason: str) -> None:
        failures.append((text, status, reason))

    return Deliveries(fail), failures


def test_a_refused_message_is_told_once() -> None:
    deliveries, failures = make()
    deliveries.sent(b"1", "hello")
    deliveries.not_delivered(b"1", 403, "Forbidden")
    deliveries.not_delivered(b"1", 403, "Forbidden")
    assert failures == [("hello", 403, "Forbidden")]
    assert (deliveries.failed, deliveries.unanswered) == (1, 0)


def test_a_report_after_the_answer_counts() -> None:
    deliveries, failures = make()
    deliveries.sent(b"1", "hello")
    deliveries.delivered(b"1")
    deliveries.delivered(b"1")
    assert (deliveries.failed, deliveries.unanswered) == (0, 0)
    deliveries.not_delivered(b"1", 413, "")
    assert failures == [("hello", 413, "")]


def test_what_was_never_sent_is_nothing() -> None:
    deliveries, failures = make()
    deliveries.delivered(b"1")
    deliveries.not_delivered(b"2", 400, "")
    assert not failures
    assert deliveries.failed == 0


def test_old_texts_are_forgotten() -> None:
    deliveries, failures = make()
    for number in range(1000):
        message_id = str(number).encode()
        deliveries.sent(message_id, "text")
        deliveries.delivered(message_id)
    deliveries.not_delivered(b"0", 413, "")
    assert not failures
    deliveries.not_delivered(b"999", 413, "")
    assert failures == [("text", 413, "")]


async def test_waiting_for_the_answers(autojump_clock: trio.testing.MockClock) -> None:
    deliveries, _ = make()
    for message_id in (b"1", b"2", b"3"):
        deliveries.sent(message_id, "text")

    async def answer() -> None:
        for message_id in (b"2", b"1", b"3"):
            await trio.sleep(1)
            deliveries.delivered(message_id)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        await deliveries.wait_at_most(1)
        assert trio.current_time() == 2
        await deliveries.wait_at_most(0)
        assert trio.current_time() == 3
