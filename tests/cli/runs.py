"""Runs whose files are written by hand, without a training."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.run import Run, create, files


def a_run(name: str = "", folder: Path | None = None, **parameters: Any) -> Run:
    return create(LinearRegression(**{"data": "sample:line", **parameters}), folder, name)


def write_status(run: Run, **status: Any) -> None:
    files.replace_json(run.path / "status.json", {"heartbeat": time.time(), **status})


def add_epoch(run: Run, epoch: int, **more: Any) -> None:
    line = {"kind": "epoch", "epoch": epoch, "step": epoch, "time": time.time(), "loss": 1 / epoch, **more}
    files.append_line(run.path / "history.jsonl", line)
