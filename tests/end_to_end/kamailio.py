"""Kamailio, a SIP proxy that we did not write, between user agents and the server.

The configurations are in the folder kamailio; their first lines say what can be switched on.
"""

import re
import shutil
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.end_to_end.foreign import ForeignProgram, free_port
from tests.end_to_end.programs import missing, program
from tests.end_to_end.server import HOST
from tests.end_to_end.tls_setup import make_certificate

CONFIGURATIONS = Path(__file__).parent / "kamailio"
REALM = "example.com"

_TLS_MODULE = "lib*/**/kamailio/modules/tls.so"
_READY = "the proxy is ready\n"
_COMPLAINT = re.compile(r"\b(?:ERROR|CRITICAL|ALERT|BUG|WARNING|EMERGENCY): ")


def password_of(user: str) -> str:
    """Return the password by which the proxy knows a user; it knows everybody."""
    return f"secret-of-{user}"


class Kamailio:
    """One proxy, with a UDP port for user agents and a TLS port for the server."""

    def __init__(self, folder: Path, *options: str, algorithm: str = "MD5") -> None:
        executable = program("kamailio", "kamailio")
        if not any(Path("/usr").glob(_TLS_MODULE)):
            missing("the TLS module of Kamailio", "kamailio-tls-modules")
        folder.mkdir(parents=True, exist_ok=True)
        make_certificate(folder, "proxy")
        shutil.copy(CONFIGURATIONS / "proxy.cfg", folder)
        self.udp = free_port(socket.SOCK_DGRAM)
        self.tls = free_port(socket.SOCK_STREAM)
        defines = [f'REALM="{REALM}"', f'ALGORITHM="{algorithm}"', *options]
        self._folder = folder
        self._command = [
            executable,
            *("-f", "./proxy.cfg", "-w", ".", "-Y", "."),
            # In the foreground, with the log on the standard error and little memory.
            *("-DD", "-E", "-m", "32", "-M", "4"),
            *("-l", f"udp:{HOST}:{self.udp}", "-l", f"tls:{HOST}:{self.tls}"),
            *(word for define in defines for word in ("-A", define)),
        ]
        self._program = self._start()

    def _start(self) -> ForeignProgram:
        running = ForeignProgram(self._command, self._folder)
        try:
            running.printed.wait_for(_READY)
        except BaseException:
            running.kill()
            raise
        return running

    def restart(self) -> None:
        """End it and start it again, on the same ports and with nothing in its memory."""
        self.stop()
        self._program = self._start()

    @property
    def uri(self) -> str:
        """Return where callers send their requests."""
        return f"sip:{HOST}:{self.udp};transport=udp"

    def wait_for(self, pattern: str) -> str:
        """Wait for something in the log, and return it."""
        return self._program.printed.wait_for(pattern)

    @property
    def log(self) -> str:
        """Return what it has logged so far."""
        return self._program.printed.text

    @property
    def complaints(self) -> list[str]:
        """Return the lines of the log by which it says that a message was wrong."""
        since = self.log.partition(_READY)[2]
        return [line for line in since.splitlines() if _COMPLAINT.search(line)]

    def stop(self) -> None:
        """End it; told politely so soon after its start, it now and then does not."""
        self._program.kill()


@contextmanager
def proxying(folder: Path, *options: str, algorithm: str = "MD5") -> Generator[Kamailio]:
    """Run a proxy while inside; at the end its parser must have had nothing to complain about."""
    proxy = Kamailio(folder, *options, algorithm=algorithm)
    try:
        yield proxy
        assert not proxy.complaints, "\n".join(proxy.complaints)
    finally:
        proxy.stop()
