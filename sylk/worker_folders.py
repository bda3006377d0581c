"""Where each worker keeps what outlives a restart, and how that follows when their number changes.

The first worker keeps it where a server that is alone does, each other one in a folder of its own:

    NAME/, control.socket, traces/             of the first worker, or of a server that is alone
    worker-1/NAME/, worker-1/control.socket    of the second
    workers                                    how many there were when the server last started

When there are more or fewer than last time, each application moves what it keeps to the worker that
has it now, before any of them starts.
"""

import logging
from collections.abc import Mapping
from pathlib import Path

from sylk.application import Application
from sylk.spool import SpoolError

logger = logging.getLogger("sylk.spool")

COUNT_FILE = "workers"
_MAX_FILE = 16
_PREFIX = "worker-"


def folder_of(folder: Path, index: int) -> Path:
    """Return the folder of a worker in the one that belongs to all."""
    return folder / f"{_PREFIX}{index}" if index else folder


def last_count(spool_dir: Path) -> int:
    """Return how many workers there were at the last start; raises SpoolError."""
    path = spool_dir / COUNT_FILE
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_FILE).strip()
    except FileNotFoundError:
        return 1
    except OSError as error:
        raise SpoolError(f"cannot read {path}: {error.strerror}") from error
    if not text.isdigit() or not int(text):
        raise SpoolError(f"{path} holds no number: write how many workers there were")
    return int(text)


def spread(spool_dir: Path, types: Mapping[str, type[Application]], count: int) -> None:
    """Let each application move what it keeps, if the number of workers is another one.

    What cannot be moved is logged, stays where it is, and is tried again at the next start. Raises
    SpoolError.
    """
    before = last_count(spool_dir)
    if before == count:
        return
    folders = [folder_of(spool_dir, index) for index in range(max(before, count))]
    complete = True
    for name, kind in types.items():
        try:
            kind.spread([folder / name for folder in folders], count)
        except Exception:
            complete = False
            logger.exception("%s could not move what it keeps to %d workers", name, count)
    if complete:
        logger.info("workers: %d, before %d; what they keep has been moved", count, before)
        path = spool_dir / COUNT_FILE
        try:
            path.write_text(f"{count}\n", encoding="ascii")
        except OSError as error:
            raise SpoolError(f"cannot write {path}: {error.strerror}") from error
