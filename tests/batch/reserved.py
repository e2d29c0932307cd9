"""Batches whose runs are reserved and not begun."""

from __future__ import annotations

from kerasllm import batch
from kerasllm.batch.folder import Batch

LINE = {"data": "sample:line", "epochs": "2"}


def made(points: list[batch.Point], seeds: int = 1, source: str = "linear_regression", name: str = "") -> Batch:
    """A batch with its runs reserved."""
    found = batch.Source(source)
    many = batch.open_batch(found, points, seeds, name=name)
    with many.held():
        batch.reserve_runs(many, found)
    return many
