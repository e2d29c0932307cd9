"""A training that may die: `python -m tests.killed RUN N`.

It resumes a run and kills itself with SIGKILL inside the n-th checkpoint write (N = 0: never).
"""

from __future__ import annotations

import io
import os
import signal
import sys

import numpy as np

import kerasllm
from kerasllm.training import checkpoint


def main(run: str, fatal: int) -> None:
    whole = np.savez
    writes = 0

    def half(file: io.BufferedIOBase, **arrays: np.ndarray) -> None:
        nonlocal writes
        writes += 1
        if writes != fatal:
            return whole(file, **arrays)
        buffer = io.BytesIO()
        whole(buffer, **arrays)
        file.write(buffer.getvalue()[: len(buffer.getvalue()) // 2])
        file.flush()
        open(os.path.join(run, "killed"), "w").close()
        os.kill(os.getpid(), signal.SIGKILL)

    checkpoint.np.savez = half  # type: ignore[assignment]
    kerasllm.open(run).resume()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
