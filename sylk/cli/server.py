"""The command `sylk-server`: reads the settings, runs the server, ends on a signal.

`sylk-server passwd` is a command of its own (`sylk.cli.passwd`).
"""

import argparse
import signal
import sys
from collections.abc import Sequence

import trio

from sylk import __version__
from sylk.cli import passwd
from sylk.config import find_config, read_config
from sylk.errors import ConfigError, TransportError
from sylk.log import configure_logging
from sylk.sections import ServerSettings
from sylk.server import Server
from sylk.server_config import build_config

_PASSWD = "passwd"
_EPILOG = "sylk-server passwd sets the passwords of users: see sylk-server passwd --help."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0, 1 for a fault, 2 for a wrong setting."""
    given = sys.argv[1:] if arguments is None else arguments
    if given and given[0] == _PASSWD:
        return passwd.run(given[1:])
    options = _parse(given)
    try:
        path = find_config(options.config)
        raw = read_config(path)
        level = raw.section(ServerSettings, ServerSettings.section).log_level
        config = build_config(raw)
    except ConfigError as error:
        print(f"sylk-server: {error}", file=sys.stderr)
        return 2
    with configure_logging("debug" if options.verbose else level, sys.stderr):
        try:
            server = Server(config)
        except TransportError as error:
            print(
                f"sylk-server: {error}; end what uses the port, or set another in sylk.ini",
                file=sys.stderr,
            )
            return 1
        print(f"sylk-server {__version__}, settings: {path or 'defaults'}", file=sys.stderr)
        trio.run(_run, server)
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="sylk-server",
        description="A multiparty chat conference server for SIP and MSRP.",
        epilog=_EPILOG,
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="settings file; default: ./sylk.ini, else /etc/sylk/sylk.ini, else defaults",
    )
    parser.add_argument("--verbose", action="store_true", help="log every message on the wire")
    parser.add_argument("--version", action="version", version=__version__)
    return parser.parse_args(arguments)


async def _run(server: Server) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_obey_signals, server)
        await server.run()
        nursery.cancel_scope.cancel()


async def _obey_signals(server: Server) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async for number in signals:
            if number == signal.SIGHUP:
                server.reload()
            else:
                server.stop.set()


if __name__ == "__main__":
    sys.exit(main())
