"""Tests of sylk.net.outboxes: what waits for all peers together."""

import trio

from sylk.net.outboxes import Outboxes
from tests.net.streams import MemoryStream


async def test_over_the_common_bound_the_one_with_most_is_given_up() -> None:
    outboxes = Outboxes(limit=100, total=50)
    failures: dict[str, str] = {}
    async with trio.open_nursery() as nursery:

        def fail(name: str, reason: str) -> None:
            failures[name] = reason

        streams = {name: MemoryStream() for name in "abc"}
        opened = {
            name: outboxes.open(stream, nursery, lambda reason, name=name: fail(name, reason))
            for name, stream in streams.items()
        }
        opened["a"].write(b"x" * 10)
        opened["b"].write(b"x" * 30)
        opened["c"].write(b"x" * 10)
        assert outboxes.pending == 50
        assert not failures
        opened["a"].write(b"x")
        assert failures == {
            "b": "too slow: 30 bytes wait for it, the most of 51 for all",
        }
        assert opened["b"].is_too_slow
        assert outboxes.pending == 21
        # Whoever is written to may be the one.
        opened["c"].write(b"y" * 40)
        assert list(failures) == ["b", "c"]
        assert outboxes.pending == 11
        for stream in streams.values():
            stream.allow(100)
    assert bytes(streams["a"].written) == b"x" * 11
    assert outboxes.pending == 0


async def test_what_was_sent_or_dropped_waits_no_more() -> None:
    outboxes = Outboxes(limit=100, total=1000)
    failures: list[str] = []
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            slow, gone = MemoryStream(credit=3), MemoryStream()
            first = outboxes.open(slow, nursery, failures.append)
            second = outboxes.open(gone, nursery, failures.append)
            first.write(b"hello")
            first.write(b"again")
            second.write(b"hello")
            assert outboxes.pending == 12
            slow.allow(100)
            gone.break_off()
            await first.wait_empty()
            await second.wait_empty()
            assert outboxes.pending == 0
    # Only the streams have failed: nobody was too slow.
    assert failures == ["broken"] * 20


async def test_each_has_its_own_bound_too() -> None:
    outboxes = Outboxes(limit=10)
    failures: list[str] = []
    async with trio.open_nursery() as nursery:
        outbox = outboxes.open(MemoryStream(), nursery, failures.append)
        outbox.write(b"x" * 10)
        outbox.write(b"x")
        nursery.cancel_scope.cancel()
    assert failures == ["too slow: 11 bytes wait for it"]
    assert outboxes.pending == 0
