"""Finds the shared test corpora, or skips the test that wants them."""

import os
from pathlib import Path

import pytest

# Continuous integration lays the corpora beside the checkout; elsewhere a variable names them.
_ROOT = Path(
    os.environ.get("SYLK_CORPORA", Path(__file__).resolve().parents[2] / "shared" / "corpora")
)


def corpus(name: str) -> Path:
    """Return the folder `name` of the corpora; skips the calling test when it is not there."""
    path = _ROOT / name
    if not path.is_dir():
        pytest.skip(f"no test corpus at {path}: set SYLK_CORPORA to its parent folder")
    return path
