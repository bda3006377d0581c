"""Kamailio as an MSRP relay, which we did not write, between our client and the server.

The configuration is kamailio/relay.cfg; its first lines say what the launcher defines.
"""

import shutil
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.end_to_end.foreign import ForeignProgram, free_port
from tests.end_to_end.programs import missing, program
from tests.end_to_end.server import HOST
from tests.end_to_end.tls_setup import make_certificate

CONFIGURATION = Path(__file__).parent / "kamailio" / "relay.cfg"
REALM = "relay.example.com"
PASSWORD = "secret-of-all"

_MODULES = ("tls.so", "msrp.so", "htable.so")
_READY = "the relay is ready\n"


class KamailioRelay:
    """One relay with a TLS port; it knows everybody by the same password.

    It writes a line for each frame unless it is `quiet`.
    """

    def __init__(self, folder: Path, *, quiet: bool = False) -> None:
        executable = program("kamailio", "kamailio")
        for module in _MODULES:
            if not any(Path("/usr").glob(f"lib*/**/kamailio/modules/{module}")):
                missing(f"the module {module} of Kamailio", "kamailio-tls-modules")
        folder.mkdir(parents=True, exist_ok=True)
        make_certificate(folder, "relay")
        shutil.copy(CONFIGURATION, folder)
        self.port = free_port(socket.SOCK_STREAM)
        defines = (
            f'ADDRESS="{HOST}:{self.port}"',
            f'REALM="{REALM}"',
            f'PASSWORD="{PASSWORD}"',
            *(("QUIET",) if quiet else ()),
        )
        self._program = ForeignProgram(
            [
                executable,
                *("-f", "./relay.cfg", "-w", ".", "-Y", "."),
                # In the foreground, with the log on the standard error and little memory.
                *("-DD", "-E", "-m", "32", "-M", "4"),
                *("-l", f"tls:{HOST}:{self.port}"),
                *(word for define in defines for word in ("-A", define)),
            ],
            folder,
        )
        try:
            self.wait_for(_READY)
        except BaseException:
            self.stop()
            raise

    @property
    def uri(self) -> str:
        """Return where clients ask for a path."""
        return f"msrps://{HOST}:{self.port};tcp"

    @property
    def pid(self) -> int:
        """The process that has started all others."""
        return self._program.process.pid

    def wait_for(self, pattern: str) -> str:
        """Wait for something in the log, and return it."""
        return self._program.printed.wait_for(pattern)

    def stop(self) -> None:
        """End it; told politely so soon after its start, it now and then does not."""
        self._program.kill()


@contextmanager
def relaying(folder: Path, *, quiet: bool = False) -> Generator[KamailioRelay]:
    """Run a relay while inside."""
    relay = KamailioRelay(folder, quiet=quiet)
    try:
        yield relay
    finally:
        relay.stop()
