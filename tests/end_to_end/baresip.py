"""baresip, a SIP user agent that we did not write: it calls, subscribes and pings the server."""

import re
import shutil
import socket
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.end_to_end.foreign import ForeignProgram, free_port
from tests.end_to_end.programs import program
from tests.end_to_end.server import HOST
from tests.end_to_end.tls_setup import make_certificate
from tests.payload.documents import assert_valid

CONFIGURATION = Path(__file__).parent / "baresip" / "config"
MODULES = ("/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules")

_READY = "baresip is ready"


def _certificate(folder: Path) -> Path:
    """Return a file with a certificate and its key, as it wants them."""
    certificate, key = make_certificate(folder, "baresip")
    both = folder / "baresip.pem"
    both.write_text(certificate.read_text() + key.read_text(), encoding="utf-8")
    return both


class Baresip:
    """One user agent; what is typed are its own commands, which begin with a slash."""

    def __init__(
        self, folder: Path, account: str, *, parameters: str = "", contacts: Sequence[str] = ()
    ) -> None:
        """Start it as `account`, a SIP URI; the `parameters` are those of its accounts file.

        It subscribes at once to the presence of each of `contacts`.
        """
        folder.mkdir(parents=True, exist_ok=True)
        executable = program("baresip", "baresip-core")
        # Its default differs from one distribution to the next.
        modules = next(path for path in MODULES if Path(path).is_dir())
        # UDP and TCP share a port, and TLS has the next one.
        self.port = free_port(socket.SOCK_DGRAM, socket.SOCK_STREAM, following=1)
        shutil.copy(CONFIGURATION, folder)
        with (folder / "config").open("a", encoding="utf-8") as config:
            config.write(f"module_path {modules}\nsip_listen {HOST}:{self.port}\n")
            config.write(f"sip_certificate {_certificate(folder)}\n")
        (folder / "accounts").write_text(f"<{account}>;regint=0{parameters}\n", encoding="utf-8")
        lines = [f'"Contact {n}" <{uri}>;presence=p2p\n' for n, uri in enumerate(contacts)]
        (folder / "contacts").write_text("".join(lines), encoding="utf-8")
        self._program = ForeignProgram([executable, "-s", "-f", "."], folder)
        try:
            self.wait_for(_READY)
        except BaseException:
            self._program.kill()
            raise

    def type(self, command: str) -> None:
        """Type a command, such as "/dial sip:lobby@example.com"."""
        self._program.type(command)

    def wait_for(self, pattern: str) -> str:
        """Wait for something that it prints; every message on the wire is among it."""
        return self._program.printed.wait_for(pattern)

    @property
    def printed(self) -> str:
        """Return what it has printed so far."""
        return self._program.printed.text

    def messages(self, start: str) -> list[str]:
        """Return each message on the wire whose first line begins so, as far as its body."""
        pattern = rf"^\w+ \S+ -> \S+\n({re.escape(start)}.*?\n)\r?\n"
        return re.findall(pattern, self.printed, re.DOTALL | re.MULTILINE)

    def presences(self) -> list[bytes]:
        """Return each presence document that it was told, which must be valid."""
        found = re.findall(r"<\?xml.*?</presence>", self.printed, re.DOTALL)
        documents = [document.encode() for document in found]
        for document in documents:
            assert_valid(document, "presence-all.xsd")
        return documents

    def stop(self) -> None:
        """End it; it ends its subscriptions and calls."""
        self._program.stop()


@contextmanager
def baresip(
    folder: Path, account: str, *, parameters: str = "", contacts: Sequence[str] = ()
) -> Generator[Baresip]:
    """Run a baresip while inside."""
    agent = Baresip(folder, account, parameters=parameters, contacts=contacts)
    try:
        yield agent
    finally:
        agent.stop()
