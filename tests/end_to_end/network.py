"""A network between the server and its peers that is slow, loses, repeats, overtakes, or is cut.

The server runs in a network namespace of its own. Two TUN devices join it to where the test runs,
and `Wire` carries each packet from one to the other, as badly as the `Link` of that peer says. The
kernel's netem would do as much, but many kernels come without it, and it cannot be told to lose
just the first ACK. Nothing outlives the process: the devices go when their descriptors close, the
namespace when the standard input of the program that holds it does.
"""

import fcntl
import ipaddress
import os
import shutil
import struct
import subprocess
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.end_to_end.lossy_wire import Link, Wire
from tests.end_to_end.programs import program
from tests.end_to_end.server import COMMAND, HOST, RunningServer, Settings

_TUN = Path("/dev/net/tun")
_SET_INTERFACE = 0x400454CA
_TUN_WITHOUT_HEADER = 0x0001 | 0x1000
# RFC 2544 gives these addresses to tests of networks: no real network has them.
_ADDRESSES = "198.18.{}.{}"


def _open_device() -> tuple[int, str]:
    """Return the descriptor and the name of a TUN device of a name that the kernel chooses."""
    descriptor = os.open(_TUN, os.O_RDWR | os.O_NONBLOCK)
    try:
        wish = struct.pack("16sH22x", b"sylk%d", _TUN_WITHOUT_HEADER)
        name = fcntl.ioctl(descriptor, _SET_INTERFACE, wish)[:16].rstrip(b"\0").decode()
    except OSError:
        os.close(descriptor)
        raise
    return descriptor, name


def _ip(*arguments: str, inside: tuple[str, ...] = ()) -> None:
    command = [*inside, "ip", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


class Network:
    """A server's namespace and the wire to it; the peers have an address and a link each."""

    def __init__(self, stack: ExitStack, peers: int) -> None:
        holder = subprocess.Popen(
            ["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        stack.callback(_end, holder)
        assert holder.stdin is not None
        assert holder.stdout is not None
        # The echo tells that the namespace is there.
        holder.stdin.write(b"\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == b"\n"
        self._inside = ("nsenter", f"--net=/proc/{holder.pid}/ns/net")
        outer, name = _open_device()
        stack.callback(os.close, outer)
        inner, inner_name = _open_device()
        stack.callback(os.close, inner)
        # Two tests at one time have different devices, and so different addresses.
        number = int(name.removeprefix("sylk")) % 256
        self.server_host = _ADDRESSES.format(number, 1)
        hosts = [_ADDRESSES.format(number, 2 + peer) for peer in range(peers)]
        _ip("link", "set", inner_name, "netns", str(holder.pid))
        for host in hosts:
            _ip("address", "add", f"{host}/24", "dev", name)
        _ip("address", "add", f"{self.server_host}/24", "dev", inner_name, inside=self._inside)
        _ip("link", "set", "lo", "up", inside=self._inside)
        _ip("link", "set", inner_name, "up", inside=self._inside)
        _ip("link", "set", name, "up")
        self.links = [Link(host) for host in hosts]
        wire = Wire(
            ipaddress.IPv4Address(self.server_host),
            inner,
            outer,
            {ipaddress.IPv4Address(link.host): link for link in self.links},
        )
        stack.callback(wire.stop)

    def start_server(self, folder: Path, settings: Settings | None = None) -> RunningServer:
        """Start a server inside; `settings` come on top of its address."""
        sections = {name: dict(values) for name, values in (settings or {}).items()}
        for name in ("SIP", "MSRP"):
            sections.setdefault(name, {})["local_ip"] = self.server_host
        # People call rooms of this host, and rooms are shown with it.
        sections["SIP"].setdefault("domains", HOST)
        nsenter, *arguments = self._inside
        path = program(nsenter, "util-linux")
        return RunningServer(folder, sections, path, *arguments, str(COMMAND))


def _end(holder: subprocess.Popen[bytes]) -> None:
    with suppress(BrokenPipeError):
        holder.communicate()
    holder.kill()
    holder.wait()


def _missing() -> str:
    """Return what this machine lacks for a network of our own, "" when it lacks nothing."""
    if os.geteuid() != 0:
        return "only root may make a network namespace"
    if not _TUN.exists():
        return f"there is no {_TUN}"
    try:
        os.close(_open_device()[0])
    except OSError as error:
        return f"no TUN device can be made: {error}"
    probe = ["unshare", "--net", "true"]
    if (
        shutil.which(probe[0])
        and subprocess.run(probe, capture_output=True, check=False).returncode
    ):
        return "no network namespace can be made"
    return ""


@contextmanager
def bad_network(peers: int) -> Generator[Network]:
    """Make a network while inside; skips the test where the machine cannot."""
    if missing := _missing():
        pytest.skip(missing)
    for name, package in (("ip", "iproute2"), ("unshare", "util-linux"), ("nsenter", "util-linux")):
        program(name, package)
    with ExitStack() as stack:
        yield Network(stack, peers)
