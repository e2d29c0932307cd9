"""Trainings to kill: `python -m tests.killed` imports Keras once, then forks a training per line of its input.

A line `RUN N` resumes a run and kills itself with SIGKILL inside the n-th checkpoint write (N = 0: never). The answer
is a line with the training's pid at once, and one with its exit code, negative for a signal, at its end.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import traceback

import numpy as np

import kerasllm
from kerasllm.training import checkpoint


def train(run: str, fatal: int) -> None:
    """Resume the run; die in the middle of a checkpoint if asked to."""
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
        os.kill(os.getpid(), signal.SIGKILL)

    checkpoint.np.savez = half  # type: ignore[assignment]
    kerasllm.open(run).resume()


def main() -> None:
    """Fork a training per line, one after the other."""
    for line in sys.stdin:
        run, fatal = line.rsplit(maxsplit=1)
        pid = os.fork()
        if not pid:
            try:
                train(run, int(fatal))
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
