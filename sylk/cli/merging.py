"""What several workers answer to one command, as one answer.

Figures are sums, but for the time since the start, which is that of the youngest. Whoever reads the
figures of a server that is alone finds those of several workers in the same places.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import cast

from sylk.cli.control import ask, objects, strings
from sylk.control import Json
from sylk.sections import ServerSettings
from sylk.worker_folders import folder_of

Merge = Callable[[Sequence[Json]], Json]


def ask_all(server: ServerSettings, command: str, merge: Merge, **values: object) -> Json:
    """Send a command to each worker of a server; raises NoAnswer as `ask` does."""
    folders = [folder_of(server.spool_dir, index) for index in range(server.workers)]
    answers = [ask(folder, command, **values) for folder in folders]
    return answers[0] if len(answers) == 1 else merge(answers)


def merge_status(answers: Sequence[Json]) -> Json:
    """Return the figures of all, and under `workers` those of each."""
    merged = _sums(answers)
    return {
        **merged,
        "version": answers[0].get("version"),
        "pid": answers[0].get("pid"),
        "uptime": min(_number(answer.get("uptime")) for answer in answers),
        "workers": list(answers),
    }


def merge_rooms(answers: Sequence[Json]) -> Json:
    """Return all rooms by address."""
    rooms = [room for answer in answers for room in objects(answer.get("rooms"))]
    return {"rooms": sorted(rooms, key=lambda room: str(room.get("address")))}


def merge_levels(answers: Sequence[Json]) -> Json:
    """Return the levels, which are the same in all."""
    return answers[0]


def merge_traces(answers: Sequence[Json]) -> Json:
    """Return what is traced, with the messages that all have seen and the files of all."""
    merged: dict[str, object] = {**answers[0]}
    for key in ("traces", "ended"):
        if key in merged:
            lists = [objects(answer.get(key)) for answer in answers]
            merged[key] = [_trace(same) for same in zip_longest(*lists, fillvalue={})]
    merged["files"] = [file for answer in answers for file in strings(answer.get("files"))]
    merged["lost"] = sum(_number(answer.get("lost")) for answer in answers)
    merged["fault"] = next((answer["fault"] for answer in answers if answer.get("fault")), "")
    merged["on_disk"] = all(answer.get("on_disk", True) for answer in answers)
    return merged


def _trace(same: Sequence[Json]) -> Json:
    described = next(trace for trace in same if trace)
    return {**described, "messages": sum(_number(trace.get("messages")) for trace in same)}


def _sums(answers: Sequence[Json]) -> Json:
    """Return for each key the sum of its numbers, or of what the objects under it hold."""
    keys = dict.fromkeys(key for answer in answers for key in answer)
    sums: dict[str, object] = {}
    for key in keys:
        values = [answer[key] for answer in answers if key in answer]
        inner = [cast("Mapping[str, object]", one) for one in values if isinstance(one, dict)]
        if inner:
            sums[key] = _sums(inner)
        elif all(isinstance(one, (int, float)) for one in values):
            sums[key] = sum(map(_number, values))
    return sums


def _number(value: object) -> float:
    return value if isinstance(value, (int, float)) else 0
