"""What a check has found: whether it is well, and if not, what mends it."""

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How bad it is."""

    OK = "OK"
    WARN = "WARN"
    """The server works, but not for everybody, or not for long."""
    FAIL = "FAIL"
    """The server does not start, or cannot be reached."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    level: Level
    subject: str
    text: str
    cure: str = ""


def ok(subject: str, text: str) -> Finding:
    """Return that something is well."""
    return Finding(Level.OK, subject, text)


def warn(subject: str, text: str, cure: str) -> Finding:
    """Return that something is not quite well, and what mends it."""
    return Finding(Level.WARN, subject, text, cure)


def fail(subject: str, text: str, cure: str) -> Finding:
    """Return that something is wrong, and what mends it."""
    return Finding(Level.FAIL, subject, text, cure)
