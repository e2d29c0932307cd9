"""The curve of a run, thinned while it is read: what a view draws stays small however long the run is."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

MOST = 300  # points of one line that are drawn
PLACES = ("kind", "epoch", "step", "time", "learning_rate")


def is_number(value: Any) -> bool:
    """Whether a page can draw it. A copied run may hold NaN, infinities, and integers beyond all floats."""
    return isinstance(value, (int, float)) and abs(value) <= sys.float_info.max


class Line:
    """Points in the order of their epochs. Past 2 * MOST every other one is forgotten, the last one never."""

    def __init__(self) -> None:
        self._x: list[float] = []
        self._y: list[float] = []
        self._last: tuple[float, float] | None = None
        self._stride, self._skipped = 1, 0

    def add(self, x: float, y: float) -> None:
        """Append a point; a resumed run may have gone back, and then goes over the later ones again."""
        while self._x and self._x[-1] >= x:
            self._x.pop()
            self._y.pop()
        self._last = (x, y)
        self._skipped += 1
        if self._skipped < self._stride:
            return
        self._skipped = 0
        self._x.append(x)
        self._y.append(y)
        if len(self._x) >= 2 * MOST:
            self._x, self._y = self._x[::2], self._y[::2]
            self._stride *= 2

    def drawn(self) -> list[list[float]]:
        """[x …], [y …] in five digits, at most MOST and the last point."""
        every = -(-len(self._x) // MOST) or 1
        points = list(zip(self._x[::every], self._y[::every], strict=True))
        if self._last and (not points or points[-1] != self._last):
            points.append(self._last)
        return [[float(f"{x:.6g}") for x, _ in points], [float(f"{y:.5g}") for _, y in points]]


class Curve:
    """Lines of history.jsonl -> {metric: {"train": [x, y], "validation": [x, y]}}, x in epochs."""

    def __init__(self) -> None:
        self._lines: dict[str, dict[str, Line]] = {}

    def add(self, lines: Iterable[dict[str, Any]]) -> None:
        """Take lines of history.jsonl."""
        for line in lines:
            for name, value in line.items():
                if name in PLACES or not is_number(value) or not is_number(line["epoch"]):
                    continue
                part = "validation" if name.startswith("val_") else "train"
                metric = self._lines.setdefault(name.removeprefix("val_"), {})
                metric.setdefault(part, Line()).add(line["epoch"], value)

    def drawn(self) -> dict[str, dict[str, list[list[float]]]]:
        """What a chart needs; the loss first, whatever stood first in the file."""
        names = sorted(self._lines, key=lambda name: name != "loss")
        return {name: {part: one.drawn() for part, one in self._lines[name].items()} for name in names}
