"""Curves: of the runs that views look at, thinned and read on from where they were left."""

from __future__ import annotations

import threading

from kerasllm.run import Run
from kerasllm.run.watch import Tail
from kerasllm_widgets.curve import Curve

KEPT = 32  # runs; one that is looked at again after so many others is read from its start


class Curves:
    """A curve of 100,000 epochs is 20 MB to read once, and a few lines a second after that."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, float], tuple[Tail, Curve]] = {}
        self._lock = threading.Lock()

    def drawn(self, run: Run) -> dict[str, dict[str, list[list[float]]]]:
        """What a chart needs: {metric: {"train": [x, y], "validation": [x, y]}}, x in epochs."""
        # A run that was deleted and made anew under its name is another one.
        key = str(run.path), run.asked["created"]
        with self._lock:
            is_known = key in self._known
            tail, curve = self._known.pop(key) if is_known else (Tail(run.path / "history.jsonl"), Curve())
            curve.add(tail.read())
            self._known[key] = tail, curve  # the last one looked at is the last to be forgotten; an odd one at once
            while len(self._known) > KEPT:
                del self._known[next(iter(self._known))]
            return curve.drawn()
