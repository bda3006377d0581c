"""How loudly refusals are told."""

import logging

import pytest

from sylk.net.refusal_lines import RefusalLines

logger = logging.getLogger("sylk.net.test")


def test_each_source_has_its_lines_and_the_rest_is_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger.name)
    lines = RefusalLines(logger, 2)
    levels = [lines.level_for("192.0.2.1", 0.0) for _ in range(5)]
    assert levels == [logging.INFO] * 2 + [logging.DEBUG] * 3
    assert caplog.messages == []
    assert lines.level_for("192.0.2.2", 0.0) == logging.INFO
    assert caplog.messages == ["3 refusals more are not shown: there were too many"]


def test_with_debug_nothing_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger.name)
    lines = RefusalLines(logger, 1)
    for _ in range(3):
        lines.level_for("192.0.2.1", 0.0)
    lines.level_for("192.0.2.2", 0.0)
    assert caplog.messages == []


def test_time_gives_lines_back() -> None:
    lines = RefusalLines(logger, 1)
    levels = [lines.level_for("192.0.2.1", now) for now in (0.0, 1.0, 61.0)]
    assert levels == [logging.INFO, logging.DEBUG, logging.INFO]
