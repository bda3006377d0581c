"""How parts of a room have themselves called at a time, without clock or task of their own."""

from collections.abc import Callable

SetAlarm = Callable[[float | None, Callable[[float], None]], None]
"""Lets a function be called, with the time, at a time; None lets it be called never."""
