import os
import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing
from sylk_conference.history import HistoryLimits, HistoryStore
from sylk_conference.history.store import GATHER_COUNT, GATHER_TIME, SWEEP_ROWS

from tests.apps.conference.history.disks import (
    PATIENCE,
    ROOM,
    Log,
    saying,
    small_disk,
    texts,
)

LIMITS = HistoryLimits(age=0, retry=0.05)
ALICE, BOB = "alice@example.com", "bob@example.com"

Open = Callable[..., AbstractAsyncContextManager[HistoryStore]]


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def opened(tmp_path: Path, log: Log) -> Open:
    """Run a store, from the start of a server to its orderly end."""

    @asynccontextmanager
    async def run(
        path: Path = tmp_path / "history.db", limits: HistoryLimits = LIMITS
    ) -> AsyncGenerator[HistoryStore]:
        store = HistoryStore(path, limits, log.logger)
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                await nursery.start(store.run)
                yield store
                nursery.cancel_scope.cancel()

    return run


async def say(store: HistoryStore, *said: str) -> None:
    """Say something and wait until the last of it is acknowledged."""
    done = trio.Event()
    for text in said:
        store.add(saying(text), done.set if text is said[-1] else None)
    await done.wait()


def fail() -> None:
    raise LookupError


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_what_is_acknowledged_is_kept_in_order_over_a_restart(opened: Open) -> None:
    answered: list[int] = []
    async with opened() as store:
        for number in range(3000):
            store.add(saying(str(number)), partial(answered.append, number))
        assert answered == []
        await say(store, "last")
        assert answered == list(range(3000))
        assert store.is_on
    async with opened() as store:
        kept = await store.latest(ROOM, 5000)
        assert texts(kept) == [*map(str, range(3000)), "last"]
        assert [one.sequence for one in kept] == list(range(1, 3002))


async def test_the_end_of_a_server_writes_the_rest_and_leaves_one_file(
    opened: Open, tmp_path: Path
) -> None:
    answered: list[int] = []
    async with opened() as store:
        for number in range(2500):
            store.add(saying(str(number)), partial(answered.append, number))
    assert answered == list(range(2500))
    assert names_in(tmp_path) == ["history.db"]
    store.add(saying("too late"), partial(answered.append, 2500))
    assert answered[-1] == 2500
    async with opened() as store:
        assert texts(await store.latest(ROOM, 2)) == ["2498", "2499"]


async def test_small_transactions_keep_a_distance(
    opened: Open, mock_clock: trio.testing.MockClock
) -> None:
    async with opened() as store:
        # The clock stands: the transaction of the first message has just begun.
        await say(store, "one")
        done = trio.Event()
        store.add(saying("two"), done.set)
        await trio.testing.wait_all_tasks_blocked()
        assert texts(await store.latest(ROOM, 5)) == ["one"]
        assert not done.is_set()
        mock_clock.jump(GATHER_TIME)
        await done.wait()


async def test_many_messages_wait_for_no_more_and_neither_does_who_comes_in(
    opened: Open, mock_clock: trio.testing.MockClock
) -> None:
    async with opened() as store:
        await say(store, "before")
        await say(store, *map(str, range(GATHER_COUNT)))
        store.add(saying("last"))
        visit = store.enter(ROOM, ALICE)
        assert texts(await store.replay(visit, 2)) == [str(GATHER_COUNT - 1), "last"]
    assert mock_clock.rate == 0.0


async def test_who_joins_gets_what_was_said_before_and_nothing_twice(opened: Open) -> None:
    async with opened() as store:
        for number in range(30):
            store.add(saying(str(number)))
        visit = store.enter(ROOM, ALICE)
        store.add(saying("heard"))
        assert texts(await store.replay(visit, 3)) == ["27", "28", "29"]
        await say(store, "heard too")
        assert texts(await store.replay(visit, 3)) == ["27", "28", "29"]


async def test_who_comes_back_gets_all_since_then_over_a_restart(opened: Open) -> None:
    async with opened() as store:
        first = store.enter(ROOM, ALICE)
        store.add(saying("heard"))
        store.leave(first)
        store.leave(first)
        for number in range(9):
            store.add(saying(str(number)))
    async with opened() as store:
        again, new = store.enter(ROOM, ALICE), store.enter(ROOM, BOB)
        assert texts(await store.replay(again, 2, missed=100)) == [*map(str, range(9))]
        assert texts(await store.replay(again, 2, missed=4)) == ["5", "6", "7", "8"]
        assert texts(await store.replay(again, 2)) == ["7", "8"]
        assert texts(await store.replay(new, 2, missed=100)) == ["7", "8"]
        assert texts(await store.replay(again, 5, attended=True)) == ["heard"]
        assert await store.replay(new, 5, attended=True) == []


async def test_the_loop_goes_on_while_the_disk_is_waited_for(opened: Open, log: Log) -> None:
    async with opened() as store:
        await say(store, "one")
        with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            # This very thread holds the lock: a call of SQLite in it could only fail.
            other.execute("BEGIN EXCLUSIVE")
            done = trio.Event()
            store.add(saying("two"), done.set)
            assert texts(await store.latest(ROOM, 5)) == ["one"]
            assert not done.is_set()
            other.execute("ROLLBACK")
        await done.wait()
        assert texts(await store.latest(ROOM, 5)) == ["one", "two"]
    assert log.lines == []


async def test_a_disk_that_hangs_holds_nobody_for_long(opened: Open, log: Log) -> None:
    limits = HistoryLimits(age=0, patience=0.1, retry=0.05)
    async with opened(limits=limits) as store:
        await say(store, "one")
        with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            await say(store, "two")
            await log.wait_for("history is off: the disk takes too long")
            assert not store.is_on
            await say(store, "three")
            other.execute("ROLLBACK")
        await log.wait_for("history is on again")
        await say(store, "four")
        assert texts(await store.latest(ROOM, 5)) == ["one", "two", "three", "four"]
    assert len(log.lines) == 2


@pytest.mark.parametrize("under_way", [False, True])
async def test_a_server_ends_though_its_disk_hangs(opened: Open, log: Log, under_way: bool) -> None:
    limits = HistoryLimits(age=0, patience=0.1)
    async with opened(limits=limits) as store:
        await say(store, "one")
        other = sqlite3.connect(store.path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        answered = trio.Event()
        store.add(saying("two"), answered.set)
        if under_way:
            await trio.testing.wait_all_tasks_blocked()
    assert answered.is_set()
    assert any("without the disk having answered" in line for line in log.lines)
    # Its patience ended, not the lock.
    assert not any("locked" in line for line in log.lines)
    other.close()


async def test_a_lock_of_another_process_passes(opened: Open, log: Log) -> None:
    async with opened() as store:
        await say(store, "one")
        with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            await say(store, "two")
            assert not store.is_on
            await say(store, "three")
            other.execute("ROLLBACK")
        line = await log.wait_for("on again")
        assert line.endswith("0 messages were not kept")
        assert texts(await store.latest(ROOM, 5)) == ["one", "two", "three"]
    assert log.lines[0] == (
        "history is off: database is locked; it is tried again every 0.05 seconds"
    )
    assert len(log.lines) == 2


async def test_a_full_disk_passes_and_what_did_not_fit_is_counted(
    opened: Open, log: Log, tmp_path: Path
) -> None:
    limits = HistoryLimits(age=0, retry=0.05, pending=300_000)
    with small_disk(tmp_path / "disk") as disk:
        async with opened(disk.path / "history.db", limits) as store:
            await say(store, "one")
            visit = store.enter(ROOM, ALICE)
            filler = disk.fill()
            await say(store, "x" * 100_000)
            await log.wait_for("history is off: ")
            await say(store, *(str(number) * 100_000 for number in range(1, 9)))
            for _ in range(2000):
                store.add(saying(""))
            # Comings and goings that do not fit are made good by who is there in the end.
            for _ in range(2):
                store.leave(store.enter(ROOM, "carol@example.com"))
            bob = store.enter(ROOM, BOB)
            store.leave(visit)
            assert texts(await store.latest(ROOM, 1)) == ["one"]
            assert await store.replay(bob, 1)
            filler.unlink()
            line = await log.wait_for("on again")
            assert int(line.split(":")[1].split()[0]) > 1000
            await say(store, "last")
            kept = texts(await store.latest(ROOM, 5000))
            assert kept[0] == "one"
            assert kept[-1] == "last"
            assert "last" in texts(await store.latest(ROOM, 1, attendee=BOB))
            assert "last" not in texts(await store.latest(ROOM, 1, attendee=ALICE))
    assert len(log.lines) == 2


async def test_a_read_only_disk_passes(opened: Open, log: Log, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        disk.make_read_only(True)
        async with opened(disk.path / "history.db") as store:
            await say(store, "one")
            await log.wait_for("history is off: ")
            assert await store.latest(ROOM, 5) == []
            disk.make_read_only(False)
            await log.wait_for("on again")
            assert texts(await store.latest(ROOM, 5)) == ["one"]


async def test_a_folder_that_is_not_ours_passes(opened: Open, log: Log, tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o500)
    if os.access(tmp_path, os.W_OK):
        pytest.skip("root may write everywhere")
    async with opened() as store:
        await say(store, "one")
        await log.wait_for("history is off: ")
        os.chmod(tmp_path, 0o700)
        await log.wait_for("on again")
        assert texts(await store.latest(ROOM, 5)) == ["one"]


async def test_a_newer_file_is_refused_and_left_alone(
    opened: Open, log: Log, tmp_path: Path
) -> None:
    path = tmp_path / "history.db"
    async with opened() as store:
        await say(store, "one")
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    async with opened() as store:
        await say(store, "two")
        await log.wait_for("is of a newer Sylk (version 99")
    assert path.read_bytes() == before


async def test_damage_that_a_reader_finds_is_put_aside(
    opened: Open, log: Log, tmp_path: Path
) -> None:
    path = tmp_path / "history.db"
    async with opened() as store:
        await say(store, *("x" * 900 for _ in range(200)))
    with path.open("r+b") as file:
        file.seek(-4096 * 6, 2)
        file.write(b"\xff" * 4096 * 6)
    async with opened() as store:
        while not any("is damaged" in line for line in log.lines):
            await store.latest(ROOM, 200)
        await say(store, "one")
        assert texts(await store.latest(ROOM, 5)) == ["one"]
    aside = [name for name in names_in(tmp_path) if "damaged" in name]
    assert len([name for name in aside if not name.endswith(("-wal", "-shm"))]) == 1


async def test_senders_wait_while_too_much_is_on_its_way(opened: Open) -> None:
    limits = HistoryLimits(age=0, pending=1000)
    async with opened(limits=limits) as store:
        await say(store, "one")
        with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            done = trio.Event()
            store.add(saying("x" * 2000), done.set)
            async with trio.open_nursery() as nursery:

                async def hurry() -> None:
                    await store.wait_for_room()
                    assert done.is_set()

                nursery.start_soon(hurry)
                await trio.testing.wait_all_tasks_blocked()
                other.execute("ROLLBACK")
        await store.wait_for_room()


async def test_a_fault_in_what_follows_is_logged_and_harms_nobody(opened: Open, log: Log) -> None:
    async with opened() as store:
        store.add(saying("one"), fail)
        await say(store, "two")
        assert texts(await store.latest(ROOM, 5)) == ["one", "two"]
    assert log.lines == ["what was to follow a record failed"]


async def test_what_follows_may_say_something_itself(opened: Open) -> None:
    async with opened() as store:
        done = trio.Event()
        store.add(saying("one"), lambda: store.add(saying("two"), done.set))
        await done.wait()
        assert texts(await store.latest(ROOM, 5)) == ["one", "two"]


async def test_a_reader_does_not_wait_for_a_disk_that_hangs(
    opened: Open, log: Log, tmp_path: Path
) -> None:
    async with opened() as store:
        await say(store, "one")
    with closing(sqlite3.connect(tmp_path / "history.db", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        store = HistoryStore(tmp_path / "history.db", HistoryLimits(patience=0.1), log.logger)
        for _ in range(2):
            assert await store.latest(ROOM, 5) == []
        assert log.lines == ["history cannot be read: the disk does not answer"]
        other.execute("ROLLBACK")


async def test_tidying_up_can_wait(opened: Open, log: Log) -> None:
    async with opened(limits=HistoryLimits(age=0, count=10)) as store:
        await say(store, "one")
        refusal = "BEFORE DELETE ON records BEGIN SELECT RAISE(ABORT, 'not now'); END"
        with closing(sqlite3.connect(store.path)) as other:
            other.execute(f"CREATE TRIGGER no {refusal}")
            other.commit()
        # So many that the sweep is due at once.
        await say(store, *map(str, range(2 * SWEEP_ROWS)))
        await log.wait_for("history cannot be tidied up: not now")
        await say(store, "still kept")
        assert store.is_on
        assert texts(await store.latest(ROOM, 1)) == ["still kept"]


async def test_old_records_go_by_themselves(opened: Open) -> None:
    limits = HistoryLimits(age=0, count=100)
    async with opened(limits=limits) as store:
        # So many that a sweep is due at once; what comes while it goes on is for the next.
        said = [str(number) for number in range(2 * SWEEP_ROWS)]
        await say(store, *said)
        while len(kept := await store.latest(ROOM, 10_000)) > SWEEP_ROWS + 1000:
            await trio.lowlevel.checkpoint()
        assert len(kept) >= 100
        assert texts(kept) == said[-len(kept) :]
