"""Tests of sylk.net.outbox, over a network that takes what a test lets it take."""

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from sylk.net.outbox import Outbox
from tests.net.streams import MemoryStream


class Failures(list[str]):
    """The reasons that an outbox gave for giving up."""


async def test_what_the_network_takes_is_sent_at_once() -> None:
    stream, failures = MemoryStream(credit=100), Failures()
    async with trio.open_nursery() as nursery:
        outbox = Outbox(stream, nursery, failures.append)
        outbox.write(b"hello")
        assert bytes(stream.written) == b"hello"
        assert outbox.pending == 0
        assert not nursery.child_tasks
        await outbox.wait_empty()
    assert not failures


async def test_the_rest_waits_and_is_joined() -> None:
    stream, failures = MemoryStream(credit=3), Failures()
    async with trio.open_nursery() as nursery:
        outbox = Outbox(stream, nursery, failures.append)
        outbox.write(b"hello")
        assert outbox.pending == 2
        for word in (b" one", b" two", b" three"):
            outbox.write(word)
        assert outbox.pending == 16
        await trio.testing.wait_all_tasks_blocked()
        stream.writes = 0
        stream.allow(100)
        await outbox.wait_empty()
        assert stream.writes == 1
    assert bytes(stream.written) == b"hello one two three"
    assert outbox.pending == 0
    assert not failures


async def test_a_second_queue_is_written_as_the_first_was() -> None:
    stream, failures = MemoryStream(), Failures()
    async with trio.open_nursery() as nursery:
        outbox = Outbox(stream, nursery, failures.append)
        for word in (b"one", b"two"):
            outbox.write(word)
            await trio.testing.wait_all_tasks_blocked()
            stream.allow(3)
            await outbox.wait_empty()
    assert bytes(stream.written) == b"onetwo"


async def test_large_pieces_are_not_joined() -> None:
    large = bytes(300_000)
    stream, failures = MemoryStream(), Failures()
    async with trio.open_nursery() as nursery:
        outbox = Outbox(stream, nursery, failures.append)
        for _ in range(4):
            outbox.write(large)
        stream.allow(2_000_000)
        await outbox.wait_empty()
        assert stream.writes == 5
    assert len(stream.written) == 1_200_000


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(st.binary(min_size=1, max_size=40), st.integers(1, 60)),
        max_size=30,
    )
)
def test_order_is_kept_whatever_the_network_takes(steps: list[bytes | int]) -> None:
    """A step is either something to write, or how many bytes the network takes more."""

    async def main() -> None:
        stream, failures = MemoryStream(), Failures()
        async with trio.open_nursery() as nursery:
            outbox = Outbox(stream, nursery, failures.append)
            for step in steps:
                if isinstance(step, bytes):
                    outbox.write(step)
                else:
                    stream.allow(step)
                    await trio.testing.wait_all_tasks_blocked()
                    assert outbox.pending == 0 or not stream.credit
            stream.allow(10_000)
            await outbox.wait_empty()
        assert bytes(stream.written) == b"".join(step for step in steps if isinstance(step, bytes))
        assert not failures

    trio.run(main)


async def test_too_much_gives_the_peer_up_once() -> None:
    stream, failures = MemoryStream(), Failures()
    async with trio.open_nursery() as nursery:
        outbox = Outbox(stream, nursery, failures.append, limit=10)
        outbox.write(b"0123456789")
        assert not failures
        outbox.write(b"x")
        outbox.write(b"y" * 100)
        assert failures == ["too slow: 11 bytes wait for it"]
        assert outbox.pending == 0
        await outbox.wait_empty()
        stream.allow(100)
    assert not stream.written
    assert len(failures) == 1


async def test_a_peer_that_takes_nothing_is_given_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    stream, failures = MemoryStream(credit=1), Failures()
    begun = trio.current_time()
    async with trio.open_nursery() as nursery:
        outbox = Outbox(stream, nursery, failures.append, timeout=30.0)
        outbox.write(b"hello")
        await outbox.wait_empty()
    assert trio.current_time() - begun == pytest.approx(30.0)
    assert failures == ["too slow: it took nothing for 30 s"]


async def test_a_peer_that_takes_a_little_now_and_then_is_kept(
    autojump_clock: trio.testing.MockClock,
) -> None:
    stream, failures = MemoryStream(), Failures()
    async with trio.open_nursery() as nursery:
        outbox = Outbox(stream, nursery, failures.append, timeout=30.0)
        outbox.write(b"hello")
        for _ in range(5):
            await trio.sleep(29.0)
            stream.allow(1)
        await outbox.wait_empty()
    assert bytes(stream.written) == b"hello"
    assert not failures


async def test_a_broken_stream_is_given_up_at_the_first_write() -> None:
    stream, failures = MemoryStream(credit=10), Failures()
    async with trio.open_nursery() as nursery:
        outbox = Outbox(stream, nursery, failures.append)
        stream.break_off()
        outbox.write(b"hello")
        outbox.write(b"again")
    assert failures == ["broken"]


async def test_a_stream_that_breaks_while_something_waits_is_given_up() -> None:
    stream, failures = MemoryStream(), Failures()
    async with trio.open_nursery() as nursery:
        outbox = Outbox(stream, nursery, failures.append)
        outbox.write(b"hello")
        await trio.testing.wait_all_tasks_blocked()
        stream.break_off()
        await outbox.wait_empty()
    assert failures == ["broken"]
    assert outbox.pending == 0


async def test_waiting_ends_when_the_writer_is_cancelled() -> None:
    stream, failures = MemoryStream(), Failures()
    async with trio.open_nursery() as waiters, trio.open_nursery() as nursery:
        outbox = Outbox(stream, nursery, failures.append)
        outbox.write(b"hello")
        waiters.start_soon(outbox.wait_empty)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert not failures


async def test_a_closed_outbox_drops_everything_and_tells_nobody() -> None:
    stream, failures = MemoryStream(), Failures()
    async with trio.open_nursery() as nursery:
        outbox = Outbox(stream, nursery, failures.append)
        outbox.write(b"hello")
        outbox.close()
        assert outbox.pending == 0
        stream.allow(100)
    # The nursery is over: nothing could be started in it any more.
    outbox.write(b"again")
    await outbox.wait_empty()
    assert not failures
    assert not stream.written


async def test_a_writer_that_outlives_the_failure_tells_it_no_second_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    stream, failures = MemoryStream(), Failures()
    async with trio.open_nursery() as nursery:
        outbox = Outbox(stream, nursery, failures.append, limit=3)
        outbox.write(b"abc")
        await trio.testing.wait_all_tasks_blocked()
        outbox.write(b"d")
    assert failures == ["too slow: 4 bytes wait for it"]


async def test_one_message_larger_than_the_limit_is_taken_when_nothing_waits() -> None:
    stream, failures = MemoryStream(), Failures()
    emptied: list[bool] = []
    async with trio.open_nursery() as nursery:
        outbox = Outbox(stream, nursery, failures.append, limit=10)
        outbox.on_empty = lambda: emptied.append(True)
        outbox.write(b"x" * 50)
        stream.allow(50)
        await outbox.wait_empty()
    assert bytes(stream.written) == b"x" * 50
    assert not failures
    assert emptied == [True]
