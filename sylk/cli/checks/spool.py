"""Checks the spool folder: rights, free space, layout, who holds it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from sylk.cli.checks.finding import Finding, fail, ok, warn
from sylk.cli.table import size
from sylk.spool import LAYOUT, SpoolError, holder_of, layout_of

SUBJECT = "spool"

LITTLE_SPACE = 200 * 1024**2
NO_SPACE = 10 * 1024**2
"""Bytes free on the disk: below the first it should be looked after, below the second at once."""


def check_spool(folder: Path) -> tuple[list[Finding], int | None]:
    """Return the findings, and the pid of the server that holds the folder (0: unknown)."""
    try:
        running = holder_of(folder)
        return list(_findings(folder, running)), running
    except SpoolError as error:
        return [fail(SUBJECT, str(error), "restore it from a backup")], None
    except OSError as error:
        cure = "let the user of the server own it, or set spool_dir in [Server]"
        return [fail(SUBJECT, f"{folder.absolute()}: {error.strerror}", cure)], None


def _findings(folder: Path, running: int | None) -> Iterator[Finding]:
    shown = folder.absolute()
    existing = next(path for path in (shown, *shown.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        cure = "let the user of the server own it, or set spool_dir in [Server]"
        yield fail(SUBJECT, f"{existing}: cannot be written", cure)
        return
    free = shutil.disk_usage(existing).free
    if free < LITTLE_SPACE:
        cure = "make room, or keep less: history_age and history_size in [Conference]"
        make = fail if free < NO_SPACE else warn
        yield make(SUBJECT, f"{shown}: {size(free)} free", cure)
    else:
        yield ok(SUBJECT, f"{shown}: can be written, {size(free)} free")
    if folder.exists():
        yield _layout(folder)
        if running is not None:
            whom = f"the server with the pid {running}" if running else "a server"
            yield ok(SUBJECT, f"{whom} runs in it")


def _layout(folder: Path) -> Finding:
    found = layout_of(folder)
    if found > LAYOUT:
        cure = "start that version, or restore the backup from before the upgrade"
        return fail(SUBJECT, f"layout {found} is of a newer version than {LAYOUT}", cure)
    later = "" if found == LAYOUT else f", brought to {LAYOUT} at the next start"
    return ok(SUBJECT, f"layout {found}{later}")
