"""Who is writing: what others tell of themselves, and what we tell of ourselves (RFC 3994).

Both are machines without a clock: `now` is handed in, in seconds, and each tells when it wants to
be asked again.
"""

from sylk.payload.composing import DEFAULT_REFRESH, ComposingState, IsComposing

REFRESH = 60.0
"""Seconds after which we say again that we write; the RFC wants no less (section 3.2)."""

IDLE_AFTER = 15.0
"""Seconds without a key after which we do not write any more (section 3.2)."""

WRITERS_LIMIT = 100
"""People of whom it is remembered that they write; over it, one who begins is left out."""


class Writers:
    """Others who write just now: each until he says otherwise, speaks, or is not heard of."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def take(self, writer: str, status: IsComposing, now: float) -> None:
        """Take what somebody tells of himself."""
        if status.state is ComposingState.IDLE:
            self.spoke(writer)
        elif writer in self._until or len(self._until) < WRITERS_LIMIT:
            self._until[writer] = now + (status.refresh or DEFAULT_REFRESH)

    def spoke(self, writer: str) -> None:
        """Take it that somebody has said something."""
        self._until.pop(writer, None)

    def at(self, now: float) -> list[str]:
        """Return who writes, in the order in which they began."""
        self._until = {writer: until for writer, until in self._until.items() if until > now}
        return list(self._until)

    def next_deadline(self) -> float | None:
        """Return when to look again, None for never."""
        return min(self._until.values(), default=None)


class OwnWriting:
    """What we tell of ourselves: each method returns what is to be sent, mostly nothing."""

    def __init__(self) -> None:
        self._idle_at: float | None = None
        """None while we do not write."""
        self._refresh_at = 0.0

    def typed(self, has_text: bool, now: float) -> IsComposing | None:
        """Take it that a key was pressed, after which the line has text or not."""
        if not has_text:
            return self._stop()
        begins = self._idle_at is None
        self._idle_at = now + IDLE_AFTER
        return self._active(now) if begins or now >= self._refresh_at else None

    def said(self) -> None:
        """Take it that what was written has been sent: that says enough."""
        self._idle_at = None

    def next_deadline(self) -> float | None:
        """Return when to call `handle_deadline`, None for never."""
        return self._idle_at

    def handle_deadline(self, now: float) -> IsComposing | None:
        """Do what is due."""
        return self._stop() if self._idle_at is not None and now >= self._idle_at else None

    def _active(self, now: float) -> IsComposing:
        self._refresh_at = now + REFRESH
        return IsComposing(
            ComposingState.ACTIVE, content_type="text/plain", refresh=int(REFRESH + IDLE_AFTER)
        )

    def _stop(self) -> IsComposing | None:
        if self._idle_at is None:
            return None
        self._idle_at = None
        return IsComposing(ComposingState.IDLE, content_type="text/plain")


def writing_line(names: list[str]) -> str:
    """Say who is writing, empty for nobody; the names are harmless already."""
    if not names:
        return ""
    if len(names) > 3:
        return f"… {len(names)} people are writing"
    *first, last = names
    if not first:
        return f"… {last} is writing"
    return f"… {', '.join(first)} and {last} are writing"
