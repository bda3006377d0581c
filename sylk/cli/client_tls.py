"""TLS for a client that has no certificate of its own: one is made for this run and forgotten."""

import socket
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from sylk.net.certificate import ensure_certificate
from sylk.net.tls import TlsContexts


def make_client_tls(ca_file: Path | None) -> TlsContexts:
    """Return contexts with a new self-signed certificate; raises ConfigError.

    `ca_file` holds the authorities that servers are checked with.
    """
    with tempfile.TemporaryDirectory(prefix="sylk-chat-") as folder:
        names = [socket.gethostname()]
        files = ensure_certificate(Path(folder), names, [], datetime.now(UTC))
        return TlsContexts(files.certificate, files.private_key, ca_file=ca_file)
