"""The commands `sylk-server status`, `rooms` and `log-level`: a look at a server that runs."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import cast

from sylk.cli.control import NoAnswer, objects
from sylk.cli.merging import Merge, ask_all, merge_levels, merge_rooms, merge_status
from sylk.cli.table import size, span, table
from sylk.config import find_config, read_config
from sylk.control import Json
from sylk.errors import ConfigError
from sylk.log import LOG_LEVELS
from sylk.sections import ServerSettings
from sylk.status_commands import AS_OTHERS

Number = int | float

_WAYS = ("received", "sent")


def run(command: str, arguments: Sequence[str]) -> int:
    """Run one of the commands and return its exit status: 0, 1 without an answer, 2 if wrong."""
    prog = f"sylk-server {command}"
    options = _PARSERS[command](prog).parse_args(arguments)
    try:
        raw = read_config(find_config(options.config))
        server = raw.section(ServerSettings, ServerSettings.section)
        question, values, show, merge = _QUESTIONS[command](options)
        answer = ask_all(server, question, merge, **values)
    except ConfigError as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return 2
    except NoAnswer as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps({key: value for key, value in answer.items() if key != "ok"}, indent=2))
    else:
        print(show(answer))
    return 0


Show = Callable[[Json], str]
Question = tuple[str, Mapping[str, object], Show, Merge]


def _ask_status(_options: argparse.Namespace) -> Question:
    return "status", {}, show_status, merge_status


def _ask_rooms(_options: argparse.Namespace) -> Question:
    return "rooms", {}, show_rooms, merge_rooms


def _ask_level(options: argparse.Namespace) -> Question:
    words: list[str] = options.words
    if not words:
        return "log level", {}, show_levels, merge_levels
    values = {"level": words[-1], **({"application": words[0]} if len(words) > 1 else {})}
    return "log level", values, show_levels, merge_levels


def _parser(prog: str, description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument("--json", action="store_true", help="write JSON, for programs")
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="settings file of the server; default: ./sylk.ini, else /etc/sylk/sylk.ini",
    )
    return parser


def _level_parser(prog: str) -> argparse.ArgumentParser:
    parser = _parser(prog, "Show or change what a server that runs writes to its log.")
    parser.add_argument(
        "words",
        metavar="[APPLICATION] LEVEL",
        nargs="*",
        help=f"{', '.join(LOG_LEVELS)}; or {AS_OTHERS}: as all others",
    )
    parser.set_defaults(json=False)
    return parser


_PARSERS: Mapping[str, Callable[[str], argparse.ArgumentParser]] = {
    "status": partial(_parser, description="Show how a server that runs is."),
    "rooms": partial(_parser, description="Show the rooms of a server that runs."),
    "log-level": _level_parser,
}
_QUESTIONS: Mapping[str, Callable[[argparse.Namespace], Question]] = {
    "status": _ask_status,
    "rooms": _ask_rooms,
    "log-level": _ask_level,
}


def show_status(answer: Json) -> str:
    """Return the figures of a server as lines."""
    rates, counters = _mapping(answer, "rates"), _mapping(answer, "counters")
    workers = objects(answer.get("workers")) or [answer]
    pids = ", ".join(str(one.get("pid")) for one in workers)
    who = f"pid {pids}" if len(workers) == 1 else f"{len(workers)} workers (pids {pids})"
    lines = [
        f"Sylk {answer.get('version')}, {who}, "
        f"up {span(_number(answer, 'uptime'))}, {size(_number(answer, 'memory'))} of memory",
        "",
    ]
    rows = [
        ["sessions", _figure(answer, "sessions")],
        ["subscriptions", _figure(answer, "subscriptions")],
        ["SIP connections", _figure(answer, "sip_connections")],
        ["MSRP connections", _figure(answer, "msrp_connections")],
        ["waiting for slow peers", _waiting(answer)],
    ]
    for name, figures in _mapping(answer, "applications").items():
        own = cast("Mapping[str, object]", figures)
        rows += [[f"{name}: {_words(key)}", _figure(own, key)] for key in own]
    sip = [_figure(of, f"sip_{way}") for of in (rates, counters) for way in _WAYS]
    msrp = [size(_number(of, f"msrp_bytes_{way}")) for of in (rates, counters) for way in _WAYS]
    head = ["traffic", "in/s", "out/s", "in, all", "out, all"]
    traffic = table(head, [["SIP messages", *sip], ["MSRP", *msrp]], right=[1, 2, 3, 4])
    return "\n".join([*lines, table(["now", ""], rows, right=[1]), "", traffic])


def _waiting(answer: Json) -> str:
    return size(_number(answer, "sip_waiting") + _number(answer, "msrp_waiting"))


def _words(name: str) -> str:
    return name.removesuffix("_total").replace("_", " ")


def show_rooms(answer: Json) -> str:
    """Return a line for each room."""
    rooms = objects(answer.get("rooms"))
    if not rooms:
        return "no room is open"
    rows = [
        [
            str(room.get("address")),
            _figure(room, "people"),
            _figure(room, "participants"),
            _figure(room, "messages"),
            size(_number(room, "waiting")),
            ", ".join(word for word in ("locked", "history") if room.get(word)) or "-",
            str(room.get("subject") or ""),
        ]
        for room in rooms
    ]
    head = ["room", "people", "clients", "messages", "waiting", "is", "subject"]
    return table(head, rows, right=[1, 2, 3, 4])


def show_levels(answer: Json) -> str:
    """Return the level of the log, and those of the applications that have their own."""
    own = [f"{name}: {level}" for name, level in _mapping(answer, "applications").items() if level]
    return "\n".join([f"log level: {answer.get('level')}", *own])


def _number(values: Mapping[str, object], key: str) -> Number:
    value = values.get(key)
    return value if isinstance(value, (int, float)) else 0


def _figure(values: Mapping[str, object], key: str) -> str:
    number = _number(values, key)
    return f"{number:.0f}" if number == int(number) else f"{number:.2f}"


def _mapping(values: Json, key: str) -> Mapping[str, object]:
    value = values.get(key)
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
