"""The command `sylk-server`: reads the settings, runs the server, ends on a signal.

SIGHUP reads settings and certificate again.

`sylk-server passwd`, `trace`, `status` and others are commands of their own, each a module beside
this one.
"""

import argparse
import gc
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from sylk import __version__
from sylk.cli import check, install_unit, migrate, passwd, status, trace
from sylk.cli.descriptors import raise_limit
from sylk.cli.faults import OUT_OF_MEMORY, describe_listen_error, is_out_of_memory
from sylk.cli.greeting import greeting
from sylk.cli.signals import Signals
from sylk.cli.workers import Place, serve_workers
from sylk.config import RawConfig, find_config, read_config
from sylk.control import ControlError, ControlSocket
from sylk.errors import ConfigError, ListenError, TransportError
from sylk.log import configure_logging, set_log_level
from sylk.memory_return import give_memory_back
from sylk.net.fronted_transports import FrontedTransports
from sylk.notify import Notifier
from sylk.server import Server
from sylk.server_config import ServerSections, build_config, check_sections, port_of
from sylk.spool import Spool, SpoolError
from sylk.status_commands import status_commands
from sylk.trace.commands import trace_commands
from sylk.worker_folders import folder_of, spread

if TYPE_CHECKING:
    from sylk.metrics import MetricsPort

logger = logging.getLogger("sylk.cli")

COMMANDS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "check": check.run,
    "install-unit": install_unit.run,
    "migrate": migrate.run,
    "passwd": passwd.run,
    "trace": trace.run,
    "status": partial(status.run, "status"),
    "rooms": partial(status.run, "rooms"),
    "log-level": partial(status.run, "log-level"),
}
_GC_THRESHOLDS = (3_000, 4, 50)
_COLLECT_INTERVAL = 60.0
"""Seconds between two looks through all there is. A call that is over leaves a hundred objects for
one: by their number alone there would be one in some thousand calls."""
_COLLECT_CALLS = 300
"""Calls up to which that takes so few milliseconds that nobody hears it."""
_EPILOG = """\
commands of their own, each with a --help:
  sylk-server check          tell what is wrong, and what mends it
  sylk-server status         show how a server that runs is
  sylk-server rooms          show its rooms
  sylk-server trace          write its messages to a file
  sylk-server log-level      change what it writes to its log
  sylk-server passwd         set the passwords of users
  sylk-server migrate        make a sylk.ini of the settings of a SylkServer
  sylk-server install-unit   print or install the systemd unit
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0, 1 for a fault, 2 for a wrong setting."""
    given = sys.argv[1:] if arguments is None else arguments
    if given and given[0] in COMMANDS:
        return COMMANDS[given[0]](given[1:])
    options = _parse(given)
    try:
        path = find_config(options.config)
        raw = read_config(path)
        sections = ServerSections.read(raw)
        # Before a folder is made, or another server is found in it.
        check_sections(raw, sections)
        place = None if options.worker is None else Place.parse(options.worker)
        return _start(path, raw, sections, place, is_verbose=options.verbose)
    except ConfigError as error:
        print(f"sylk-server: {error}", file=sys.stderr)
        return 2


def _start(
    path: Path | None,
    raw: RawConfig,
    sections: ServerSections,
    place: Place | None,
    *,
    is_verbose: bool,
) -> int:
    """Make the server, or the worker of a place, and run it; returns the exit status.

    Raises ConfigError.
    """
    server = sections.server
    level = "debug" if is_verbose else server.log_level
    worker = None if place is None else place.index
    try:
        with configure_logging(level, sys.stderr, log_format=server.log_format, worker=worker):
            if place is not None:
                # The folder is held by the front.
                config = build_config(raw, share=place.share)
                config.endpoint.front = place.front()
                return _serve(Server(config), path, is_verbose=is_verbose)
            with closing(Spool.open(server.spool_dir)):
                config = build_config(raw)
                types = {name: type(one) for name, one in config.applications.items()}
                spread(server.spool_dir, types, server.workers)
                if server.workers > 1:
                    return serve_workers(config, path, is_verbose=is_verbose)
                return _serve(Server(config), path, is_verbose=is_verbose)
    except ListenError as error:
        fault = describe_listen_error(error, sections)
    except (SpoolError, TransportError) as error:
        fault = str(error)
    except BaseException as error:  # noqa: ASYNC103 - trio's run is over here
        # trio itself falls when it gets no memory: a server that is half dead must not go on.
        if not is_out_of_memory(error):
            raise
        fault = OUT_OF_MEMORY
    print(f"sylk-server: {fault}", file=sys.stderr)
    return 1


def _serve(server: Server, path: Path | None, *, is_verbose: bool) -> int:
    """Run the server until a signal ends it, and return the exit status."""
    config = server.config
    spool_dir = folder_of(config.sections.server.spool_dir, config.share.index)
    logger.info("sylk-server %s, settings: %s", __version__, path or "defaults")
    metrics = _open_metrics(server)
    control = _open_control(spool_dir)
    raise_limit()
    _set_up_collector()
    notifier = Notifier()
    signals = Signals(
        {
            signal.SIGINT: partial(_stop, server, notifier),
            signal.SIGTERM: partial(_stop, server, notifier),
            signal.SIGHUP: partial(_reload, server, notifier, path, is_verbose),
        }
    )
    server.on_ready = partial(_ready, server, notifier, None if path else spool_dir)
    # What runs beside the server, for as long as it does.
    companions = [
        server.status.run,
        server.loop_watch.run,
        give_memory_back,
        notifier.feed_watchdog,
        partial(_collect_cycles, server),
        partial(_end_with_front, server),
    ]
    with ExitStack() as stack:
        if metrics is not None:
            stack.callback(metrics.close)
            companions.append(metrics.run)
        if control is not None:
            stack.callback(control.close)
            commands = {**trace_commands(server.tracer), **status_commands(server.status)}
            companions.append(partial(control.run, commands))
        trio.run(_run, server, signals, companions)
    signals.ignore()
    return 0


async def _end_with_front(server: Server) -> None:
    """End a worker when its front has gone."""
    transports = server.endpoint.transports
    if isinstance(transports, FrontedTransports):
        await transports.lost.wait()
        logger.error("the front has gone, so this worker ends")
        server.stop.set()


def _set_up_collector() -> None:
    """Let Python look for cycles of objects seldom, and each time among few.

    What the server keeps, it keeps for long, and there are few cycles in it: looking through all of
    it as often as Python does by itself takes a third of the time of a MESSAGE. While it looks
    nothing else goes on, so of what is new it looks through 3,000 objects, or 12,000, in one go:
    that takes a few milliseconds. A person who comes into a room brings about 300.
    """
    gc.set_threshold(*_GC_THRESHOLDS)
    # What was there before the first message stays for as long as the process.
    gc.freeze()


def _ready(server: Server, notifier: Notifier, spool_dir: Path | None) -> None:
    """Tell systemd, and who has set nothing up, whose state is in `spool_dir`, what to do next."""
    notifier.ready()
    endpoint = server.endpoint
    if isinstance(endpoint.transports, FrontedTransports):
        endpoint.transports.tell_ready()
    if spool_dir is None:
        return
    text = greeting(endpoint.transports.listening, endpoint.msrp.listening, spool_dir)
    with suppress(OSError):
        print(text, flush=True)


async def _collect_cycles(server: Server) -> None:
    """Give back what calls that are over have left, while few are here."""
    while True:
        await trio.sleep(_COLLECT_INTERVAL)
        if server.endpoint.call_count <= _COLLECT_CALLS:
            gc.collect()


def _stop(server: Server, notifier: Notifier) -> None:
    notifier.stopping()
    server.stop.set()


def _reload(server: Server, notifier: Notifier, path: Path | None, is_verbose: bool) -> None:
    """Read the settings and the certificate again; a fault in one does not touch the other."""
    notifier.reloading()
    server.reload_certificate()
    try:
        # A file that was there at the start must still be there.
        server.reload(read_config(path or find_config(None)))
    except ConfigError as error:
        logger.error("the settings stay as they were: %s", error)
    else:
        if not is_verbose:
            set_log_level(server.config.sections.server.log_level)
    notifier.ready()


def _open_metrics(server: Server) -> "MetricsPort | None":
    """Return the metrics port if there is to be one; raises ListenError."""
    settings = server.config.sections.metrics
    if settings.port is None:
        return None
    # Its library is needed for nothing else.
    from sylk.metrics import MetricsPort

    port = port_of(settings.port, server.config.share)
    metrics = MetricsPort(settings.local_ip, port, server.status)
    host, port = metrics.local
    logger.info("metrics on http://%s:%d/metrics", f"[{host}]" if ":" in host else host, port)
    return metrics


def _open_control(folder: Path) -> ControlSocket | None:
    """Return the socket for commands to the server that runs; without it the server runs too."""
    try:
        return ControlSocket(folder)
    except ControlError as error:
        logger.warning("no commands reach this server while it runs: %s", error)
        return None


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="sylk-server",
        description="A multiparty chat conference server for SIP and MSRP.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="settings file; default: ./sylk.ini, else /etc/sylk/sylk.ini, else defaults",
    )
    parser.add_argument("--verbose", action="store_true", help="log every message on the wire")
    # How the front starts a worker.
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--version", action="version", version=__version__)
    return parser.parse_args(arguments)


async def _run(
    server: Server, signals: Signals, companions: Sequence[Callable[[], Awaitable[None]]]
) -> None:
    signals.start()
    async with trio.open_nursery() as nursery:
        for companion in companions:
            nursery.start_soon(companion)
        await server.run()
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    sys.exit(main())
