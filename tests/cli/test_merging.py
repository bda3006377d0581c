"""What several workers answer, as one answer."""

from pathlib import Path

import trio

from sylk.cli.control import objects
from sylk.cli.merging import ask_all, merge_levels, merge_rooms, merge_status, merge_traces
from sylk.cli.status import show_status
from sylk.control import Command, ControlSocket, Json
from sylk.sections import ServerSettings
from sylk.worker_folders import folder_of

STATUS: list[dict[str, object]] = [
    {
        "version": "1.0",
        "pid": 10,
        "uptime": 60.0,
        "sessions": 2,
        "counters": {"sip_received": 5},
        "applications": {"conference": {"rooms": 1}, "echo": {}},
    },
    {
        "version": "1.0",
        "pid": 11,
        "uptime": 5.0,
        "sessions": 3,
        "counters": {"sip_received": 7},
        "applications": {"conference": {"rooms": 4}, "echo": {}},
    },
]


def test_figures_are_sums_in_their_places() -> None:
    merged = merge_status(STATUS)
    assert merged == {
        "version": "1.0",
        "pid": 10,
        "uptime": 5.0,
        "sessions": 5,
        "counters": {"sip_received": 12},
        "applications": {"conference": {"rooms": 5}, "echo": {}},
        "workers": STATUS,
    }
    assert "Sylk 1.0, 2 workers (pids 10, 11), up 5 s" in show_status(merged)


def test_rooms_stand_together_by_address() -> None:
    answers: list[Json] = [
        {"rooms": [{"address": "sip:b@x"}, {"address": "sip:d@x"}]},
        {"rooms": []},
        {"rooms": [{"address": "sip:c@x"}]},
    ]
    shown = [room["address"] for room in objects(merge_rooms(answers)["rooms"])]
    assert shown == ["sip:b@x", "sip:c@x", "sip:d@x"]


def test_levels_are_those_of_any() -> None:
    answer: Json = {"level": "info", "applications": {"echo": "debug"}}
    assert merge_levels([answer, answer]) == answer


def test_traces_count_what_all_have_seen() -> None:
    def answer(messages: int, file: str, fault: str = "", **more: object) -> Json:
        return {
            "traces": [{"filters": ["room:lobby"], "messages": messages}],
            "directory": "traces",
            "files": [file],
            "lost": 1,
            "fault": fault,
            **more,
        }

    merged = merge_traces([answer(3, "a"), answer(4, "b", "disk full")])
    assert merged == {
        "traces": [{"filters": ["room:lobby"], "messages": 7}],
        "directory": "traces",
        "files": ["a", "b"],
        "lost": 2,
        "fault": "disk full",
        "on_disk": True,
    }
    ended = merge_traces(
        [
            answer(0, "a", ended=[], on_disk=True),
            answer(0, "b", ended=[{"messages": 2}], on_disk=False),
        ]
    )
    assert (ended["ended"], ended["on_disk"]) == ([{"messages": 2}], False)


async def test_each_worker_is_asked(tmp_path: Path) -> None:
    """The answer of a server that is alone is left as it is."""

    def commands(index: int) -> dict[str, Command]:
        async def tell(request: Json) -> Json:
            await trio.lowlevel.checkpoint()
            return {"rooms": [{"address": f"{request['of']}{index}"}]}

        return {"rooms": tell}

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            sockets = [ControlSocket(folder_of(tmp_path, index)) for index in range(2)]
            for index, control in enumerate(sockets):
                nursery.start_soon(control.run, commands(index))

            async def ask(workers: int) -> Json:
                server = ServerSettings(spool_dir=tmp_path, workers=workers)
                return await trio.to_thread.run_sync(
                    lambda: ask_all(server, "rooms", merge_rooms, of="r")
                )

            assert await ask(2) == {"rooms": [{"address": "r0"}, {"address": "r1"}]}
            assert await ask(1) == {"ok": True, "rooms": [{"address": "r0"}]}
            nursery.cancel_scope.cancel()
        for control in sockets:
            control.close()
