"""How many descriptors the server may have."""

import logging
import subprocess
import sys

import pytest

from sylk.cli.descriptors import raise_limit

# In a process of its own, as a hard limit that was lowered cannot be raised again.
PROGRAM = """\
import logging, resource, sys
from sylk.cli.descriptors import raise_limit
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
print(raise_limit(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def run(soft: int, hard: int) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(soft), str(hard)],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout.strip(), done.stderr


def test_the_soft_limit_becomes_the_hard_one() -> None:
    assert run(1024, 5000) == ("5000 5000", "")


def test_a_low_limit_is_told_with_what_mends_it() -> None:
    limits, log = run(256, 1024)
    assert limits == "1024 1024"
    assert "only 1024 files and connections" in log
    assert "LimitNOFILE" in log


def test_a_limit_that_is_reached_already_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    assert raise_limit() == raise_limit()
