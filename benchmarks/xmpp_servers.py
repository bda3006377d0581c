"""Prosody and ejabberd, which we did not write: each with a folder and a port of its own.

Each is set up to do nothing but rooms: anonymous users in clear text over loopback, no limits on
rates, no history, no archive, and presence is not passed on, so that a room fills quickly.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.server_process import cpu_seconds_of_all
from benchmarks.wire import HOST, LoadError

DOMAIN = "localhost"
ROOMS = "rooms.localhost"

_START_LIMIT = 60.0
_STOP_LIMIT = 10.0

_PROSODY = """\
run_as_root = true
data_path = "{folder}"
pidfile = "{folder}/pid"
log = {{ warn = "*console" }}
interfaces = {{ "{host}" }}
c2s_ports = {{ {port} }}
s2s_ports = {{ }}
modules_enabled = {{ "saslauth" }}
modules_disabled = {{ "s2s", "offline" }}
storage = "memory"
c2s_require_encryption = false
authentication = "anonymous"

VirtualHost "{domain}"

Component "{rooms}" "muc"
    modules_disabled = {{ "s2s", "offline" }}
    muc_room_locking = false
    muc_room_default_history_length = 0
    muc_room_default_presence_broadcast = {{
        visitor = false, participant = false, moderator = false
    }}
"""

_EJABBERD = """\
hosts:
  - {domain}
loglevel: warning
acme:
  auto: false
auth_method: anonymous
anonymous_protocol: sasl_anon
allow_multiple_connections: true
listen:
  -
    port: {port}
    ip: "{host}"
    module: ejabberd_c2s
    starttls: false
    shaper: none
    max_stanza_size: infinity
modules:
  mod_muc:
    host: {rooms}
    access: all
    access_create: all
    history_size: 0
    max_users: 5000
    min_message_interval: 0
    min_presence_interval: 0
    max_rooms_discoitems: 0
    default_room_options:
      max_users: 5000
      presence_broadcast: []
      allow_change_subj: false
"""

_EJABBERD_ENVIRONMENT = {
    "EJABBERD_CONFIG_PATH": "{folder}/ejabberd.yml",
    "EJABBERD_LOG_PATH": "{folder}/ejabberd.log",
    "ERL_CRASH_DUMP_BYTES": "0",
}


@dataclass(slots=True)
class _Setup:
    """How a server is started in its folder."""

    command: list[str]
    environment: dict[str, str]


def _set_up_prosody(folder: Path, text: str) -> _Setup:
    path = folder / "prosody.cfg.lua"
    path.write_text(text, encoding="utf-8")
    return _Setup(["prosody", "-F", "--config", str(path)], {})


def _set_up_ejabberd(folder: Path, text: str) -> _Setup:
    (folder / "ejabberd.yml").write_text(text, encoding="utf-8")
    environment = {
        name: value.format(folder=folder) for name, value in _EJABBERD_ENVIRONMENT.items()
    }
    # Where Debian puts it; its own command would change the user, and speak with other nodes.
    if libraries := next(Path("/usr/lib").glob("*/ejabberd-*/ebin"), None):
        environment["ERL_LIBS"] = str(libraries.parent.parent)
    options = ["+K", "true", "+P", "250000", "-noinput", "-start_epmd", "false"]
    database = ["-mnesia", "dir", f'"{folder}/db"']
    return _Setup(["erl", *options, *database, "-s", "ejabberd"], environment)


@dataclass(slots=True)
class XmppServer:
    """One that can be started: its command, its package, and its settings."""

    name: str
    program: str
    settings: str
    set_up: Callable[[Path, str], _Setup]

    def is_installed(self) -> bool:
        """Tell whether it can be started here."""
        return shutil.which(self.program) is not None


SERVERS = (
    XmppServer("Prosody", "prosody", _PROSODY, _set_up_prosody),
    XmppServer("ejabberd", "ejabberdctl", _EJABBERD, _set_up_ejabberd),
)


class XmppProcess:
    """One that runs, until its block is left; raises LoadError when it does not start."""

    def __init__(self, server: XmppServer) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="sylk-bench-")
        folder = Path(self._folder.name)
        with socket.socket() as sock:
            sock.bind((HOST, 0))
            self.port: int = sock.getsockname()[1]
        text = server.settings.format(
            folder=folder, host=HOST, port=self.port, domain=DOMAIN, rooms=ROOMS
        )
        setup = server.set_up(folder, text)
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                setup.command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **setup.environment},
                start_new_session=True,
            )
        self.pid = self._process.pid
        try:
            self._await_port()
        except LoadError:
            self.stop()
            raise

    def _await_port(self) -> None:
        deadline = time.monotonic() + _START_LIMIT
        while True:
            with suppress(OSError), socket.create_connection((HOST, self.port), timeout=1.0):
                return
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise LoadError(f"it did not start:\n{self.log()[-2000:]}")
            time.sleep(0.1)

    def log(self) -> str:
        """Return what the server has printed."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def cpu_seconds(self) -> float:
        """Return the processor time that the server, with what it has started, has taken."""
        return cpu_seconds_of_all(self.pid)

    def stop(self) -> None:
        """End the server, and all that it has started."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_LIMIT)
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            print(self.log()[-4000:], file=sys.stderr)
        self.stop()
