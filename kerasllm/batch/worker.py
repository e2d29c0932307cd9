"""A worker's process: takes runs, one line of JSON each, on stdin and answers each when it has ended.

It lives for many runs, so that Keras, papermill and what they import are loaded once. When the batch's process is
gone (stdin ends), it asks its run to stop, and ends.
"""

from __future__ import annotations

import gc
import json
import os
import queue
import sys
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import filelock

from kerasllm.errors import InputError
from kerasllm.kernels import Kernels
from kerasllm.notebook_run import execute
from kerasllm.run import Run
from kerasllm.spoken import language

GRACE = 20.0  # seconds a run may take to stop, when the batch's process is gone
ASK = 0.25  # seconds between two wishes to stop
# The machine's doing, not the run's: worth a second try (papermill issue 511).
MACHINES = ("Address already in use", "Kernel died before replying", "Kernel didn't respond", "Resource temporarily")


def main(lock: str) -> None:
    """Work until stdin ends. `lock` is held as long as this process lives."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints goes to the log, not among the answers
    with filelock.FileLock(lock):
        tasks: queue.Queue[Run | None] = queue.Queue()
        threading.Thread(target=_listen, args=(tasks,), daemon=True).start()
        kernels = Kernels()
        try:
            while (run := tasks.get()) is not None:
                _answer(answers, _work(run, kernels))
        finally:
            kernels.end()


def _listen(tasks: queue.Queue[Run | None]) -> None:
    run = None
    for line in sys.stdin:
        run = Run(Path(json.loads(line)["run"]))
        tasks.put(run)
    tasks.put(None)
    if run:
        _end(run)


def _end(run: Run) -> None:
    """Ask the last run to stop until this process ends, and end it when its time is over.

    Once is not enough: a run that is gone on with reads as ended until it has begun, seconds after it was given.
    """
    until = time.monotonic() + GRACE
    while time.monotonic() < until:
        with suppress(InputError, OSError):  # it has not begun, has ended, or its folder is gone
            run.stop()
        time.sleep(ASK)
    os._exit(1)


def _answer(answers: IO[str], content: dict[str, Any]) -> None:
    with suppress(BrokenPipeError):  # nobody listens any more; the run's folder tells all
        answers.write(json.dumps(content, ensure_ascii=False) + "\n")
        answers.flush()


def _work(run: Run, kernels: Kernels) -> dict[str, Any]:
    """Work on one run to its end; whatever goes wrong is told, and the worker lives on."""
    error = ""
    try:
        if run.asked.get("notebook"):
            execute(run, kernels)
        else:
            run.resume()
    except InputError as fault:
        error = fault.said(language())
    except KeyboardInterrupt:
        error = "interrupted"
    except Exception as fault:  # the outermost edge of this process
        traceback.print_exc()
        error = f"{type(fault).__name__}: {fault}"
    finally:
        _forget()
    machines = any(cause in error for cause in MACHINES)
    return {"error": " ".join(error.split()), "is_machines": machines}


def _forget() -> None:
    """Give back what the last model held; the next one begins as in a fresh process."""
    if "keras" in sys.modules:
        import keras

        keras.utils.clear_session(free_memory=False)
    gc.collect()


if __name__ == "__main__":
    main(sys.argv[1])
