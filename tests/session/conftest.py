"""What the tests of sessions share."""

import pytest
from trio.testing import MockClock

from tests.peers import Answering


@pytest.fixture
def jumping_clock() -> MockClock:
    """Time that jumps ahead whenever the sockets are quiet."""
    return MockClock(autojump_threshold=0.02)


@pytest.fixture
def answering() -> Answering:
    """An application that accepts each call and tells how it went."""
    return Answering()
