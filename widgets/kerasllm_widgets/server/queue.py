"""Queue: background runs that wait for their turn, and the child processes that train them.

It lives in one file beside the runs, so that it outlives the server and that a stranger's run, copied into the folder,
cannot start by itself. Each child is `python -m kerasllm …` in a session of its own.
"""

from __future__ import annotations

import os
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

    def add(self, run: Run, notebook: str = "") -> None:
        """Let a run wait for its turn: a training, or the execution of a notebook."""
        with self._changing() as content:
            if run.name not in self._names(content):
                content["waiting"].append({"run": run.name, "notebook": notebook})
        self.tick()

    def drop(self, run: Run) -> bool:
        """Take a run that still waits out of the queue; False if it does not wait."""
        with self._changing() as content:
            left = [one for one in content["waiting"] if one["run"] != run.name]
            dropped = len(left) < len(content["waiting"])
            content["waiting"] = left
        return dropped

    def waiting(self) -> list[str]:
        """The names of the runs that wait, the next one first."""
        return [one["run"] for one in self._read()["waiting"]]

    def holds(self, run: Run) -> bool:
        """Whether the run waits here or a child works on it."""
        return run.name in self._names(self._read())

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
            while content["waiting"] and len(content["started"]) < self.limit:
                one = content["waiting"].pop(0)
                if (self.runs / one["run"] / "run.json").exists():
                    content["started"].append(self._start(one))

    def stop_all(self) -> None:
        """Ask every child to stop; what waits goes on waiting."""
        for one in self._read()["started"]:
            (self.runs / one["run"] / "stop").touch()

    def _start(self, one: dict[str, Any]) -> dict[str, Any]:
        run = Run(self.runs / one["run"])
        command = [sys.executable, "-m", "kerasllm", *_words(run, one["notebook"])]
        before = run.status.get("heartbeat")
        environment = {**os.environ, "KERASLLM_RUNS": str(self.runs), "KERASLLM_RUN": str(run.path)}
        with (run.path / LOG).open("ab") as log:
            child = subprocess.Popen(
                command,
                cwd=Path(one["notebook"]).parent if one["notebook"] else self.runs,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._children.append(child)
        return {
            **one,
            "pid": child.pid,
            "pid_started": psutil.Process(child.pid).create_time(),
            "host": platform.node(),
            "heartbeat": before,
        }

    def _settle(self, one: dict[str, Any]) -> None:
        """Say why a child ended that never came to train: its last words are in the log."""
        run = Run(self.runs / one["run"])
        if not (run.path / "run.json").exists():
            return
        status = run.status
        if status.get("heartbeat") == one["heartbeat"]:  # it never wrote one
            message = _last_words(run.path / LOG)
            files.replace_json(run.path / "status.json", {**status, "state": "failed", "message": message})

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

    @staticmethod
    def _names(content: dict[str, Any]) -> set[str]:
        return {one["run"] for one in [*content["waiting"], *content["started"]]}


def _words(run: Run, notebook: str) -> list[str]:
    """The command line's words for a run."""
    if not notebook:
        return ["resume", str(run.path)]
    given = [word for name, value in run.asked["parameters"].items() for word in ("-p", name, str(value))]
    return ["notebook", notebook, *given]


def _last_words(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL))
            lines = file.read().decode(errors="replace").split("\n")
    except FileNotFoundError:
        lines = []
    spoken = [line.strip() for line in lines if line.strip()]
    return spoken[-1].removeprefix("kerasllm: ") if spoken else "its process ended before the training began"
