"""Results keep their form on the way through a file, and a failure loses nothing."""

from pathlib import Path

import pytest

from benchmarks.report import Report, Section, figure_text, reason_of


def a_section(rate: float) -> Section:
    section = Section("fan-out", ["One talker."])
    section.add("10 listeners", {"deliveries/s": rate, "listeners": 10})
    section.add("bare loop", {"deliveries/s": "-"})
    return section


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    report = Report.here(quick=True)
    report.add(a_section(123.456789))
    report.fail("large", "no answer within 120 s")
    path = tmp_path / "figures.json"
    path.write_text(report.as_json(), encoding="utf-8")
    assert Report.read(path) == report
    assert report.environment["run"] == "quick"


def test_a_figure_is_kept_with_the_digits_that_mean_something() -> None:
    assert a_section(123.456789).measurements[0].figures["deliveries/s"] == 123.46


def test_a_benchmark_that_is_run_again_takes_the_place_of_its_failure_and_of_its_older_self() -> (
    None
):
    report = Report({})
    report.add(a_section(1.0))
    report.add(Section("large", []))
    report.fail("fan-out", "the room does not become quiet")
    assert report.section("fan-out") is not None, "what was measured before stays"
    report.add(a_section(2.0))
    assert not report.failures
    assert [section.name for section in report.sections] == ["fan-out", "large"]
    found = report.section("fan-out")
    assert found is not None
    assert found.measurements[0].figures["deliveries/s"] == 2.0


def test_a_table_has_every_column_in_every_row() -> None:
    assert a_section(1234.5).table() == [
        ["", "deliveries/s", "listeners"],
        ["10 listeners", "1,234", "10"],
        ["bare loop", "-", "-"],
    ]


def test_a_figure_has_as_many_digits_as_one_wants_to_read() -> None:
    written = [figure_text(figure) for figure in (1234567, 123.4, 12.34, 1.234, "-")]
    assert written == ["1,234,567", "123", "12.3", "1.23", "-"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("the server did not start:\nport in use\n", "the server did not start"),
        (
            "Traceback (most recent call last):\n  ...\nLoadError: no answer\n",
            "LoadError: no answer",
        ),
        ("", "ValueError"),
    ],
)
def test_why_something_failed_is_told_in_one_line(text: str, reason: str) -> None:
    assert reason_of(ValueError(text)) == reason
