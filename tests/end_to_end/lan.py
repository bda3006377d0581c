"""A LAN of machines for the tests of multicast DNS: network namespaces, joined by a bridge.

Each machine has a namespace of its own, with a /run of its own, so that an avahi-daemon can run on
each; the bridge is in one more. Nothing outlives the process: a namespace goes when the standard
input of the program that holds it does.
"""

import itertools
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.end_to_end.programs import program
from tests.end_to_end.server import COMMAND, RunningServer, Settings

WAIT = 15.0
"""Seconds for something to be seen on the LAN."""

_BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/>
<allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>
"""
_HOLD = (
    "mount -t tmpfs tmpfs /run && mkdir /run/dbus && ip link set lo up && echo ready && exec cat"
)
_numbers = itertools.count(1)


class Output:
    """What a program writes, line by line, read while it runs."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._is_closed = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self._lines.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._is_closed = True
            self._news.notify_all()

    @property
    def lines(self) -> list[str]:
        """Return what has been written."""
        with self._news:
            return list(self._lines)

    def wait_for(self, pattern: str, timeout: float = WAIT, *, after: int = 0) -> str:
        """Wait for a line that `pattern` is in, after so many lines, and return it."""

        def found() -> str | None:
            return next((one for one in self._lines[after:] if re.search(pattern, one)), None)

        with self._news:
            self._news.wait_for(lambda: self._is_closed or found() is not None, timeout)
            line = found()
        assert line is not None, f"{pattern!r} was not written:\n" + "\n".join(self.lines)
        return line

    def end(self) -> None:
        """End the program."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.join(5)
        assert self.process.stdout is not None
        self.process.stdout.close()


class Machine:
    """One machine of the LAN; its interface is called `lan0`."""

    def __init__(self, stack: ExitStack, number: int) -> None:
        self._stack = stack
        self.number = number
        self.host = f"198.18.77.{number}"
        self.holder = _hold(stack, _HOLD)
        pid = self.holder.pid
        self.inside = ("nsenter", f"--net=/proc/{pid}/ns/net", f"--mount=/proc/{pid}/ns/mnt")

    def ip(self, *arguments: str) -> None:
        """Run `ip` on this machine."""
        _run(*self.inside, "ip", *arguments)

    def start(self, *command: str) -> Output:
        """Start a program on this machine; it ends with the test."""
        process = subprocess.Popen(
            [*self.inside, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        output = Output(process)
        self._stack.callback(output.end)
        return output

    def start_avahi(self, folder: Path) -> Output:
        """Start a D-Bus and an avahi-daemon on this machine."""
        program("avahi-browse", "avahi-utils")
        bus = folder / f"bus{self.number}.conf"
        bus.write_text(_BUS, encoding="utf-8")
        self.start(
            str(program("dbus-daemon", "dbus-daemon")),
            f"--config-file={bus}",
            "--nofork",
            "--print-address=1",
        ).wait_for("unix:path")
        settings = folder / f"avahi{self.number}.conf"
        settings.write_text(f"[server]\nhost-name=machine{self.number}\n", encoding="utf-8")
        daemon = self.start(
            str(program("avahi-daemon", "avahi-daemon")),
            "--no-drop-root",
            "--no-chroot",
            "--no-rlimits",
            f"--file={settings}",
        )
        daemon.wait_for("Server startup complete")
        return daemon

    def browse(self, kind: str) -> Output:
        """Start avahi-browse on this machine."""
        return self.start("stdbuf", "-oL", "avahi-browse", "--parsable", "--resolve", kind)

    def run_python(self, *arguments: str) -> Output:
        """Start a Python program on this machine, with what the tests have."""
        return self.start(sys.executable, "-u", *arguments)

    def start_server(self, folder: Path, settings: Settings | None = None) -> RunningServer:
        """Start a server on this machine, on all of its addresses and on fixed ports."""
        sections = {
            "SIP": {"local_ip": "0.0.0.0", "local_udp_port": 5060, "local_tcp_port": 5060},
            "MSRP": {"local_ip": "0.0.0.0"},
        }
        for name, values in (settings or {}).items():
            sections.setdefault(name, {}).update({key: str(one) for key, one in values.items()})
        nsenter, *arguments = self.inside
        path = program(nsenter, "util-linux")
        arguments.append(f"--wd={folder}")
        server = RunningServer(folder, sections, path, *arguments, str(COMMAND))
        self._stack.callback(server.kill)
        return server


class Lan:
    """Machines on one bridge."""

    def __init__(self, stack: ExitStack, machines: int) -> None:
        self._switch = _hold(
            stack, "ip link add br0 type bridge && ip link set br0 up && echo ready && exec cat"
        )
        self._ports: dict[tuple[Machine, str], str] = {}
        self.machines = [Machine(stack, number + 1) for number in range(machines)]
        for machine in self.machines:
            self.plug_in(machine)

    def plug_in(self, machine: Machine, name: str = "lan0", host: str = "") -> None:
        """Give a machine an interface on the bridge; it gets its address and is up."""
        port = self._ports[machine, name] = f"port{next(_numbers)}"
        inside = ("nsenter", f"--net=/proc/{self._switch.pid}/ns/net")
        peer = ("peer", "name", name, "netns", str(machine.holder.pid))
        _run(*inside, "ip", "link", "add", port, "type", "veth", *peer)
        _run(*inside, "ip", "link", "set", port, "master", "br0", "up")
        machine.ip("address", "add", f"{host or machine.host}/24", "dev", name)
        machine.ip("link", "set", name, "up")

    def set_plugged(self, machine: Machine, *, plugged: bool, name: str = "lan0") -> None:
        """Pull an interface out of the bridge, which it does not notice, or plug it in."""
        inside = ("nsenter", f"--net=/proc/{self._switch.pid}/ns/net")
        master = ("master", "br0") if plugged else ("nomaster",)
        _run(*inside, "ip", "link", "set", self._ports[machine, name], *master)


def _hold(stack: ExitStack, script: str) -> subprocess.Popen[bytes]:
    """Make a namespace that lives as long as the standard input of the program that is returned."""
    holder = subprocess.Popen(
        ["unshare", "--net", "--mount", "sh", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    stack.callback(_end, holder)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"ready\n"
    return holder


def _end(holder: subprocess.Popen[bytes]) -> None:
    with suppress(BrokenPipeError):
        holder.communicate()
    holder.kill()
    holder.wait()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


def _missing() -> str:
    """Return what this machine lacks for a LAN of our own, "" when it lacks nothing."""
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    script = (
        "mount -t tmpfs tmpfs /run && ip link add br0 type bridge"
        " && ip link add port type veth peer name lan0"
    )
    probe = ["unshare", "--net", "--mount", "sh", "-c", script]
    if not shutil.which(probe[0]):
        return "there is no unshare"
    done = subprocess.run(probe, capture_output=True, text=True, check=False)
    return f"no bridge of namespaces can be made: {done.stderr}" if done.returncode else ""


@contextmanager
def lan_of(machines: int) -> Generator[Lan]:
    """Make a LAN of so many machines; the test is skipped where that cannot be."""
    if missing := _missing():
        pytest.skip(missing)
    program("ip", "iproute2")
    with ExitStack() as stack:
        yield Lan(stack, machines)
