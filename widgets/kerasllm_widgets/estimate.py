"""How long a training will take, from a short try: the same training, begun in a temporary folder and stopped."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from typing import Any

from kerasllm.errors import InputError
from kerasllm.recipe import Recipe
from kerasllm.run import Run, create
from kerasllm.run.folder import ENDED
from kerasllm.run.watch import Tail
from kerasllm_widgets import children

TRY = 2.0  # seconds of training that are watched, after the first steps
LONGEST = 180.0  # seconds until it gives up
LOOK = 0.1


def estimate(recipe: Recipe, is_wanted: Callable[[], bool] = lambda: True) -> dict[str, Any]:
    """{"seconds", "steps"} that the whole training will take; data that cannot be used raises InputError.

    {} once it is no longer wanted: the try ends then.
    """
    folder = tempfile.mkdtemp(prefix="kerasllm-")
    run = create(recipe.anchored(), folder, "estimate", "panel")
    worker = children.take() or children.Worker()
    try:
        # A worker's, never a process that would train on to the end if this one vanished.
        worker.give(do="try", run=str(run.path), folder=folder)
        lines = _watched(run, worker, is_wanted)
        if not is_wanted():
            return {}
        status = run.status
        if status["state"] == "failed":
            message = status.get("message", "")
            raise InputError(message or "the try failed", status.get("message_zh") or message or "试跑失败")
        return {"seconds": _seconds(lines, status), "steps": status.get("steps", 0)}
    finally:
        worker.dismiss()  # it stops the try and removes the folder


def _watched(run: Run, worker: children.Worker, is_wanted: Callable[[], bool]) -> list[dict[str, Any]]:
    """The lines of the curve, until they tell enough or are no longer wanted."""
    tail, lines = Tail(run.path / "history.jsonl"), []
    end = time.monotonic() + LONGEST
    while is_wanted():
        ended = run.state in ENDED
        lines += tail.read()
        if ended or (len(lines) > 1 and lines[-1]["time"] - lines[0]["time"] >= TRY):
            break
        if worker.process.poll() is not None:
            raise InputError("the process of the try ended; try again", "试跑的进程已结束；请再试一次")
        if time.monotonic() >= end:
            raise InputError(
                f"no step was done in {LONGEST:.0f} s; this training will be long",
                f"{LONGEST:.0f} 秒内没有完成一步；这次训练会很久",
            )
        time.sleep(LOOK)
    return lines


def _seconds(lines: list[dict[str, Any]], status: dict[str, Any]) -> float:
    """What came before the first line, and the steps after it at the pace of the lines. Scoring comes on top."""
    if status["state"] == "completed" or len(lines) < 2:
        return float(status["heartbeat"] - status["started"])
    first, last = lines[0], lines[-1]
    pace = (last["time"] - first["time"]) / max(1, last["step"] - first["step"])
    return float(first["time"] - status["started"] + (status["steps"] - first["step"]) * pace)
