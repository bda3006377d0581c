"""Columns, sizes and times for a terminal."""

import pytest

from sylk.cli.table import size, span, table, width_of


def test_columns_are_as_wide_as_what_is_in_them() -> None:
    text = table(["name", "count"], [["a", "1"], ["longer", "1000"]], right=[1])
    assert text.splitlines() == ["name    count", "a           1", "longer   1000"]


def test_what_is_wide_or_combines_does_not_push_columns_apart() -> None:
    text = table(["n", "c"], [["日本", "1"], ["e\u0301", "2"]])
    assert text.splitlines()[1:] == ["日本  1", "e\u0301     2"]
    assert width_of("日本") == 4


def test_nothing_from_a_peer_drives_the_terminal() -> None:
    assert "\x1b" not in table(["subject"], [["\x1b[2J\n"]])


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 * 1024**3, "5.0 GiB"), (2**41, "2.0 TiB")],
)
def test_sizes(count: float, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (61, "1 min 1 s"), (3600, "1 h 0 min"), (86400 * 3 + 7200, "3 d 2 h")],
)
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text
