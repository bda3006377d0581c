"""Several workers as one server: the front starts them, starts anew what dies, and ends them all.

A worker is this command once more, with its place as a hidden option. It inherits its end of a pair
of sockets, and the standard error. SIGTERM, SIGINT and SIGHUP of the front reach the workers
through it; a worker whose front has died ends by itself.
"""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Self

import trio

from sylk import __version__
from sylk.cli.signals import Signals
from sylk.config import find_config, read_config
from sylk.errors import ConfigError
from sylk.front import Front
from sylk.net.fronted_transports import FrontSettings
from sylk.notify import Notifier
from sylk.reload import plan_reload, reload_certificate
from sylk.server_config import ServerConfig
from sylk.share import Share

logger = logging.getLogger("sylk.front")

STOP_TIMEOUT = 10.0
"""Seconds that the workers have to say goodbye to everybody."""

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
"""Seconds before a worker that dies at once each time is started anew."""
_LASTING = 60.0
"""Seconds after which a worker that dies has not died at once."""
_OF_SYSTEMD = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a worker, as its command line tells it."""

    index: int
    count: int
    descriptor: int
    """Its end of the link."""
    token_mark: str
    listening: Sequence[tuple[str, tuple[str, int]]]
    spoken: Sequence[str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse what the front has written."""
        values = json.loads(text)
        values["listening"] = [(name, (host, port)) for name, (host, port) in values["listening"]]
        return cls(**values)

    def __str__(self) -> str:
        return json.dumps(asdict(self))

    @property
    def share(self) -> Share:
        """Its part of all addresses."""
        return Share(self.index, self.count)

    def front(self) -> FrontSettings:
        """Take up the link."""
        sock = socket.socket(fileno=self.descriptor)
        sock.set_inheritable(False)
        return FrontSettings(sock, self.listening, tuple(self.spoken), self.token_mark)


class Workers:
    """The workers of a front, while `run` runs; `failed` tells that the first start has failed."""

    def __init__(self, front: Front, count: int, arguments: Sequence[str]) -> None:
        """Take the arguments of the command that all workers share."""
        self.failed = False
        self.stop = trio.Event()
        self._front = front
        self._count = count
        self._arguments = arguments
        self._processes: dict[int, trio.Process] = {}
        self._serving: set[int] = set()
        self._once_ready: set[int] = set()
        """Those that have served, be it before they died."""
        self._all_ready = trio.Event()
        self._to_reload: set[int] = set()
        """Those that were starting when the settings were to be read again."""

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Keep them running until `stop` is set, or one does not start the first time."""
        async with trio.open_nursery() as transports:
            await transports.start(self._front.transports.run)
            async with trio.open_nursery() as nursery:
                for index in range(self._count):
                    nursery.start_soon(self._keep, index)
                nursery.start_soon(self._tell, on_ready)
                await self.stop.wait()
                logger.info("stopping: %d workers end", len(self._processes))
                for process in self._processes.values():
                    process.terminate()
                nursery.cancel_scope.deadline = trio.current_time() + STOP_TIMEOUT
                self._all_ready.set()
            transports.cancel_scope.cancel()

    def reload(self) -> None:
        """Let each of them read the settings again.

        Before it serves, a signal would kill it, and it may have read the settings already.
        """
        self._to_reload = self._processes.keys() - self._serving
        for index in self._serving:
            self._processes[index].send_signal(signal.SIGHUP)

    async def _tell(self, on_ready: Callable[[], None]) -> None:
        await self._all_ready.wait()
        if not self.stop.is_set():
            on_ready()

    async def _keep(self, index: int) -> None:
        pause = _FIRST_PAUSE / 2
        while not self.stop.is_set():
            began = trio.current_time()
            status = await self._run_once(index)
            if self.stop.is_set():
                return
            if not self._all_ready.is_set():
                self.failed = True
                self.stop.set()
                return
            lasted = trio.current_time() - began
            pause = _FIRST_PAUSE if lasted > _LASTING else min(2 * pause, _LONGEST_PAUSE)
            logger.error(
                "worker %d has died (%s): its calls are lost, it starts anew in %g s",
                index,
                _describe(status),
                pause,
            )
            with trio.move_on_after(pause):
                await self.stop.wait()

    async def _run_once(self, index: int) -> int:
        """Start a worker and return its exit status when it has ended."""
        try:
            ours, process = await self._start(index)
        except OSError as error:
            logger.error("worker %d cannot be started: %s", index, error.strerror)
            return 1
        self._processes[index] = process
        if self.stop.is_set():
            process.terminate()
        try:
            on_ready = partial(self._worker_ready, index)
            await self._front.serve(index, ours, on_ready, partial(self._stuck, index, process))
            return await process.wait()
        finally:
            del self._processes[index]
            self._serving.discard(index)
            if process.returncode is None:
                process.kill()
                with trio.CancelScope(shield=True):
                    await process.wait()

    async def _start(self, index: int) -> tuple[socket.socket, trio.Process]:
        """Start a worker and return our end of the link to it; raises OSError."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = await trio.lowlevel.open_process(
                    self._command(index, theirs.fileno()),
                    stdin=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    env={key: value for key, value in os.environ.items() if key not in _OF_SYSTEMD},
                )
        except BaseException:
            ours.close()
            raise
        return ours, process

    def _command(self, index: int, descriptor: int) -> list[str]:
        transports = self._front.transports
        place = Place(
            index,
            self._count,
            descriptor,
            self._front.mark_of(index),
            transports.listening,
            transports.spoken,
        )
        # -P: nothing is imported from the folder in which the server is started.
        module = ["-P", "-m", "sylk.cli.server"]
        return [sys.executable, *module, *self._arguments, "--worker", str(place)]

    def _worker_ready(self, index: int) -> None:
        self._serving.add(index)
        if index in self._to_reload:
            self._to_reload.discard(index)
            self._processes[index].send_signal(signal.SIGHUP)
        if index in self._once_ready:
            logger.info("worker %d serves again", index)
        self._once_ready.add(index)
        if len(self._once_ready) == self._count:
            self._all_ready.set()

    def _stuck(self, index: int, process: trio.Process, reason: str) -> None:
        logger.error("worker %d is killed: %s", index, reason)
        process.kill()


def _describe(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    with suppress(ValueError):
        return signal.Signals(-status).name
    return f"signal {-status}"


def serve_workers(config: ServerConfig, path: Path | None, *, is_verbose: bool) -> int:
    """Run the front and its workers until a signal ends them; returns the exit status.

    Raises TransportError where a port of SIP cannot be had.
    """
    count = config.sections.server.workers
    logger.info("sylk-server %s, settings: %s", __version__, path or "defaults")
    # Each worker tells of its messages.
    logging.getLogger("sylk.sip").setLevel(logging.INFO)
    front = Front(config.endpoint, count)
    for transport, (host, port) in front.transports.listening:
        logger.info("listening for SIP on %s %s port %d", transport, host, port)
    arguments = [*(["--config", str(path)] if path else []), *(["--verbose"] if is_verbose else [])]
    workers = Workers(front, count, arguments)
    notifier = Notifier()

    def stop() -> None:
        notifier.stopping()
        workers.stop.set()

    def reload() -> None:
        notifier.reloading()
        _reload(config, front, workers, path)
        notifier.ready()

    def ready() -> None:
        logger.info("%d workers serve", count)
        notifier.ready()

    signals = Signals({signal.SIGINT: stop, signal.SIGTERM: stop, signal.SIGHUP: reload})

    async def run() -> None:
        signals.start()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(notifier.feed_watchdog)
            await workers.run(ready)
            nursery.cancel_scope.cancel()

    trio.run(run)
    signals.ignore()
    return int(workers.failed)


def _reload(config: ServerConfig, front: Front, workers: Workers, path: Path | None) -> None:
    """Read the settings and the certificate again, and let the workers do so if they are right."""
    reload_certificate(config.endpoint.tls)
    try:
        plan = plan_reload(read_config(path or find_config(None)), config)
    except ConfigError as error:
        logger.error("the settings stay as they were: %s", error)
        return
    config.sections, config.routing = plan.sections, plan.routing
    config.endpoint.sip.connections.is_exempt = plan.admission.is_unlimited
    workers.reload()
