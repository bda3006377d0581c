"""Draws plots as SVG, by matplotlib, which is in a dependency group of its own.

The same figures give the same file: no date, no names made by chance, and text that stays text.
"""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from benchmarks.curves import Plot

_SIZE = (7.0, 4.2)
"""Inches."""
_MARKERS = "osD^vPX*"


def draw(plot: Plot, path: Path) -> None:
    """Write one plot to a file."""
    with mpl.rc_context({"svg.hashsalt": "sylk", "svg.fonttype": "none", "font.size": 10}):
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.add_subplot()
        for number, (name, points) in enumerate(plot.curves.items()):
            marker = _MARKERS[number % len(_MARKERS)]
            axes.plot(*zip(*points, strict=True), marker=marker, markersize=5, label=name)
        axes.set(title=plot.title, xlabel=plot.x, ylabel=plot.y, xscale="log", yscale="log")
        axes.set_xticks(sorted({x for points in plot.curves.values() for x, _ in points}))
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
            axis.set_minor_formatter(NullFormatter())
        axes.grid(visible=True, which="both", linewidth=0.4, alpha=0.5)
        axes.legend(fontsize=9)
        metadata = {"Date": None, "Creator": None, "Description": plot.digest()}
        figure.savefig(path, format="svg", metadata=metadata)
