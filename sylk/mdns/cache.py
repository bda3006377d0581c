"""What others have told, for as long as it holds (RFC 6762 sections 5.2 and 10).

At 80, 85, 90 and 95 percent of its time a record is asked for again, unless it has been told anew
meanwhile. What says that it is all there is of a name and type takes the place of what was told
before, and a goodbye takes it away, both within a second: in that time others may say that they
have it still.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import dns.rdata
from dns.name import Name

from sylk.mdns.record import Question, Record, Type

MAX_RECORDS: Final = 4000
"""Records that are kept; over it new ones are not."""

MAX_OF_NAME: Final = 1000
"""Records of one name and type that are kept."""

REFRESH_AT: Final = (0.80, 0.85, 0.90, 0.95)
REFRESH_JITTER: Final = 0.02
"""Shares of its time to live at which a record is asked for again, and how much later each may
be."""

GOODBYE_TIME: Final = 1.0
"""Seconds after which what is no more is forgotten."""


@dataclass(slots=True)
class _Entry:
    record: Record
    added: float
    expires: float
    refreshes: int = 0
    refresh_at: float | None = None


class Cache:
    """Records by name and type; `jitter` returns a random number between two."""

    def __init__(
        self, jitter: Callable[[float, float], float], max_records: int = MAX_RECORDS
    ) -> None:
        self._jitter = jitter
        self._max = max_records
        self._sets: dict[tuple[Name, Type], dict[dns.rdata.Rdata, _Entry]] = {}
        self._count = 0

    def __len__(self) -> int:
        """Return how many records are kept."""
        return self._count

    def add(self, record: Record, now: float) -> bool:
        """Take what somebody has told; tells whether there is something new in it."""
        key = (record.name, record.rdtype)
        entries = self._sets.setdefault(key, {})
        entry = entries.get(record.data)
        if record.is_unique:
            for other in entries.values():
                # Section 10.2: what came in the last second is of the same set.
                if other is not entry and other.added < now - GOODBYE_TIME:
                    self._end_soon(other, now)
        if record.ttl == 0:
            if entry is not None:
                self._end_soon(entry, now)
            self._drop_if_empty(key)
            return False
        if entry is None:
            if self._count >= self._max or len(entries) >= MAX_OF_NAME:
                self._drop_if_empty(key)
                return False
            self._count += 1
        entries[record.data] = fresh = _Entry(record, now, now + record.ttl)
        self._plan_refresh(fresh)
        return entry is None

    def get(self, name: Name, rdtype: Type) -> list[Record]:
        """Return the records of a name and type, the latest first."""
        entries = sorted(
            self._sets.get((name, rdtype), {}).values(), key=lambda entry: -entry.added
        )
        return [entry.record for entry in entries]

    def known(self, name: Name, rdtype: Type, now: float) -> list[Record]:
        """Return what a question need not be answered with: what holds for half its time yet."""
        return [
            entry.record.with_ttl(int(entry.expires - now))
            for entry in self._sets.get((name, rdtype), {}).values()
            if entry.expires - now > entry.record.ttl / 2 and entry.expires - now >= 1
        ]

    @property
    def deadline(self) -> float | None:
        """When something is to be asked for or forgotten, None for never."""
        return min(
            (
                entry.expires if entry.refresh_at is None else entry.refresh_at
                for entry in self._entries()
            ),
            default=None,
        )

    def expire(self, now: float) -> bool:
        """Forget what holds no more; tells whether there was any."""
        changed = False
        for key, entries in list(self._sets.items()):
            for data in [one for one, entry in entries.items() if entry.expires <= now]:
                del entries[data]
                self._count -= 1
                changed = True
            self._drop_if_empty(key)
        return changed

    def refresh(self, now: float) -> list[Question]:
        """Return what is to be asked for again now."""
        questions: dict[Question, None] = {}
        for entry in self._entries():
            if entry.refresh_at is not None and entry.refresh_at <= now:
                questions[Question(entry.record.name, entry.record.rdtype)] = None
                entry.refreshes += 1
                self._plan_refresh(entry)
        return list(questions)

    def _entries(self) -> Iterator[_Entry]:
        for entries in self._sets.values():
            yield from entries.values()

    def _plan_refresh(self, entry: _Entry) -> None:
        if entry.refreshes < len(REFRESH_AT):
            share = REFRESH_AT[entry.refreshes] + self._jitter(0, REFRESH_JITTER)
            entry.refresh_at = entry.added + share * entry.record.ttl
        else:
            entry.refresh_at = None

    def _end_soon(self, entry: _Entry, now: float) -> None:
        entry.expires = min(entry.expires, now + GOODBYE_TIME)
        entry.refresh_at = None

    def _drop_if_empty(self, key: tuple[Name, Type]) -> None:
        if not self._sets.get(key, True):
            del self._sets[key]
