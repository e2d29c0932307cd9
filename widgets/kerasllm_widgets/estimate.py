"""How long a training will take, from a short try: the same training, begun in a folder of its own and stopped."""

from __future__ import annotations

import subprocess
import tempfile
import time
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


def estimate(recipe: Recipe) -> dict[str, Any]:
    """{"seconds", "steps"} that the whole training will take; data that cannot be used raises InputError."""
    with tempfile.TemporaryDirectory(prefix="kerasllm-", ignore_cleanup_errors=True) as folder:
        run = create(recipe.anchored(), folder, "estimate", "panel")
        process = children.train(run)
        try:
            lines = _watched(run)
            status = run.status
        finally:
            (run.path / "stop").touch()
            try:
                process.wait(LONGEST)
            except subprocess.TimeoutExpired:
                process.kill()
        if run.state == "failed":
            raise InputError(run.status.get("message", "the try failed"))
        return {"seconds": _seconds(lines, status), "steps": status.get("steps", 0)}


def _watched(run: Run) -> list[dict[str, Any]]:
    """The lines of the curve, until they tell enough."""
    tail, lines = Tail(run.path / "history.jsonl"), []
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        ended = run.state in (*ENDED, "gone")
        lines += tail.read()
        if ended or (len(lines) > 1 and lines[-1]["time"] - lines[0]["time"] >= TRY):
            return lines
        time.sleep(LOOK)
    raise InputError(f"no step was done in {LONGEST:.0f} s; this training will be long")


def _seconds(lines: list[dict[str, Any]], status: dict[str, Any]) -> float:
    """What came before the first line, and the steps after it at the pace of the lines. Scoring comes on top."""
    if status["state"] == "completed" or len(lines) < 2:
        return float(status["heartbeat"] - status["started"])
    first, last = lines[0], lines[-1]
    pace = (last["time"] - first["time"]) / max(1, last["step"] - first["step"])
    return float(first["time"] - status["started"] + (status["steps"] - first["step"]) * pace)
