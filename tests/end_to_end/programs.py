"""Programs of others that drive the server, and what to do where one is not installed."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest


def program(name: str, package: str) -> Path:
    """Return the path of a program; where it is missing the test is skipped, in CI it fails."""
    path = shutil.which(name)
    if path is None:
        missing(name, package)
    return Path(path)


def missing(name: str, package: str) -> NoReturn:
    """Skip the test because something is not installed; in CI it fails."""
    complaint = f"{name} is not installed: it is in the Debian package {package}"
    if os.environ.get("CI"):
        pytest.fail(complaint)
    pytest.skip(complaint)
