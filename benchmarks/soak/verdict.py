"""What a soak has shown: whether memory and descriptors grow, and whether anything was lost."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.soak.server import Sample

WARM_UP_SHARE = 0.25
"""What part of a soak is warm-up, of which the growth does not count: caches and tables fill."""

MAX_WARM_UP = 900.0
"""Seconds that warm-up takes at most: rooms remember for ten minutes whom they have called."""

LEAST_SPAN = 60.0
"""Seconds after warm-up; what lasts shorter shows nothing of growth."""

MAX_MEMORY_GROWTH = 4 * 1024 * 1024
"""Bytes by which the line through all samples after warm-up may rise from its begin to its end."""

MAX_DESCRIPTOR_GROWTH = 10.0
"""The same for descriptors; how many are open goes up and down with the people."""

MAX_DESCRIPTORS_LEFT = 4
"""Descriptors that may be open after all more than before: the history has opened its files."""


@dataclass(slots=True)
class Minute:
    """One row of the table."""

    end: float
    """Seconds since the begin."""
    said: int
    heard: int
    p50: float
    """Milliseconds that half of the messages took at most; 0 where none was heard."""
    p99: float
    worst: float
    lost: int
    faults: int
    joins: int
    memory: int
    """Bytes."""
    descriptors: int
    tasks: int
    sessions: int
    server_cpu: float
    """Share of one core."""
    load_cpu: float
    warnings: int
    errors: int


@dataclass(slots=True)
class Verdict:
    """The figures, and what is wrong, if anything."""

    warm_up: float
    """Seconds."""
    span: float
    """Seconds after the warm-up; 0 when they are too few to tell of growth."""
    memory_growth: float = 0.0
    """Bytes over the span."""
    descriptor_growth: float = 0.0
    descriptors_before: int = 0
    descriptors_after: int = 0
    sessions_after: int = 0
    wrong: list[str] = field(default_factory=list[str])

    @property
    def is_well(self) -> bool:
        """Tell whether nothing was wrong."""
        return not self.wrong


def rise(points: Sequence[tuple[float, float]]) -> float:
    """Return by how much the straight line that fits best rises from the first to the last."""
    count = len(points)
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if not spread:
        return 0.0
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    return slope * (points[-1][0] - points[0][0])


def judge(samples: Sequence[Sample], before: Sample, after: Sample) -> Verdict:
    """Judge the samples of a soak, and those before anybody came and after all have gone."""
    warm_up = min(WARM_UP_SHARE * samples[-1].time, MAX_WARM_UP)
    late = [sample for sample in samples if sample.time >= warm_up]
    verdict = Verdict(
        warm_up,
        late[-1].time - late[0].time,
        descriptors_before=before.descriptors,
        descriptors_after=after.descriptors,
        sessions_after=after.sessions,
    )
    if verdict.span < LEAST_SPAN:
        verdict.span = 0.0
    else:
        verdict.memory_growth = rise([(one.time, one.memory) for one in late])
        verdict.descriptor_growth = rise([(one.time, one.descriptors) for one in late])
    if verdict.memory_growth > MAX_MEMORY_GROWTH:
        verdict.wrong.append(f"memory grows: {verdict.memory_growth / 1e6:.1f} MB")
    if verdict.descriptor_growth > MAX_DESCRIPTOR_GROWTH:
        verdict.wrong.append(f"descriptors grow: {verdict.descriptor_growth:.1f}")
    if after.descriptors - before.descriptors > MAX_DESCRIPTORS_LEFT:
        verdict.wrong.append(f"{after.descriptors - before.descriptors} descriptors are left over")
    if after.sessions:
        verdict.wrong.append(f"{after.sessions} sessions are left over")
    return verdict
