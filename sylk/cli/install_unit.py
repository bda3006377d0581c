"""The command `sylk-server install-unit`: prints the systemd unit of the server, or installs it."""

import argparse
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

UNIT = "sylk-server.service"
UNIT_DIRECTORY = Path("/etc/systemd/system")
SETTINGS = Path("/etc/sylk/sylk.ini")

_PROG = "sylk-server install-unit"
_HIDDEN = (Path("/home"), Path("/root"), Path("/tmp"), Path("/var/tmp"))
"""What the unit hides from the server: it could not start from there."""
_FIRST_SETTINGS = """\
; Settings of the Sylk server; sylk.ini.sample has them all.

[Server]
spool_dir = /var/lib/sylk
"""


def run(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status: 0, or 1 if it cannot be done."""
    options = _make_parser().parse_args(arguments)
    command = Path(sys.executable).parent / "sylk-server"
    text = unit_text(command, options.settings)
    if not options.write:
        print(text, end="")
        return 0
    hidden = next((one for one in _HIDDEN if command.is_relative_to(one)), None)
    if hidden is not None:
        print(
            f"{_PROG}: {command} is in {hidden}, which the unit hides from the server: install "
            "Sylk elsewhere first, for example in /opt/sylk",
            file=sys.stderr,
        )
        return 1
    target = options.directory / UNIT
    try:
        target.write_text(text, "utf-8")
        if not options.settings.exists():
            options.settings.parent.mkdir(parents=True, exist_ok=True)
            options.settings.write_text(_FIRST_SETTINGS, "utf-8")
            print(f"wrote {options.settings}")
    except OSError as error:
        print(
            f"{_PROG}: cannot write {error.filename}: {error.strerror}; do it as root",
            file=sys.stderr,
        )
        return 1
    print(f"wrote {target}; now: systemctl daemon-reload && systemctl enable --now sylk-server")
    return 0


def unit_text(command: Path, settings: Path) -> str:
    """Return the unit for a server that is installed as `command`."""
    text = files("sylk.cli").joinpath(UNIT).read_text("utf-8")
    return text.replace("@COMMAND@", str(command)).replace("@SETTINGS@", str(settings))


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROG,
        description="Print the systemd unit of the server, or write it where systemd looks, with "
        "settings that keep the state in /var/lib/sylk if there are none yet.",
    )
    parser.add_argument("--write", action="store_true", help="write it, as root")
    parser.add_argument(
        "--directory",
        metavar="DIR",
        type=Path,
        default=UNIT_DIRECTORY,
        help=f"where the unit goes; default: {UNIT_DIRECTORY}",
    )
    parser.add_argument(
        "--settings",
        metavar="FILE",
        type=Path,
        default=SETTINGS,
        help=f"the settings file of the server; default: {SETTINGS}",
    )
    return parser
