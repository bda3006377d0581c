"""Programs of others that drive the server, and what to do where one is not installed."""

import os
import shutil
from pathlib import Path

import pytest


def program(name: str, package: str) -> Path:
    """Return the path of a program; where it is missing the test is skipped, in CI it fails."""
    path = shutil.which(name)
    if path is None:
        complaint = f"{name} is not installed: it is in the Debian package {package}"
        if os.environ.get("CI"):
            pytest.fail(complaint)
        pytest.skip(complaint)
    return Path(path)
