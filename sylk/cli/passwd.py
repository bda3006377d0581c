"""The command `sylk-server passwd`: who may enter, with which password.

The password is never an argument: what is typed on a command line can be seen by others and is
kept in the history of the shell. A server that runs takes each change up at once.
"""

import argparse
import sys
from collections.abc import Sequence
from getpass import getpass
from typing import TextIO

from sylk.config import find_config, read_config
from sylk.errors import ConfigError
from sylk.sections import ServerSettings
from sylk.users import USERS_FILE, UserFile

MAX_PASSWORD = 1024
"""The longest password that is taken, in characters."""

_PROG = "sylk-server passwd"


class _Refusal(Exception):
    """What was asked for cannot be done; the message is for who asked."""


def run(arguments: Sequence[str], stdin: TextIO | None = None) -> int:
    """Run the command and return its exit status: 0, 1 if it cannot be done, 2 if it is wrong.

    `stdin` is where --stdin reads from, and the terminal that has to be there without it.
    """
    parser = _make_parser()
    options = parser.parse_args(arguments)
    if options.list and (options.address or options.delete or options.stdin):
        parser.error("--list stands alone")
    if options.delete and options.stdin:
        parser.error("--delete wants no password")
    username, _, realm = (options.address or "").rpartition("@")
    if not options.list and not (username and realm):
        parser.error("say whom as USER@REALM, for example alice@example.com")
    try:
        raw = read_config(find_config(options.config))
        settings = raw.section(ServerSettings, ServerSettings.section)
        users = UserFile(settings.spool_dir / USERS_FILE)
        if options.list:
            _list(users)
        elif options.delete:
            _delete(users, username, realm)
        else:
            source = sys.stdin if stdin is None else stdin
            password = _read_line(source) if options.stdin else _ask(source)
            users.set_password(username, realm, password)
            print(f"{username}@{realm} has a new password")
    except ConfigError as error:
        print(f"{_PROG}: {error}", file=sys.stderr)
        return 2
    except _Refusal as error:
        print(f"{_PROG}: {error}", file=sys.stderr)
        return 1
    return 0


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROG, description="Set, delete or list the passwords that the server asks for."
    )
    parser.add_argument("address", metavar="USER@REALM", nargs="?", help="whose password")
    parser.add_argument("--delete", action="store_true", help="take the password away")
    parser.add_argument("--list", action="store_true", help="show who has a password")
    parser.add_argument(
        "--stdin", action="store_true", help="read the password from one line of the input"
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="settings file; default: ./sylk.ini, else /etc/sylk/sylk.ini, else defaults",
    )
    return parser


def _list(users: UserFile) -> None:
    for username, realm in users.names():
        print(f"{username}@{realm}")


def _delete(users: UserFile, username: str, realm: str) -> None:
    if not users.remove(username, realm):
        raise _Refusal(f"{username}@{realm} has no password")
    print(f"{username}@{realm} has no password any more")


def _read_line(source: TextIO) -> str:
    try:
        return _checked(source.readline(MAX_PASSWORD + 2).rstrip("\r\n"))
    except UnicodeDecodeError:
        raise _Refusal("the password is not in the encoding of this terminal") from None


def _ask(source: TextIO) -> str:
    if not source.isatty():
        raise _Refusal("there is no terminal to ask on: use --stdin")
    try:
        password = _checked(getpass("New password: "))
        if getpass("The same again: ") != password:
            raise _Refusal("the two are not the same; nothing is changed")
    except (EOFError, KeyboardInterrupt):
        print(file=sys.stderr)
        raise _Refusal("nothing is changed") from None
    return password


def _checked(password: str) -> str:
    if not password:
        raise _Refusal("the password is empty; nothing is changed")
    if len(password) > MAX_PASSWORD:
        raise _Refusal(f"the password is longer than {MAX_PASSWORD} characters")
    return password


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
