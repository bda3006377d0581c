"""The command `sylk-server trace`: whose messages a server that runs writes to a file.

sylk-server trace on --user alice@example.com --for 30m --pcap
sylk-server trace status
sylk-server trace off
"""

import argparse
import re
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from sylk.cli.control import NoAnswer, objects, strings
from sylk.cli.merging import ask_all, merge_traces
from sylk.config import find_config, read_config
from sylk.control import Json
from sylk.errors import ConfigError
from sylk.log import escape
from sylk.sections import ServerSettings
from sylk.trace.commands import MAX_DURATION, MIN_DURATION
from sylk.trace.filters import parse_filter

_PROG = "sylk-server trace"
_DURATION = re.compile(r"([0-9]{1,7})\s*([smhd]?)", re.IGNORECASE)
_FACTORS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_EPILOG = (
    "What several options name is traced, and the dialogs that it begins with whoever; without "
    "any, everything is. Each trace puts itself off. The files are readable for the user of the "
    "server and for root alone, and hold what people send; passwords are masked."
)


def run(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status: 0, 1 if it cannot be done, 2 if it is wrong."""
    options = _make_parser().parse_args(arguments)
    try:
        raw = read_config(find_config(options.config))
        server = raw.section(ServerSettings, ServerSettings.section)
        match options.action:
            case "on":
                values: dict[str, object] = {
                    "filters": _filters(options),
                    "pcap": options.pcap,
                    "msrp": options.msrp,
                }
                if options.seconds is not None:
                    values["seconds"] = options.seconds
                _show_on(ask_all(server, "trace on", merge_traces, **values))
            case "off":
                _show_off(ask_all(server, "trace off", merge_traces))
            case _:
                _show_status(ask_all(server, "trace status", merge_traces))
    except ConfigError as error:
        print(f"{_PROG}: {error}", file=sys.stderr)
        return 2
    except NoAnswer as error:
        print(f"{_PROG}: {error}", file=sys.stderr)
        return 1
    return 0


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROG,
        description="Write the SIP messages of a server that runs to a file, and its MSRP frames "
        "if wanted, as they are on the wire, decrypted.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="on|off|status")
    on = actions.add_parser("on", help="begin to trace", epilog=_EPILOG)
    for option, value, meaning in (
        ("--user", "USER[@DOMAIN]", "who is in From, To, the Request-URI, Contact and the like"),
        ("--room", "ROOM[@DOMAIN]", "which room is called, or calls"),
        ("--address", "ADDRESS[/BITS]", "the IP address or network of the peer"),
    ):
        on.add_argument(
            option,
            metavar=value,
            action="append",
            default=[],
            type=partial(_read_filter, option.removeprefix("--")),
            help=f"{meaning}; may be given several times",
        )
    on.add_argument(
        "--for",
        dest="seconds",
        metavar="TIME",
        type=_read_duration,
        help="when it goes off, for example 90s, 30m or 2h; default: duration in [Trace]",
    )
    on.add_argument("--msrp", action="store_true", help="MSRP too, which is what people say")
    on.add_argument("--pcap", action="store_true", help="write a file for Wireshark too")
    off = actions.add_parser("off", help="end what was put on with `on`")
    status = actions.add_parser("status", help="show what is traced, where, and until when")
    for action in (on, off, status):
        action.add_argument(
            "--config",
            metavar="FILE",
            help="settings file of the server; default: ./sylk.ini, else /etc/sylk/sylk.ini",
        )
    return parser


def _read_filter(kind: str, text: str) -> str:
    try:
        parse_filter(f"{kind}:{text}")
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return f"{kind}:{text}"


def _filters(options: argparse.Namespace) -> list[str]:
    return [*options.user, *options.room, *options.address]


def _read_duration(text: str) -> float:
    match = _DURATION.fullmatch(text.strip())
    seconds = int(match[1]) * _FACTORS[match[2].lower()] if match else 0
    if not MIN_DURATION <= seconds <= MAX_DURATION:
        raise argparse.ArgumentTypeError(
            f"must be a time such as 90s, 30m or 2h, up to {MAX_DURATION / 86400:g}d"
        )
    return float(seconds)


def _show_on(answer: Json) -> None:
    trace = answer.get("trace")
    for one in objects([trace]):
        print(f"tracing {_what(one)} {_until(one)}")
    for file in strings(answer.get("files")):
        print(f"  into {file}")


def _show_off(answer: Json) -> None:
    ended = objects(answer.get("ended"))
    for one in ended:
        print(f"traced {_what(one)}: {_count(one.get('messages'))}")
    if not ended:
        print("nothing was put on")
    print(f"the files are in {answer.get('directory')}")
    if not answer.get("on_disk"):
        print("the disk has not taken everything yet")
    if objects(answer.get("traces")):
        print("what [Trace] in the settings names is still traced, until the server ends")


def _show_status(answer: Json) -> None:
    traces = objects(answer.get("traces"))
    if not traces:
        print(f"nothing is traced; the files of earlier traces are in {answer.get('directory')}")
        return
    for one in traces:
        print(f"tracing {_what(one)} {_until(one)}: {_count(one.get('messages'))} so far")
    for file in strings(answer.get("files")):
        print(f"  into {file}")
    if answer.get("lost"):
        print(f"lost: {_count(answer['lost'])}, as the disk was too slow, or full")
    if answer.get("fault"):
        print(f"nothing can be written now: {answer['fault']}")


def _count(messages: object) -> str:
    return f"{messages} message{'' if messages == 1 else 's'}"


def _what(trace: Json) -> str:
    what = escape(", ".join(strings(trace.get("filters")))) or "everything"
    protocols = trace.get("protocols", "SIP")
    return what if protocols == "SIP" else f"{what} ({escape(str(protocols))})"


def _until(trace: Json) -> str:
    left = trace.get("seconds_left")
    if not isinstance(left, (int, float)):
        return "until the server ends"
    whole = timedelta(seconds=round(left))
    end = datetime.now().astimezone() + whole
    return f"until {end:%H:%M:%S} ({whole} from now)"


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
