"""Watch a run: one path for the command line's progress, `kerasllm watch` and, later, every panel."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from kerasllm.run.folder import Run

LOOK = 0.25  # seconds between two looks


def watch(run: Run, interval: float = LOOK) -> Iterator[dict[str, Any]]:
    """Yield {"state", "status", "epochs"} (epochs: those finished since the last look) until the run ends."""
    seen = 0
    while True:
        state, status = run.state, run.status
        epochs = run.epochs
        seen = min(seen, len(epochs))  # a resume cuts the curve back
        yield {"state": state, "status": status, "epochs": epochs[seen:]}
        seen = len(epochs)
        if state not in ("queued", "running", "stopping"):
            return
        time.sleep(interval)
