"""What an application says of itself to the neighbourhood, where the server tells it (Bonjour).

An application publishes what people may call; the server makes of it what multicast DNS tells on
each interface and for each transport. Nothing here waits, and nothing fails: where a name is taken
another one is found, and where there is no network there is nobody to be told.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final
from uuid import uuid4

MAX_ANNOUNCEMENTS: Final = 250
"""Things that are announced at one time; more are not."""


@dataclass(frozen=True, slots=True)
class Announced:
    """What the neighbours are told."""

    name: str
    """What they see."""
    user: str
    """The user part of the address to call; empty for the server itself."""
    focus: bool
    """Whether it is a conference."""
    note: str
    """What is to be said of it now; empty for nothing."""
    instance_id: str
    """By which it is known on all interfaces and transports, until the server ends."""


class Board:
    """All that is announced at one time; who comes when it is full waits until one goes."""

    def __init__(self) -> None:
        self.on_changed: Callable[[Announcement], None] | None = None
        """Called with what has come, is not as it was, or has gone."""
        self._announced: dict[Announcement, None] = {}
        self._waiting: dict[Announcement, None] = {}

    def __iter__(self) -> Iterator["Announcement"]:
        return iter(self._announced)

    def __contains__(self, announcement: "Announcement") -> bool:
        return announcement in self._announced

    def add(self, announcement: "Announcement") -> None:
        """Announce something."""
        if len(self._announced) >= MAX_ANNOUNCEMENTS:
            self._waiting[announcement] = None
            return
        self._announced[announcement] = None
        self.changed(announcement)

    def remove(self, announcement: "Announcement") -> None:
        """Announce something no more."""
        self._waiting.pop(announcement, None)
        if announcement not in self._announced:
            return
        del self._announced[announcement]
        self.changed(announcement)
        if self._waiting:
            first = next(iter(self._waiting))
            del self._waiting[first]
            self.add(first)

    def changed(self, announcement: "Announcement") -> None:
        """Take it that something announced is not as it was."""
        if self.on_changed is not None:
            self.on_changed(announcement)


class Announcement:
    """Something announced; `update` and `withdraw` it."""

    def __init__(self, board: Board, announced: Announced) -> None:
        self._board = board
        self.announced = announced

    def update(self, note: str, name: str | None = None) -> None:
        """Say something else of it; changes gather for some seconds before they are told."""
        current = self.announced
        self.announced = replace(current, note=note, name=current.name if name is None else name)
        if self.announced != current and self in self._board:
            self._board.changed(self)

    def withdraw(self) -> None:
        """Announce it no more; nothing happens the second time."""
        self._board.remove(self)


class Announcer:
    """By which one application announces; `users` lead to it by name, `is_default` all others."""

    def __init__(self, board: Board, users: tuple[str, ...], *, is_default: bool) -> None:
        self._board = board
        self.users = users
        self.is_default = is_default

    def publish(self, name: str, user: str, *, focus: bool = False, note: str = "") -> Announcement:
        """Announce what can be called at `user` on this server, by a name for people."""
        announced = Announced(name, user, focus, note, str(uuid4()))
        announcement = Announcement(self._board, announced)
        self._board.add(announcement)
        return announcement
