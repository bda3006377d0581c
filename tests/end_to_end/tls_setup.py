"""What tests need for TLS: settings with free ports, the ports that came of them, certificates."""

import re
import subprocess
from pathlib import Path

from tests.end_to_end.programs import program
from tests.end_to_end.server import HOST, RunningServer

Sections = dict[str, dict[str, object]]

_LISTENING = re.compile(r"listening for (SIP|MSRP) on tls \S+ port (\d+)")


def with_tls(spool: Path, **tls: object) -> Sections:
    """Return settings with free TLS ports; `tls` goes into the section of that name."""
    return {
        "Server": {"spool_dir": spool},
        "SIP": {"local_tls_port": 0},
        "MSRP": {"local_tls_port": 0},
        "TLS": tls,
    }


def tls_port(server: RunningServer, protocol: str) -> int:
    """Return the TLS port of a server for SIP or MSRP."""
    return int(dict(_LISTENING.findall(server.log))[protocol])


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Let OpenSSL make a certificate for our address, and return its file and that of its key."""
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(
        [
            str(program("openssl", "openssl")),
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "30", "-subj", f"/CN={name}"),
            *("-addext", f"subjectAltName=IP:{HOST}"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key
