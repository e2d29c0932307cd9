"""Batches of trivial notebooks: are any lost, are any falsely completed, and what does papermill cost a run?

    python -m benchmarks.batch [COUNT] [WORKERS]

COUNT notebooks of one's own, every tenth of which fails by design. The cost is the time between two ends of a warm
worker's runs, less what the cells themselves took, beside papermill alone in one process.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import nbformat

from kerasllm.batch.folder import Batch

ALONE = 5  # notebooks by papermill alone
CELLS = ("assert number % 10 != 7, 'as designed'", "open(f'{number}.end', 'x').close()")


def main(count: int = 200, workers: int = 2) -> None:
    """Run the batch, and print a line of JSON."""
    folder = Path(tempfile.mkdtemp())
    new = nbformat.v4
    first = new.new_code_cell("number: int = 0", metadata={"tags": ["parameters"]})
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    book = new.new_notebook(cells=[first, *map(new.new_code_cell, CELLS)], metadata=kernel)
    nbformat.write(book, folder / "trivial.ipynb")
    alone = [_alone(folder) for _ in range(ALONE)]
    for end in folder.glob("*.end"):
        end.unlink()
    grid = "number=" + ",".join(map(str, range(count)))
    words = ["batch", str(folder / "trivial.ipynb"), "--grid", grid, "--workers", str(workers), "--name", "trivial"]
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "kerasllm", *words, "--runs", str(folder / "runs")], stdout=subprocess.DEVNULL
    )
    seconds = time.monotonic() - began
    runs = Batch(folder / "runs" / "batches" / "trivial").runs
    states = {run.asked["parameters"]["number"]: run.state for run in runs}
    ended = {int(end.stem) for end in folder.glob("*.end")}
    said = {number for number, state in states.items() if state == "completed"}
    designed = {number for number in range(count) if number % 10 != 7}
    costs = between_ends([(run.status["pid"], run.status["heartbeat"]) for run in runs])
    found: dict[str, Any] = {
        "notebooks": count,
        "workers": workers,
        "seconds": round(seconds, 1),
        "completed": len(said),
        "lost": len(designed - said) + count - len(states),
        "falsely_completed": len(said - ended),
        "executed_twice": sum(len(run.sessions) > 1 for run in runs),
        "seconds_per_warm_run": round(median(costs), 2),
        "papermill_alone": round(median(alone), 2),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
    }
    print(json.dumps(found))


def _alone(folder: Path) -> float:
    """Seconds of papermill for one notebook, in a process that has imported it."""
    code = (
        "import papermill, time; began = time.monotonic()\n"
        "papermill.execute_notebook('trivial.ipynb', 'out.ipynb', {'number': -1}, progress_bar=False)\n"
        "print(time.monotonic() - began)"
    )
    (folder / "-1.end").unlink(missing_ok=True)
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, text=True, capture_output=True, check=True)
    return float(done.stdout.split()[-1])


def between_ends(ends: Sequence[tuple[int, float]]) -> list[float]:
    """Seconds between the ends of two runs of one worker, which is all that a run takes; `ends` are (worker, time)."""
    by_worker: dict[int, list[float]] = {}
    for worker, end in ends:
        by_worker.setdefault(worker, []).append(end)
    return [later - before for times in by_worker.values() for before, later in itertools.pairwise(sorted(times))]


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
