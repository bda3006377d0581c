"""The spool folder: what outlives a restart, for one server at a time, in a layout with a number.

    lock              held with flock by the server that runs; holds its pid
    layout            the number of the layout, as text
    control.socket    commands to the server that runs
    users             who has a password
    tls/              the certificate that the server has made for itself
    traces/           messages that were traced
    NAME/             what the application NAME keeps, such as conference/history.db

A folder without a `layout` is of the versions before there was one: layout 0. An older layout is
brought forward step by step when a server starts, each step noted when it is done; a newer one is
refused, since an older server would misunderstand it.
"""

import fcntl
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from sylk.errors import SylkError

LAYOUT = 1
"""The layout of this version. It goes up when an older server would misunderstand the folder."""

LOCK_FILE = "lock"
LAYOUT_FILE = "layout"

_MAX_FILE = 64
"""Bytes of either file that are read; a number needs less."""


class SpoolError(SylkError):
    """The folder cannot be used; the message is a line for the operator."""


def _keep(_folder: Path) -> None:
    """Layout 0 has no number; all else stands where it stood."""


_STEPS: Mapping[int, Callable[[Path], None]] = MappingProxyType({0: _keep})
"""What brings a folder from a layout to the next one."""


class Spool:
    """The folder, held by this process until `close`."""

    def __init__(self, folder: Path, descriptor: int) -> None:
        self.folder = folder
        self._descriptor = descriptor

    @classmethod
    def open(cls, folder: Path) -> "Spool":
        """Make the folder if need be, hold it, and bring it to this layout; raises SpoolError."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unusable(folder, error) from error
        spool = cls(folder, descriptor)
        try:
            spool._lock()
            migrate(folder)
        except OSError as error:
            spool.close()
            raise _unusable(folder, error) from error
        except SpoolError:
            spool.close()
            raise
        return spool

    def close(self) -> None:
        """Let another server have the folder."""
        os.close(self._descriptor)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = _holder(self._descriptor)
            whom = f"the server with the pid {pid}" if pid else "another server"
            raise SpoolError(
                f"{self.folder.absolute()} is in use by {whom}: end it, "
                "or give this one a spool_dir of its own in [Server]"
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, b"%d\n" % os.getpid(), 0)


def holder_of(folder: Path) -> int | None:
    """Return the pid of who holds the folder, 0 if it is unknown; None if nobody does.

    Takes the lock for a moment, so a server that starts just then would find it taken. Raises
    OSError.
    """
    try:
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _holder(descriptor)
    finally:
        os.close(descriptor)
    return None


def _holder(descriptor: int) -> int:
    pid = os.pread(descriptor, _MAX_FILE, 0).strip()
    return int(pid) if pid.isdigit() else 0


def layout_of(folder: Path) -> int:
    """Return the number of the layout that a folder has; raises SpoolError, OSError."""
    path = folder / LAYOUT_FILE
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_FILE).strip()
    except FileNotFoundError:
        return 0
    if not text.isdigit():
        raise SpoolError(f"{path} holds no number: restore it from a backup, or write {LAYOUT}")
    return int(text)


def migrate(folder: Path) -> None:
    """Bring a folder that is held to this layout; raises SpoolError, OSError."""
    found = layout_of(folder)
    if found > LAYOUT:
        raise SpoolError(
            f"{folder.absolute()} has layout {found}, of a newer version; this one knows {LAYOUT}: "
            "start that version, or restore the backup from before the upgrade"
        )
    for number in range(found, LAYOUT):
        _STEPS[number](folder)
        _note(folder, number + 1)


def _note(folder: Path, number: int) -> None:
    """Write the number in one step: a crash leaves the old one."""
    path = folder / LAYOUT_FILE
    beside = folder / f".{LAYOUT_FILE}.new"
    with beside.open("w", encoding="ascii") as file:
        file.write(f"{number}\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.replace(beside, path)
    except OSError:
        with suppress(OSError):
            beside.unlink()
        raise


def _unusable(folder: Path, error: OSError) -> SpoolError:
    """Return what is to be said of a folder that cannot be used."""
    return SpoolError(
        f"cannot write in {folder.absolute()}: {error.strerror}; let the user of the server own "
        "it, or set spool_dir in [Server]"
    )
