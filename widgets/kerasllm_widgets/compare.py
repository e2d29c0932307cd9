"""Compare: runs side by side, with the parameters that differ, curves, scores, and the verdicts that flipped."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from kerasllm.errors import InputError
from kerasllm.run import Run, differing, open_run
from kerasllm_widgets import cells, children
from kerasllm_widgets.bundle import module, styles
from kerasllm_widgets.curve import Curve
from kerasllm_widgets.still import Still, number, said, wrapped

MOST = 8  # runs; more lines cannot be told apart
NOT_SCORES = ("main", "split")


class Compare(anywidget.AnyWidget):
    """Runs side by side, as they stand when the cell is run."""

    _esm = module("compare.js")
    _css = styles()
    runs: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    parameters = traitlets.Dict().tag(sync=True)  # those that differ: a value per run
    scores = traitlets.Dict().tag(sync=True)  # of the main split: a value per run
    flips = traitlets.Dict().tag(sync=True)  # when asked for
    language = traitlets.Unicode("en").tag(sync=True)
    _worker: children.Worker | None = None

    def __init__(self, *runs: Run | str | Path, folder: str | Path | None = None):
        """Two to eight runs, or their paths, names or beginnings of names; `folder` is the folder of runs."""
        super().__init__()
        if not 2 <= len(runs) <= MOST:
            raise InputError(
                f"compare 2 to {MOST} runs, not {len(runs)}", f"比较 2 到 {MOST} 次运行，而不是 {len(runs)} 次"
            )
        self._runs = [run if isinstance(run, Run) else open_run(run, folder) for run in runs]
        self.still = Still(self._kept)
        self.runs = [_drawn(run) for run in self._runs]
        self.parameters = differing(self._runs)
        scores = [run.scores for run in self._runs]
        names = dict.fromkeys(name for one in scores for name in one if name not in NOT_SCORES)
        self.scores = {name: [one.get(name) for one in scores] for name in names}
        self.on_msg(self._receive)
        self.observe(lambda _: self.still.update(), "language")  # it comes after the first display

    def _ipython_display_(self) -> None:
        self.still.display(self)

    def close(self) -> None:
        """End the process that compares."""
        if self._worker:
            self._worker.process.terminate()
        super().close()

    def _receive(self, _: Any, content: dict[str, Any], buffers: Any) -> None:
        """A click: {"do": "flips"}."""
        if self.flips.get("state") == "asked":
            return
        self.flips = {"state": "asked"}
        self._worker = children.take() or children.Worker()
        cells.in_thread("flips", self._flips, self._worker)

    def _flips(self, worker: children.Worker) -> None:
        """Ask a worker, which has Keras, for the rows that the runs disagree on."""
        worker.imported.wait(120)
        worker.give(do="flips", runs=[str(run.path) for run in self._runs])
        assert worker.process.stdout
        line = worker.process.stdout.readline()
        worker.dismiss()
        if line.endswith("\n"):  # not killed, before or while it wrote
            self.flips = json.loads(line)
        else:
            self.flips = {"problem": children.lost(self._runs[0], worker.process.wait())}

    def _kept(self) -> str:
        names = "".join(f'<th scope="col">{escape(run.name)}</th>' for run in self._runs)
        rows = "".join(
            f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{number(value)}</td>" for value in values)}</tr>'
            for name, values in {**self.parameters, **self.scores}.items()
        )
        states = "".join(f"<td>{said(run.state, self.language)}</td>" for run in self._runs)
        head = f"<thead><tr><td></td>{names}</tr></thead>"
        return wrapped(f"<table>{head}<tbody><tr><td></td>{states}</tr>{rows}</tbody></table>", self.language)


def _drawn(run: Run) -> dict[str, Any]:
    curve = Curve()
    curve.add(run.epochs)
    return {"name": run.name, "state": run.state, "main": run.scores.get("main", ""), "curve": curve.drawn()}
