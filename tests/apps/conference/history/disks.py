"""Disks that do not do their part, and what the tests of the history share."""

import logging
import os
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
from sylk_conference.history import Record, Said

ROOM = "lobby@example.com"
ALICE = "sip:alice@example.com"
PATIENCE = 10.0


def saying(text: str, at: float = 0.0, room: str = ROOM) -> Said:
    return Said(room, at, ALICE, [text.encode()])


def texts(records: list[Record]) -> list[str]:
    return [one.body.decode() for one in records]


class Log(logging.Handler):
    """A logger of its own, whose lines can be waited for in the trio thread."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.logger = logging.Logger("history")
        self.logger.addHandler(self)
        self._main = threading.current_thread()
        self._changed = trio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        if threading.current_thread() is self._main:
            self._changed.set()
            self._changed = trio.Event()

    async def wait_for(self, text: str) -> str:
        with trio.fail_after(PATIENCE):
            while True:
                for line in self.lines:
                    if text in line:
                        return line
                await self._changed.wait()


class SmallDisk:
    """A file system of its own, in memory."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path))

    def make_read_only(self, read_only: bool) -> None:
        _mount("-o", "remount,ro" if read_only else "remount,rw", str(self.path))

    def fill(self) -> Path:
        """Leave no free byte; returns the file that takes the place."""
        filler = self.path / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                return filler

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.path)], check=True)


@contextmanager
def small_disk(path: Path, size: int = 1024**2) -> Generator[SmallDisk]:
    """Mount a disk of that many bytes at `path`, or skip the test where that is not allowed."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk to fill it")
    path.mkdir()
    try:
        disk = SmallDisk(path, size)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this machine does not let root mount a disk")
    try:
        yield disk
    finally:
        disk.close()


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)
