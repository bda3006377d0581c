"""A server is killed in the middle of talk: what it had acknowledged is there."""

import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sylk_conference.history import HistoryLimits, Visit
from sylk_conference.history.database import is_sound, number, open_for_writing
from sylk_conference.history.reader import Reader
from sylk_conference.history.retention import Retention
from sylk_conference.history.writer import Enter, Writer

from tests.apps.conference.history.disks import Log

TALKING_SERVER = Path(__file__).with_name("talking_server.py")
KEPT = 5000


@contextmanager
def talking(path: Path, begin: int) -> Generator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, str(TALKING_SERVER), str(path), str(begin)], stdout=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("killed_after", [(1, 1, 1), (700, 20, 3000), (9000, 1001)])
def test_what_was_acknowledged_is_there_after_a_kill(
    tmp_path: Path, killed_after: tuple[int, ...]
) -> None:
    path = tmp_path / "history.db"
    last = 0
    acknowledged: list[int] = []
    for lines in killed_after:
        before = len(acknowledged)
        with talking(path, last) as process:
            assert process.stdout is not None
            for line in process.stdout:
                acknowledged.append(int(line))
                if len(acknowledged) == before + lines:
                    process.kill()
        assert len(acknowledged) >= before + lines
        assert acknowledged == sorted(set(acknowledged))
        with closing(open_for_writing(path)) as connection:
            assert is_sound(connection)
            kept = [
                int(body.split()[0])
                for (body,) in connection.execute("SELECT body FROM records ORDER BY seq")
            ]
            count = number(connection, "SELECT count FROM rooms")
        assert kept == sorted(set(kept))
        assert count == len(kept)
        # The oldest may be gone, by the count of the room; never fewer stay.
        assert set(acknowledged[-KEPT:]) <= set(kept)
        # What was written and not acknowledged any more is there too.
        last = kept[-1]


def test_who_was_in_the_room_has_left_it_with_the_server(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with talking(path, 0) as process:
        assert process.stdout is not None
        process.stdout.readline()
    reader = Reader(path)
    writer = Writer(path, Retention(HistoryLimits()), Log().logger)
    visit = Visit("lobby@x", "alice@x")
    ((_, since, until),) = writer.write([Enter(visit, 0.0)], 0.0)
    (latest,) = reader.latest("lobby@x", 1)
    assert since == until == latest.sequence
    reader.close()
    writer.close()
