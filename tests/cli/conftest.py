"""What the tests of the commands share."""

import pytest
from trio.testing import MockClock


@pytest.fixture
def jumping_clock() -> MockClock:
    """Time that jumps ahead whenever the sockets are quiet."""
    return MockClock(autojump_threshold=0.02)
