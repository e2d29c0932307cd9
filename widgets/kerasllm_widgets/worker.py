"""The parked worker: a process that has imported Keras already and waits on stdin for one job.

`python -m kerasllm_widgets.worker` says `ready` on stdout, reads one line of JSON, `{"do": …}`, and becomes that job.
It lives in a session of its own. Without a job it ends when its parent does, or after IDLE seconds.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kerasllm_widgets.log import LOG

IDLE = 900  # seconds; an imported Keras holds half a gigabyte
LONGEST = 180.0  # seconds that a try may take to stop


def main() -> None:
    """Import Keras, wait for a job, do it."""
    idle = threading.Timer(IDLE, os._exit, [0])
    idle.daemon = True
    idle.start()
    import kerasllm.cli
    import kerasllm.recipes
    import kerasllm.training.fit  # noqa: F401  (the seconds that a start would cost)

    print("ready", flush=True)
    line = sys.stdin.readline()
    idle.cancel()
    if line:
        job = json.loads(line)
        JOBS[job.pop("do")](**job)


def train(run: str) -> None:
    """Become the trainer: from here on this is `kerasllm resume RUN`, its words go to the run's log."""
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    _resume(run)


def attempt(run: str, folder: str) -> None:
    """Train until stdin ends: who asked has seen enough, or is gone. Then the run's temporary folder goes too."""
    stopped = threading.Event()

    def clear() -> None:
        while os.read(0, 1024):  # past the text layer, whose lock the trainer might want
            pass
        (Path(run) / "stop").touch()
        stopped.wait(LONGEST)
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)  # a step may last longer than anybody waits

    threading.Thread(target=clear).start()  # this process ends when it does
    try:
        _resume(run)
    finally:
        stopped.set()


def _resume(run: str) -> None:
    from kerasllm.cli import main

    with (Path(run) / LOG).open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    main(["resume", run])


def answer(run: str) -> None:
    """Answer questions about a run on stdin, a line of JSON each, until stdin ends."""
    with _kept(run):
        from kerasllm_widgets.answers import serve

        serve(run)


def flips(runs: list[str]) -> None:
    """Tell the rows whose verdict differs between runs, as a line of JSON."""
    with _kept(runs[0]):
        from kerasllm_widgets.answers import flips

        flips(runs)


@contextmanager
def _kept(run: str) -> Iterator[None]:
    """Keep the traceback of what goes wrong in the run's log: nobody hears the stderr of these processes."""
    try:
        yield
    except BrokenPipeError:  # who asked is gone
        pass
    except Exception:
        with suppress(OSError), (Path(run) / LOG).open("a", encoding="utf-8") as log:  # of a run that one may only read
            traceback.print_exc(file=log)
        raise


JOBS: dict[str, Callable[..., None]] = {"train": train, "try": attempt, "answer": answer, "flips": flips}

if __name__ == "__main__":
    main()
