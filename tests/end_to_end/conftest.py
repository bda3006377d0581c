"""What the tests of the whole share: the fixtures, and the mark of those that take minutes."""

import os

import pytest

from tests.end_to_end.server import running_server, shared_server

__all__ = ["running_server", "shared_server"]

SOAK_VARIABLE = "SYLK_SOAK"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", f"soak: takes minutes; runs when {SOAK_VARIABLE}=1 is in the environment"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get(SOAK_VARIABLE) == "1":
        return
    soaks = [item for item in items if item.get_closest_marker("soak") is not None]
    if soaks:
        config.hook.pytest_deselected(items=soaks)
        items[:] = [item for item in items if item not in soaks]
