"""Which bytes of something there are, told by the stretches alone (positions count from zero)."""

from sylk.msrp.assembly import MAX_SEGMENTS


class Stretches:
    """Stretches of bytes, at most MAX_SEGMENTS that are apart."""

    __slots__ = ("_apart",)

    def __init__(self) -> None:
        self._apart: list[tuple[int, int]] = []

    @property
    def reached(self) -> int:
        """Position after the last byte."""
        return self._apart[-1][1] if self._apart else 0

    def covers(self, start: int, end: int) -> bool:
        """Tell whether every byte from `start` to before `end` is there."""
        return start >= end or any(a <= start and end <= b for a, b in self._apart)

    def add(self, start: int, end: int) -> bool:
        """Add the bytes from `start` to before `end`; False, with nothing added, when too many."""
        if start >= end:
            return True
        apart = self._apart
        if apart and apart[-1][1] == start:
            apart[-1] = (apart[-1][0], end)
            return True
        left = [one for one in apart if one[1] < start or one[0] > end]
        for a, b in apart:
            if b >= start and a <= end:
                start, end = min(start, a), max(end, b)
        left.append((start, end))
        if len(left) > MAX_SEGMENTS:
            return False
        left.sort()
        self._apart = left
        return True

    def cut(self, size: int) -> None:
        """Forget what lies at `size` and behind it."""
        if self.reached > size:
            self._apart = [(a, min(b, size)) for a, b in self._apart if a < size]
