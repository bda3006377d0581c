"""What the documents show of the commands is what the commands write."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.programs import program

ROOT = Path(__file__).resolve().parents[2]


def test_the_captures_are_true() -> None:
    isolated = [program("unshare", "util-linux"), "--net", "--map-root-user"]
    program("ip", "iproute2")
    probe = subprocess.run(
        [*isolated, "ip", "link", "set", "lo", "up"], check=False, capture_output=True, text=True
    )
    if probe.returncode:
        pytest.skip(f"no network namespace can be made here: {probe.stderr.strip()}")
    done = subprocess.run(
        [*isolated, sys.executable, "-m", "tests.end_to_end.captures"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = (ROOT / "docs" / "captures.md").read_text(encoding="utf-8")
    assert done.stdout == shown, "make captures"
