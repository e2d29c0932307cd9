"""Queue: background runs that wait for their turn, and the child processes that train them.

It lives in one file beside the runs, so that it outlives the server and that a stranger's run, copied into the folder,
cannot start by itself. Each child is `python -m kerasllm …` in a session of its own.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import psutil

from kerasllm.run import Run, files
from kerasllm.run.process import is_alive

LOG = "log.txt"  # in the run's folder: what the child printed
TAIL = 4096  # bytes of the log that are looked at for the last words of a child


class Queue:
    """At most `limit` children at once; the others wait, first come first served."""

    def __init__(self, runs: Path, limit: int):
        self.runs, self.limit = runs, limit
        self._file = runs / ".queue.json"
        self._children: list[subprocess.Popen[bytes]] = []

    def add(self, run: Run) -> None:
        """Let a run wait for its turn."""
        with self._changing() as content:
            if run.name not in content["waiting"]:
                content["waiting"].append(run.name)
        self.tick()

    def drop(self, run: Run) -> bool:
        """Take a run that still waits out of the queue; False if it does not wait."""
        with self._changing() as content:
            left = [name for name in content["waiting"] if name != run.name]
            dropped = len(left) < len(content["waiting"])
            content["waiting"] = left
        return dropped

    def waiting(self) -> list[str]:
        """The names of the runs that wait, the next one first."""
        names: list[str] = self._read()["waiting"]
        return names

    def works_on(self, run: Run) -> bool:
        """Whether a child works on the run."""
        return run.name in {one["run"] for one in self._read()["started"]}

    def tick(self) -> None:
        """See which children have ended, and start as many as may start."""
        self._children = [child for child in self._children if child.poll() is None]
        content = self._read()
        ended = [one for one in content["started"] if not is_alive(one)]
        may_start = len(content["started"]) - len(ended) < self.limit
        if not ended and not (content["waiting"] and may_start):
            return
        with self._changing() as content:
            for one in content["started"]:
                if not is_alive(one):
                    self._settle(one)
            content["started"] = [one for one in content["started"] if is_alive(one)]
            at_work = {one["run"] for one in content["started"]}
            for name in list(content["waiting"]):
                if len(content["started"]) >= self.limit:
                    break
                if name in at_work:  # resumed while its last child still ends
                    continue
                content["waiting"].remove(name)
                if (self.runs / name / "run.json").exists():
                    content["started"].append(self._start(Run(self.runs / name)))

    def stop_all(self) -> None:
        """Ask every child to stop; what waits goes on waiting."""
        for one in self._read()["started"]:
            (self.runs / one["run"] / "stop").touch()

    def _start(self, run: Run) -> dict[str, Any]:
        before = run.status
        with (run.path / LOG).open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "kerasllm", "resume", str(run.path)],
                cwd=self.runs,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._children.append(child)
        started = psutil.Process(child.pid).create_time()
        return {
            "run": run.name,
            "pid": child.pid,
            "pid_started": started,
            "host": platform.node(),
            "before": before,
        }

    def _settle(self, one: dict[str, Any]) -> None:
        """Say why a child ended that never came to train: its last words are in the log."""
        run = Run(self.runs / one["run"])
        if not (run.path / "run.json").exists():
            return
        if run.status == one["before"]:  # it never wrote one
            message = _last_words(run.path / LOG)
            files.replace_json(run.path / "status.json", {**run.status, "state": "failed", "message": message})

    def _read(self) -> dict[str, Any]:
        return files.read_json(self._file) or {"waiting": [], "started": []}

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        """Change the file while no other server does."""
        self.runs.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(self.runs / ".queue.lock"):
            content = self._read()
            yield content
            files.replace_json(self._file, content)


def _last_words(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL))
            lines = file.read().decode(errors="replace").split("\n")
    except FileNotFoundError:
        lines = []
    spoken = [line.strip() for line in lines if line.strip()]
    return spoken[-1].removeprefix("kerasllm: ") if spoken else "its process ended before the training began"
