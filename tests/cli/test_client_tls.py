"""Tests of sylk.cli.client_tls."""

import os
import ssl
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sylk.cli.client_tls import make_client_tls
from sylk.errors import ConfigError
from sylk.net.certificate import ensure_certificate


def test_each_run_has_a_certificate_of_its_own() -> None:
    first, second = make_client_tls(None), make_client_tls(None)
    assert first.fingerprint().startswith("SHA-256 ")
    assert first.fingerprint() != second.fingerprint()


def test_no_file_is_left(tmp_path: Path) -> None:
    """The folder for temporary files is a setting of the process, so this takes one of its own."""
    code = (
        "from sylk.cli.client_tls import make_client_tls as make; print(make(None).fingerprint())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("SHA-256 ")
    assert list(tmp_path.iterdir()) == []


def test_the_authorities_are_loaded(tmp_path: Path) -> None:
    files = ensure_certificate(tmp_path, ["server.test"], [], datetime.now(UTC))
    contexts = make_client_tls(files.certificate)
    context = contexts.client_context(verify=True)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.cert_store_stats()["x509"] == 1
    assert contexts.client_context(verify=False).verify_mode is ssl.CERT_NONE


def test_authorities_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.pem"):
        make_client_tls(tmp_path / "none.pem")
