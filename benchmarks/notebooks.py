"""What a run costs as a papermill notebook, beside the same run without one, once workers are warm.

    python -m benchmarks.notebooks [POINTS] [ROUNDS]

Batches of POINTS seeds of linear_regression by one worker, plain and as notebooks taking turns. A run's seconds are
those between two ends of the worker's runs; the first run of each batch, which warms the worker, is left out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.batch import between_ends
from kerasllm.batch.folder import Batch
from kerasllm.notebook import template

RECIPE = "linear_regression"
PARAMETERS = {"data": "sample:diabetes", "epochs": "20"}


def main(points: int = 8, rounds: int = 2) -> None:
    """Run the batches, and print a line of JSON."""
    folder = Path(tempfile.mkdtemp())
    seconds: dict[str, list[float]] = {"plain": [], "notebook": []}
    weights: dict[str, set[str]] = {"plain": set(), "notebook": set()}
    for number in range(rounds):
        for kind, source in (("plain", RECIPE), ("notebook", str(template(RECIPE)))):
            words = ["batch", source, "--seeds", str(points), "--workers", "1", "--name", f"{kind}-{number}"]
            words += [word for pair in PARAMETERS.items() for word in ("-p", *pair)]
            subprocess.run(
                [sys.executable, "-m", "kerasllm", *words, "--runs", str(folder)], check=True, stdout=subprocess.DEVNULL
            )
            runs = Batch(folder / "batches" / f"{kind}-{number}").runs
            seconds[kind] += between_ends([(0, run.status["heartbeat"]) for run in runs])
            weights[kind] |= {run.report["weights"] for run in runs}
    found: dict[str, Any] = {kind: round(median(each), 2) for kind, each in seconds.items()}
    found |= {
        "overhead": round(median(seconds["notebook"]) - median(seconds["plain"]), 2),
        "runs": {kind: len(each) for kind, each in seconds.items()},
        "slowest": {kind: round(max(each), 2) for kind, each in seconds.items()},
        "same_weights": weights["plain"] == weights["notebook"],
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
