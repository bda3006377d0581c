"""The page of speed, its plots and the README say what the figures beside them say."""

import pytest

from benchmarks.curves import Plot, plots
from benchmarks.page import FIGURES, FOLDER, PAGE, README, render
from benchmarks.readme_part import with_part
from benchmarks.report import Report

REPORT = Report.read(FIGURES)
PLOTS = [plot for drawn in plots(REPORT).values() for plot in drawn]

how_to = "make speed-page FIGURES=docs/speed/figures.json"


def test_the_page_is_what_the_figures_render_to() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(REPORT), how_to


def test_the_readme_has_the_same_figures() -> None:
    readme = README.read_text(encoding="utf-8")
    assert readme == with_part(readme, REPORT), how_to


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.name)
def test_a_plot_was_drawn_from_the_figures(plot: Plot) -> None:
    drawn = (FOLDER / f"{plot.name}.svg").read_text(encoding="utf-8")
    assert plot.digest() in drawn, how_to


def test_no_plot_is_left_of_an_older_run() -> None:
    assert {path.stem for path in FOLDER.glob("*.svg")} == {plot.name for plot in PLOTS}
