"""Who has a port, as Linux tells it: for the operator who is told that it is in use."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_LISTENING = "0A"
"""The state of a TCP socket that listens, in /proc/net/tcp."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that has a port."""

    name: str
    pid: int

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"


def owner_of(transport: str, port: int) -> Owner | None:
    """Return who listens on a port ("udp" or "tcp"); None if unknown.

    Processes of other users are seen by root alone.
    """
    inodes = _inodes(transport, port)
    if not inodes:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                with suppress(OSError):
                    if os.readlink(descriptor) in inodes:
                        name = (process / "comm").read_text("utf-8", "replace").strip()
                        return Owner(name, int(process.name))
    return None


def _inodes(transport: str, port: int) -> set[str]:
    found: set[str] = set()
    for table in (transport, f"{transport}6"):
        with suppress(OSError):
            for line in Path(f"/proc/net/{table}").read_text("ascii").splitlines()[1:]:
                cells = line.split()
                is_bound = transport == "udp" or cells[3] == _LISTENING
                if is_bound and int(cells[1].rpartition(":")[2], 16) == port:
                    found.add(f"socket:[{cells[9]}]")
    return found
