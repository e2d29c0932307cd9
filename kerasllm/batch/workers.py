"""Workers: where points run. The only thing a batch knows of processes."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kerasllm.run import Run


@dataclass(frozen=True)
class Ended:
    """How the work on one run ended; `is_machines` says that the machine, not the run, was the cause of an error."""

    run: Run
    error: str = ""
    is_machines: bool = False


class Workers:
    """A few long-lived processes of this machine, each working on one run at a time.

    A cluster's class in its place needs the same: `free`, `start`, `ended`, and to be a context manager that
    leaves nothing running.
    """

    def __init__(self, count: int, folder: Path) -> None:
        """`folder` holds the workers' locks and logs."""
        self._folder = folder
        self._ended: queue.Queue[tuple[subprocess.Popen[str], dict[str, Any] | None]] = queue.Queue()
        self._processes: dict[int, subprocess.Popen[str]] = {}
        self._work: dict[int, Run] = {}
        self._places = range(1, count + 1)

    @property
    def free(self) -> int:
        """How many more runs can be started now."""
        return len(self._places) - len(self._work)

    def start(self, run: Run) -> None:
        """Begin or go on with a run; returns at once."""
        place = next(place for place in self._places if place not in self._work)
        process = self._processes.get(place)
        if process is None or process.poll() is not None:
            process = self._processes[place] = self._process(place)
        self._work[place] = run
        assert process.stdin
        with suppress(BrokenPipeError):  # it died: its end is told by `ended`
            process.stdin.write(json.dumps({"run": str(run.path)}) + "\n")
            process.stdin.flush()

    def ended(self, timeout: float) -> list[Ended]:
        """The runs whose work has ended since the last call; waits for one at most `timeout` seconds."""
        found: list[Ended] = []
        with suppress(queue.Empty):
            while True:
                process, answer = self._ended.get(timeout=0 if found else timeout)
                place = next((place for place, one in self._processes.items() if one is process), 0)
                run = self._work.pop(place, None)
                if answer is None:
                    self._processes.pop(place, None)
                if run:
                    found.append(_dead(run, process.wait(), place) if answer is None else Ended(run, **answer))
        return found

    def _process(self, place: int) -> subprocess.Popen[str]:
        with (self._folder / f"worker-{place}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "kerasllm.batch.worker", str(self._folder / f".worker-{place}")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
                start_new_session=True,  # a terminal's Ctrl-C is the batch's to tell
            )
        threading.Thread(target=self._listen, args=(process,), daemon=True).start()
        return process

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        for line in process.stdout:
            self._ended.put((process, json.loads(line)))
        self._ended.put((process, None))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes.values():
            assert process.stdin
            process.stdin.close()  # each ends by itself, its run stopped and saved
        for process in self._processes.values():
            process.wait()


def _dead(run: Run, code: int, place: int) -> Ended:
    why = f"signal {-code}" if code < 0 else f"exit code {code}"
    return Ended(run, f"the worker's process died ({why}); see worker-{place}.log", is_machines=True)
