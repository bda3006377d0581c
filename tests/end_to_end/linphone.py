"""linphonec, the terminal client of Linphone: a SIP user agent that we did not write."""

import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.end_to_end.foreign import ForeignProgram, free_port
from tests.end_to_end.programs import program
from tests.end_to_end.server import HOST

_PORTS = {"udp": "sip_port", "tcp": "sip_tcp_port", "tls": "sip_tls_port"}

_CONFIGURATION = """\
[sip]
{ports}
verify_server_certs=0
verify_server_cn=0
default_proxy=0
[rtp]
audio_rtp_port={rtp}
[proxy_0]
reg_proxy=<{server}>
reg_route=<{server}>
reg_identity=sip:alice@{host}
reg_expires=600
reg_sendregister={registers:d}
publish=0
[auth_info_0]
username=alice
domain={host}
passwd={password}
"""


class Linphone:
    """One user agent, alice; what is typed are its own commands, such as "chat" and "call"."""

    def __init__(self, folder: Path, server: str, *, password: str, registers: bool) -> None:
        """Start it with `server`, a SIP URI, as the server through which it sends everything."""
        executable = program("linphonec", "linphone-cli")
        # It makes its database where these folders are, but not the folders.
        for needed in (".local/share/linphone", ".config/linphone"):
            (folder / needed).mkdir(parents=True)
        transport = server.rpartition("=")[2]
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        port, rtp = free_port(kind), free_port(socket.SOCK_DGRAM)
        ports = [f"{name}={port * (which == transport)}" for which, name in _PORTS.items()]
        text = _CONFIGURATION.format(
            ports="\n".join(ports),
            rtp=rtp,
            server=server,
            host=HOST,
            registers=registers,
            password=password,
        )
        (folder / "linphonerc").write_text(text, encoding="utf-8")
        self._log = folder / "log"
        self._program = ForeignProgram(
            [executable, "-c", "./linphonerc", "-d", "6", "-l", self._log],
            folder,
            {"HOME": str(folder), "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": ""},
        )

    @property
    def log(self) -> str:
        """Return what it has logged so far, every message on the wire among it."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def type(self, command: str) -> None:
        """Type a command."""
        self._program.type(command)

    def wait_for(self, pattern: str) -> str:
        """Wait for something that it prints."""
        return self._program.printed.wait_for(pattern)

    def stop(self) -> None:
        """End it."""
        self._program.stop()


@contextmanager
def linphone(
    folder: Path, server: str, *, password: str = "", registers: bool = False
) -> Generator[Linphone]:
    """Run a linphonec while inside."""
    agent = Linphone(folder, server, password=password, registers=registers)
    try:
        yield agent
    finally:
        agent.stop()
