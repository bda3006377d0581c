"""What the tests of sessions share."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from trio.testing import MockClock

from sylk.net.certificate import CertificateFiles, ensure_certificate
from tests.peers import HOST, Answering
from tests.session.tls_peers import MakeSettings, Settings


@pytest.fixture
def jumping_clock() -> MockClock:
    """Time that jumps ahead whenever the sockets are quiet."""
    return MockClock(autojump_threshold=0.02)


@pytest.fixture
def answering() -> Answering:
    """An application that accepts each call and tells how it went."""
    return Answering()


@pytest.fixture
def with_tls(tmp_path: Path) -> MakeSettings:
    """Make settings with TLS ports; what is given goes into the section [MSRP]."""

    def make(ca_file: Path | None = None, **msrp: object) -> Settings:
        return {
            "Server": {"spool_dir": tmp_path / "spool"},
            "SIP": {"local_tls_port": 0},
            "MSRP": {"local_tls_port": 0, **msrp},
            "TLS": {} if ca_file is None else {"ca_file": ca_file},
        }

    return make


@pytest.fixture
def phone(tmp_path: Path) -> CertificateFiles:
    """Make the certificate of a peer."""
    return ensure_certificate(tmp_path / "phone", ["phone.test"], [HOST], datetime.now(UTC))
