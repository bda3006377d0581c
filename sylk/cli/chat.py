"""The command `sylk-chat`: joins a room, or calls a person, from a terminal or from a script."""

import argparse
import io
import os
import sys
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NoReturn, TypeVar

import trio

from sylk import __version__
from sylk.cli.browse import print_neighbours
from sylk.cli.calling import CallFailed, CallOptions, hold_chat
from sylk.cli.front_end import FrontEnd
from sylk.cli.harmless import harmless_name
from sylk.cli.neighbours import bare, find_neighbours
from sylk.cli.parties import parse_place, parse_relay, parse_sip_uri
from sylk.cli.plain import Plain
from sylk.errors import TransportError
from sylk.log import configure_logging
from sylk.session.challenges import Credentials
from sylk.sip.uri import SipURI

_WORKED = 0
_NO_CALL = 1
_USAGE = 2
_BROKE = 3
_DAY = 86400.0
_MAX_PASSWORD = 1024  # characters
_PASSWORD_VARIABLE = "SYLK_CHAT_PASSWORD"

_Found = TypeVar("_Found")

_EPILOG = """\
At a terminal, what you type is said in the room, and /help shows the commands. When standard
input is no terminal, each of its lines is said as it is, and each message is a line of output:
"HH:MM name: text" for people and "HH:MM * text" for notices. With --commands a line of a script
that begins with / is a command; the next line waits until it is done.

A server or relay that asks for a password is given that of --password-file, or else of the
environment variable SYLK_CHAT_PASSWORD, with the user part of --from as the user name.

exit status: 0 the session worked, whoever said goodbye; 1 the call was refused or nobody was
reached; 2 wrong usage; 3 the session broke in the middle, a message was not delivered, or a command
of a script failed.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: see the end of `--help`."""
    parser = _parser()
    options = parser.parse_args(arguments)
    terminal = _is_terminal()
    if terminal and options.verbose and options.log is None:
        parser.error("at a terminal --verbose needs --log FILE, so that the chat stays readable")
    try:
        credentials = _credentials(options.caller, options.password_file)
    except ValueError as error:
        parser.error(str(error))
    if options.browse is options.target:
        parser.error("say whom to call, such as lobby or sip:lobby@example.com, or --browse")
    try:
        target = _browse(terminal, options.seconds) if options.browse else _find(options.target)
    except CallFailed as failure:
        print(f"sylk-chat: {failure}", file=sys.stderr)
        return _NO_CALL
    if target is None:
        return _WORKED
    call = CallOptions(
        target=target,
        name=options.name,
        caller=options.caller,
        transport=options.transport,
        proxy=options.proxy,
        secure_media=options.tls,
        ca_file=options.ca_file,
        timeout=options.timeout,
        linger=0.0 if terminal else options.linger,
        credentials=credentials,
        relay=options.relay,
    )
    if options.relay is not None and credentials is None:
        parser.error("--relay needs a password: --from and --password-file")
    front_end = _open_terminal(call.target) if terminal else _open_plain(options.commands)
    try:
        with _logging(options.log, options.verbose, terminal):
            fault = trio.run(hold_chat, call, front_end)
    except CallFailed as failure:
        print(f"sylk-chat: {failure}", file=sys.stderr)
        return _NO_CALL
    except OSError as error:
        print(f"sylk-chat: cannot write {options.log}: {error.strerror}", file=sys.stderr)
        return _NO_CALL
    if fault is not None:
        print(f"sylk-chat: {fault}", file=sys.stderr)
        return _BROKE
    return _WORKED


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong; the list of options would push it out of sight."""

    def error(self, message: str) -> NoReturn:
        self.exit(_USAGE, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="sylk-chat",
        description="Chat over SIP and MSRP: join a room, or call somebody.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_places(parser)
    parser.add_argument("--name", help="the name that others see")
    parser.add_argument(
        "--from",
        dest="caller",
        metavar="SIP-URI",
        type=parse_sip_uri,
        help="your own address; default: your login name, and something that tells you apart",
    )
    parser.add_argument(
        "--password-file",
        metavar="FILE",
        type=Path,
        help="a file whose first line is the password of the user in --from",
    )
    parser.add_argument(
        "--transport", choices=("udp", "tcp", "tls"), help="default: what the URI says, else udp"
    )
    parser.add_argument("--tls", action="store_true", help="carry the messages over TLS")
    parser.add_argument(
        "--ca-file",
        metavar="FILE",
        type=Path,
        help="authorities that sign the certificates of TLS servers; default: take any certificate",
    )
    parser.add_argument(
        "--proxy", metavar="SIP-URI", type=parse_sip_uri, help="send the call there"
    )
    parser.add_argument(
        "--relay",
        metavar="MSRP-URI",
        type=parse_relay,
        help="have the messages carried by this relay: msrps://relay.example.com;tcp",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        default=10.0,
        help="to connect, and to do so again; default 10",
    )
    _add_script_options(parser)
    parser.add_argument("--verbose", action="store_true", help="log every message on the wire")
    parser.add_argument("--log", metavar="FILE", help="where the log goes; default: standard error")
    parser.add_argument("--version", action="version", version=__version__)
    return parser


def _add_script_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--linger",
        metavar="SECONDS",
        type=_seconds,
        default=1.0,
        help="to wait for answers after the end of a script's input; default 1",
    )
    parser.add_argument(
        "--commands",
        action="store_true",
        help="let lines of a script that begin with / be commands, as at a terminal",
    )


def _add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "target",
        metavar="SIP-URI|NAME",
        nargs="?",
        type=parse_place,
        help="whom to call: sip:lobby@example.com, or by name what advertises itself here: lobby",
    )
    parser.add_argument(
        "--browse",
        action="store_true",
        default=None,
        help="show the rooms and people that advertise themselves in this network, and join one; "
        "without a terminal, write them as lines of name, address and note",
    )
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=3.0,
        help="how long --browse looks when there is no terminal; default 3",
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _DAY:
        raise argparse.ArgumentTypeError("write a number of seconds, at most a day")
    return seconds


def _credentials(caller: SipURI | None, file: Path | None) -> Credentials | None:
    """Return what to answer a server that asks for a password, None if there is nothing.

    Raises ValueError that says what to write.
    """
    user = None if caller is None else caller.user
    if file is None:
        password = os.environ.get(_PASSWORD_VARIABLE, "")
        return Credentials(user, password) if user and password else None
    if not user:
        raise ValueError("--password-file needs --from with your user name")
    try:
        with open(file, encoding="utf-8") as lines:
            password = lines.readline(_MAX_PASSWORD + 1).rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"cannot read {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{file} is no UTF-8") from None
    if not 0 < len(password) <= _MAX_PASSWORD:
        raise ValueError(f"the first line of {file} must be a password")
    return Credentials(user, password)


def _browse(terminal: bool, seconds: float) -> SipURI | None:
    """Return whom the user has chosen of the neighbours, None for nobody; raises CallFailed."""
    if not terminal:
        _open_plain(False)
        _run(partial(print_neighbours, seconds, sys.stdout))
        return None
    from sylk.cli.browse_screen import choose_neighbour

    chosen = _run(choose_neighbour)
    return None if chosen is None else chosen.uri


def _find(target: SipURI | str) -> SipURI:
    """Return whom to call; raises CallFailed where a name is nobody's or several have it."""
    if isinstance(target, SipURI):
        return target
    found = _run(partial(find_neighbours, target)) or []
    where = {str(entry.uri): entry for entry in found}
    if not found:
        raise CallFailed(
            f"nobody here is called {harmless_name(target)} (sylk-chat --browse shows who is "
            "here); of a room elsewhere write the address, such as sip:lobby@example.com"
        )
    if len(where) > 1:
        choice = " or ".join(bare(entry.uri) for entry in where.values())
        raise CallFailed(f"{harmless_name(target)} is here more than once: write {choice}")
    return found[0].uri


def _run(look: Callable[[], Awaitable[_Found]]) -> _Found | None:
    """Run what looks at the neighbourhood; None when it is interrupted.

    Raises CallFailed where there is no multicast DNS.
    """
    try:
        return trio.run(look)
    except KeyboardInterrupt:
        return None
    except TransportError as error:
        raise CallFailed(str(error)) from error


def _is_terminal() -> bool:
    """Tell whether both streams are a terminal that can do more than print line after line."""
    streams = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
    return streams and os.environ.get("TERM", "dumb") not in ("", "dumb")


def _open_terminal(target: SipURI) -> FrontEnd:
    # The import costs a tenth of a second, which a script need not pay.
    from sylk.cli.terminal import Terminal

    return Terminal(f"{harmless_name(target.user or target.host)}> ")


def _open_plain(takes_commands: bool) -> FrontEnd:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What the encoding of the locale lacks must not end the chat.
            stream.reconfigure(errors="backslashreplace")
    return Plain(0, sys.stdout, sys.stderr, takes_commands=takes_commands)


@contextmanager
def _logging(path: str | None, verbose: bool, terminal: bool) -> Generator[None, None, None]:
    level = "debug" if verbose else "info" if path else "warning"
    if path is not None:
        with open(path, "a", encoding="utf-8") as file, configure_logging(level, file):
            yield
    elif terminal:
        # Nothing but the chat is written to the terminal.
        with open(os.devnull, "w") as nowhere, configure_logging(level, nowhere):
            yield
    else:
        with configure_logging(level, sys.stderr):
            yield


if __name__ == "__main__":
    sys.exit(main())
