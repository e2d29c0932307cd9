"""Many runs: a grid or a table of parameters, times seeds, through a small pool of long-lived processes.

batches/NAME/batch.json   the points and their runs              written once, when all are checked and reserved
batches/NAME/table.csv    a row per run: parameters and scores   replaced at the end
batches/NAME/table.html   the same with curves, in one file      replaced at the end
batches/NAME/worker-N.log what a worker's process printed        appended

A point is a usual run beside all others. The batch only remembers which runs are its own.
"""

from kerasllm.batch.folder import Batch, open_batch, reserve_runs
from kerasllm.batch.page import write
from kerasllm.batch.points import Point, Source, from_grid, from_table
from kerasllm.batch.results import results
from kerasllm.batch.work import work

__all__ = [
    "Batch",
    "Point",
    "Source",
    "from_grid",
    "from_table",
    "open_batch",
    "reserve_runs",
    "results",
    "work",
    "write",
]
