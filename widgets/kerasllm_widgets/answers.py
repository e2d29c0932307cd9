"""Answer with a run's model, in a worker: questions are lines of JSON on stdin, answers lines on stdout.

{"rows": […]}, {"picture": BASE64} or {"prompt": TEXT, "options": {…}} -> {"answers": […]}, or of a language model
{"piece": TEXT} … {"end": true}; {"problem": {"en": LINE, "zh": LINE}} where it is the question's fault. Each carries
the question's `id`. A newer question ends the answer to an older one, and whoever asked that is told
{"superseded": true}.
"""

from __future__ import annotations

import base64
import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from kerasllm import session
from kerasllm.errors import InputError
from kerasllm.run import Run
from kerasllm.training import answer, checkpoint
from kerasllm_widgets.form import told

IDLE = 1800  # seconds without a question; the playground starts another process with the next one
MOST_FLIPS = 100  # rows told

SUPERSEDED = {"superseded": True}

Question = dict[str, Any]


def serve(path: str) -> None:
    """Answer until stdin ends."""
    out = _quiet()
    asked: queue.Queue[Question | None] = queue.Queue()
    threading.Thread(target=_listen, args=(asked,), daemon=True).start()
    model = Latest(Run(Path(path)))
    while questions := _waiting(asked):
        *older, question = questions
        for one in older:
            _say(out, {"id": one["id"], **SUPERSEDED})
        try:
            for part in _answered(model, question, asked.empty):
                _say(out, {"id": question["id"], **part})
        except InputError as error:
            _say(out, {"id": question["id"], "problem": told(error)})


class Latest:
    """A run with the newest of its models: the checkpoint while it trains, the finished one afterwards."""

    def __init__(self, run: Run):
        self.run = run
        self._age = 0.0
        self.source = ""

    def load(self) -> Run:
        """Load the model again where there is a newer one."""
        files = {"model": self.run.path / "model.keras", "checkpoint": checkpoint.path(self.run.path)}
        ages = {name: file.stat().st_mtime for name, file in files.items() if file.exists()}
        # A stop writes both, the model last; at a tie it is the model.
        newest = max(ages, key=lambda name: (ages[name], name == "model"), default="checkpoint")
        age = ages.get(newest, 0.0)
        if not ages or age != self._age or newest != self.source:
            load = answer.load_checkpoint if newest == "checkpoint" else answer.load_model
            self.run.model = load(self.run)  # where Run.predict looks for it
            self._age, self.source = age, newest
        return self.run


def _answered(model: Latest, question: Question, is_newest: Callable[[], bool]) -> Iterator[dict[str, Any]]:
    run = model.load()
    if "prompt" in question:
        for piece in run.generate(question["prompt"], **question["options"]):
            if not is_newest():
                yield SUPERSEDED
                return
            yield {"piece": piece}
        yield {"end": True, "source": model.source}
        return
    rows = [base64.b64decode(question["picture"])] if "picture" in question else question["rows"]
    yield {"answers": run.predict(rows), "source": model.source}


def flips(paths: list[str]) -> None:
    """Answer the first run's held-out rows with every run, and tell those that the runs disagree on."""
    out = _quiet()
    runs = [Run(Path(path)) for path in paths]
    try:
        session.same_data(runs[0])
        data = runs[0].recipe.read()
        held = data.test or data.validation
        if not held:
            raise InputError(f"{runs[0].name} held no rows out to compare on", f"{runs[0].name} 没有留出可供比较的行")
        verdicts = []
        for run in runs:
            answers = run.predict(held.features)
            if answers and "label" not in answers[0]:
                raise InputError(
                    f"{run.name} predicts no classes; verdicts are of classifiers",
                    f"{run.name} 不预测类别；只有分类器才有判断",
                )
            verdicts.append([one["label"] for one in answers])
    except InputError as error:
        _say(out, {"problem": told(error)})
        return
    together = list(zip(*verdicts, strict=True))
    rows = [place for place, row in enumerate(together) if len(set(row)) > 1]
    found = [
        {"row": _row(held.features, place), "truth": str(held.truth[place]), "answers": together[place]}
        for place in rows[:MOST_FLIPS]
    ]
    _say(out, {"flips": found, "count": len(rows), "rows": len(held)})


def _row(features: Any, place: int) -> str:
    """A row in words."""
    if isinstance(features, dict):
        return ", ".join(f"{name} {cells[place]}" for name, cells in features.items())
    return str(features[place])


def _waiting(asked: queue.Queue[Question | None]) -> list[Question]:
    """The questions that wait, the newest last; none at the end, or after a long time without one."""
    questions: list[Question] = []
    with suppress(queue.Empty):
        while question := asked.get(timeout=0 if questions else IDLE):
            questions.append(question)
        return []  # stdin has ended
    return questions


def _listen(asked: queue.Queue[Question | None]) -> None:
    for line in sys.stdin:
        asked.put(json.loads(line))
    asked.put(None)


def _quiet() -> TextIO:
    """The real stdout for answers alone; whatever else is printed goes to stderr."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return out


def _say(out: TextIO, content: dict[str, Any]) -> None:
    out.write(json.dumps(content, ensure_ascii=False) + "\n")
    out.flush()
