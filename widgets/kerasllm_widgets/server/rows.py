"""Rows: the runs of a folder as the sidebar shows them, read again only where a file has changed."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kerasllm.errors import InputError, in_one_line
from kerasllm.run import Run, files
from kerasllm.run.folder import LIVE
from kerasllm.run.process import is_stalled
from kerasllm.run.watch import Tail
from kerasllm_widgets.curve import Line, is_number
from kerasllm_widgets.server import paths
from kerasllm_widgets.server.queue import RESTING

POINTS = 40  # of a sparkline
FILES = ("status.json", "history.jsonl", "scores.json", "notebook.ipynb", "stop")
ODD = (InputError, ValueError, KeyError, TypeError, AttributeError)  # what strangers' files hold raises
WORDS = ("phase", "message", "message_zh")  # of the status
NUMBERS = ("epoch", "epochs", "step", "steps", "eta")
UNTOLD: dict[str, Any] = {**dict.fromkeys(WORDS, ""), **dict.fromkeys(NUMBERS)}
LIVING = (*LIVE, "stalled")  # looked at again though no file has changed


@contextmanager
def readable(run: Run) -> Iterator[None]:
    """Tell in one line why a run's files cannot be read."""
    try:
        yield
    except InputError:
        raise
    except (*ODD, OSError) as error:
        reason = in_one_line(error)
        raise InputError(f"{run.name} cannot be read: {reason}", f"{run.name} 无法读取：{reason}") from error


def seen(run: Run) -> dict[str, Any]:
    """State, phase, message and numbers as the run's folder tells them; a process that is silent has stalled.

    `written` is when its status was last written, where nobody works on it.
    """
    written = files.changed(run.path / "status.json")
    status, state = run.status, run.state
    has_process = state in ("running", "stopping")
    return {
        "state": "stalled" if has_process and is_stalled(status) else state,
        "written": None if has_process else written,
        **{name: str(status.get(name, "")) for name in WORDS},
        **{name: _number(status.get(name)) for name in NUMBERS},
    }


def waiting(found: dict[str, Any]) -> dict[str, Any]:
    """What is seen of a run that waits for its turn, or starts: its folder tells of the session before."""
    return {**found, **UNTOLD, "state": "queued"} if found["state"] in RESTING else found


class Rows:
    """A hundred runs cost some stats a second; only the living ones are looked at more closely."""

    def __init__(self, root: Path, runs: Path):
        self._root, self._runs = root, runs
        self._known: dict[tuple[str, int], _Row] = {}
        self._lock = threading.Lock()

    def read(self) -> list[dict[str, Any]]:
        """What the sidebar shows of each run, the newest first."""
        with self._lock:
            try:
                folders = [entry for entry in os.scandir(self._runs) if entry.is_dir(follow_symlinks=False)]
            except FileNotFoundError:
                folders = []
            # A run that was deleted and made anew under its name is another one.
            keys = [(entry.name, files.changed(Path(entry.path, "run.json"))) for entry in folders]
            self._known = {
                (name, made): self._known.get((name, made)) or _Row(self._root, self._runs / name)
                for name, made in keys
                if made and not name.startswith(".")
            }
            shown = [row for known in self._known.values() if (row := known.read())]
        return sorted(shown, key=lambda row: (row["created"], row["name"]), reverse=True)


class _Row:
    def __init__(self, root: Path, path: Path):
        self._root, self._run = root, Run(path)
        self._mark: tuple[int, ...] = ()
        self._shown: dict[str, Any] | None = None
        self._begin()

    def read(self) -> dict[str, Any] | None:
        """None for a folder that holds no run; one that cannot be read is shown with the reason."""
        mark = tuple(files.changed(self._run.path / name) for name in FILES)
        if mark == self._mark and not (self._shown and self._shown["state"] in LIVING):
            return self._shown
        self._mark = mark
        try:
            asked = self._run.asked
        except (InputError, OSError):  # a stranger's run.json
            return None
        try:
            with readable(self._run):
                self._shown = self._look(asked)
        except InputError as error:
            self._begin()
            self._shown = self._row(asked, state="unreadable", message=str(error), message_zh=error.zh)
        return self._shown

    def _begin(self) -> None:
        """Read the curve from its start."""
        self._tail = Tail(self._run.path / "history.jsonl")
        self._epochs, self._steps = Line(), Line()

    def _look(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        run = self._run
        told, scores = seen(run), run.scores
        for line in self._tail.read():
            if is_number(line.get("loss")) and is_number(line["epoch"]):
                (self._epochs if line["kind"] == "epoch" else self._steps).add(line["epoch"], line["loss"])
        main = scores.get("main", "")
        value = _number(scores.get(main))
        return self._row(
            asked,
            **told,
            score={"name": main, "value": value, "split": scores["split"]} if value is not None else None,
            curve=_thinned(self._losses()),
        )

    def _losses(self) -> list[float]:
        """After each epoch; until there are two, after some steps."""
        epochs = self._epochs.drawn()[1]
        return epochs if len(epochs) > 1 else self._steps.drawn()[1]

    def _row(self, asked: Mapping[str, Any], **found: Any) -> dict[str, Any]:
        return {
            "name": self._run.name,
            "recipe": asked["recipe"],
            "created": asked["created"],
            **UNTOLD,
            "written": None,
            "score": None,
            "curve": [],
            "replayable": asked.get("replayable", False),
            "notebook": paths.relative(self._root, self._run.path / "notebook.ipynb"),
            **found,
        }


def _number(value: Any) -> float | None:
    """A page draws numbers and nothing else."""
    return value if is_number(value) else None


def _thinned(values: list[float]) -> list[float]:
    """At most POINTS of them, the first and the last included."""
    if len(values) <= POINTS:
        return values
    return [values[round(place * (len(values) - 1) / (POINTS - 1))] for place in range(POINTS)]
