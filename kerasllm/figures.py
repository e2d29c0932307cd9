"""Figures from a run's history, truth and answers, as matplotlib figures that no window is needed for."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from kerasllm.errors import needs

with needs("train"):
    import matplotlib
    from matplotlib import font_manager
    from matplotlib.figure import Figure

TRAIN, VALIDATION = "#0072B2", "#D55E00"  # Okabe and Ito's blue and vermilion: told apart by everyone
MOST_CLASSES = 30  # whose names are written along a confusion matrix


@contextmanager
def _style() -> Iterator[None]:
    """Fonts with Chinese glyphs, for the time of one drawing; the user's own settings are left as they were."""
    package = importlib.util.find_spec("zhplot")  # found, not imported: only its font file is wanted
    families = ["DejaVu Sans"]
    if package and package.submodule_search_locations:
        file = Path(package.submodule_search_locations[0]) / "fonts" / "NotoSansSC-Regular.ttf"
        families.append(font_manager.FontProperties(fname=file).get_name())
        if not any(font.fname == str(file) for font in font_manager.fontManager.ttflist):
            font_manager.fontManager.addfont(file)
    with matplotlib.rc_context({"font.family": families, "axes.unicode_minus": False, "text.parse_math": False}):
        yield


def _figure(width: float = 6.4, height: float = 4.0) -> tuple[Figure, Any]:
    figure = Figure((width, height), dpi=100, layout="constrained")
    return figure, figure.subplots()


def save(figure: Figure, path: Path) -> None:
    """Write a PNG; the fonts are looked up while it is drawn."""
    with _style():
        figure.savefig(path, format="png")


def curve(history: Sequence[dict[str, Any]], metric: str = "loss") -> Figure:
    """One metric over the epochs, of training and (dashed) of validation rows."""
    figure, axes = _figure()
    for name, colour, line in ((metric, TRAIN, "-"), (f"val_{metric}", VALIDATION, "--")):
        points = [(row["epoch"], row[name]) for row in history if row.get(name) is not None]
        if points:
            label = "validation" if name.startswith("val_") else "training"
            axes.plot(
                *zip(*points, strict=True),
                line,
                color=colour,
                label=label,
                marker="o" if len(points) < 3 else "",
            )
    axes.set(xlabel="epoch", ylabel=metric)
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def confusion_matrix(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> Figure:
    """True classes down, answered classes across; shades are shares of the true class."""
    counts = np.asarray(matrix)
    with _style():
        side = min(12.0, 3.0 + 0.35 * len(names))
        figure, axes = _figure(side + 1, side)
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        if len(names) <= MOST_CLASSES:
            axes.set_xticks(range(len(names)), names, rotation=60, ha="right")
            axes.set_yticks(range(len(names)), names)
            for (row, column), count in np.ndenumerate(counts):
                if count:
                    shade = "white" if shares[row, column] > 0.5 else "black"
                    axes.text(column, row, str(count), ha="center", va="center", color=shade, fontsize=8)
        axes.set(xlabel="answered", ylabel="true")
    return figure


def predicted_against_true(truth: Sequence[float], answers: Sequence[float], name: str) -> Figure:
    """Each row a point; right answers lie on the line."""
    with _style():
        figure, axes = _figure(5.0, 5.0)
        axes.scatter(truth, answers, s=9, alpha=0.5, color=TRAIN, linewidths=0)
        ends = [min(min(truth), min(answers)), max(max(truth), max(answers))]
        axes.plot(ends, ends, color="black", linewidth=1)
        axes.set(xlabel=f"true {name}", ylabel=f"predicted {name}")
        axes.grid(alpha=0.3)
    return figure
