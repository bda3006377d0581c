"""A file that is begun anew when it is full, of which a bounded number is kept.

`messages.log` is being written, `messages.1.log` was before it, up to a last one that is deleted.
Nothing is ever appended to a file that was there, and what could not be written whole is taken
back: so each file can be read from its beginning to its end.
"""

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_MODE = 0o600
_FOLDER_MODE = 0o700
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class RotatingFile:
    """One file at a time. After a failure the next call tries again, and may well succeed."""

    def __init__(self, path: Path, header: bytes, *, max_size: int, max_files: int) -> None:
        """Nothing is opened yet; each file begins with `header`.

        `max_size` is in bytes and is passed by one block at most when that is larger than it;
        `max_files` counts the one that is being written.
        """
        self.path = path
        self._header = header
        self._max_size = max_size
        self._max_files = max_files
        self._descriptor: int | None = None
        self._size = 0

    def open(self) -> None:
        """Begin a file, if there is none; raises OSError."""
        if self._descriptor is not None:
            return
        self.path.parent.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
        self._shift()
        self._descriptor = os.open(self.path, _FLAGS, _MODE)
        self._size = 0
        _, error = self._write([self._header])
        if error is not None:
            self.close()
            self.path.unlink()
            raise error

    def append(self, blocks: Sequence[bytes]) -> tuple[int, OSError | None]:
        """Write `blocks`, each whole into one file.

        Returns how many of them were written, and what kept the next one from it.
        """
        done = 0
        try:
            self.open()
            while done < len(blocks):
                if self._size > len(self._header) and self._overflows(blocks[done]):
                    self.close()
                    self.open()
                count, error = self._write(self._fitting(blocks, done))
                done += count
                if error is not None:
                    return done, error
        except OSError as error:
            return done, error
        return done, None

    def close(self) -> None:
        """Close the file; the next block begins another one."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)

    def _overflows(self, block: bytes) -> bool:
        return self._size + len(block) > self._max_size

    def _fitting(self, blocks: Sequence[bytes], first: int) -> Sequence[bytes]:
        """Return the blocks that go into this file together, one at least."""
        room = self._max_size - self._size
        end = first
        for block in blocks[first:]:
            room -= len(block)
            if end > first and room < 0:
                break
            end += 1
        return blocks[first:end]

    def _write(self, blocks: Sequence[bytes]) -> tuple[int, OSError | None]:
        """Write `blocks`, and take back what was written of one that did not get there whole."""
        assert self._descriptor is not None
        data = memoryview(b"".join(blocks))
        written = 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError as error:
            count = self._keep_whole(blocks, written)
            # Half a packet would spoil all that follow.
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
                os.lseek(self._descriptor, self._size, os.SEEK_SET)
            return count, error
        self._size += written
        return len(blocks), None

    def _keep_whole(self, blocks: Sequence[bytes], written: int) -> int:
        """Count into the file the blocks of which the last octet was written."""
        for count, block in enumerate(blocks):
            written -= len(block)
            if written < 0:
                return count
            self._size += len(block)
        return len(blocks)

    def _shift(self) -> None:
        """Give each older file the next number, and delete those that are too many."""
        if not os.path.lexists(self.path):
            self._delete_from(self._max_files)
            return
        self._delete_from(self._max_files - 1)
        for number in range(self._max_files - 2, -1, -1):
            with suppress(FileNotFoundError):
                os.rename(self._numbered(number), self._numbered(number + 1))
        if self._max_files == 1:
            os.unlink(self.path)

    def _delete_from(self, first: int) -> None:
        pattern = re.compile(rf"{re.escape(self.path.stem)}\.(\d{{1,6}}){self.path.suffix}")
        for name in os.listdir(self.path.parent):
            match = pattern.fullmatch(name)
            if match is not None and int(match[1]) >= max(first, 1):
                os.unlink(self.path.parent / name)

    def _numbered(self, number: int) -> Path:
        name = f"{self.path.stem}.{number}{self.path.suffix}" if number else self.path.name
        return self.path.with_name(name)
