"""The history of rooms: on disk before it is acknowledged, kept for a while, and read again."""

from sylk_conference.history.database import FILE_NAME
from sylk_conference.history.records import HistoryLimits, Record, Said, Visit
from sylk_conference.history.spreading import spread
from sylk_conference.history.store import HistoryStore

__all__ = ["FILE_NAME", "HistoryLimits", "HistoryStore", "Record", "Said", "Visit", "spread"]
