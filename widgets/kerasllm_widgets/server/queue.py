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
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import filelock
import psutil

from kerasllm.errors import InputError
from kerasllm.run import Run, files
from kerasllm.run.process import is_alive, myself
from kerasllm.run.writer import fail, tell
from kerasllm_widgets.log import LOG, last_words

RESTING = ("queued", "stopped", "failed", "gone")  # as the folder tells of a run that waits
ENDED_EARLY = "its process ended before the training began", "进程在训练开始之前就结束了"


class Queue:
    """At most `limit` children at once; the others wait, first come first served."""

    def __init__(self, runs: Path, limit: int):
        self.runs, self.limit, self.own_limit = runs, limit, limit  # the latter as the server was started
        self._file = runs / ".queue.json"
        self._children: list[subprocess.Popen[bytes]] = []

    def add(self, run: Run) -> None:
        """Let a run wait for its turn."""
        if not os.access(run.path, os.W_OK):
            raise InputError(f"{run.name}: its folder is not writable", f"{run.name}：它的文件夹不可写")
        with self._changing() as content:
            if run.name not in content["waiting"]:
                content["waiting"].append(run.name)
        self.tick()

    def stop(self, run: Run) -> bool:
        """Take a run out of the queue, and end a child of it that has not written yet; False if there is neither."""
        with self._changing() as content:
            is_waiting = run.name in content["waiting"]
            content["waiting"] = [name for name in content["waiting"] if name != run.name]
            starting = next((one for one in content["started"] if one["run"] == run.name and self._starts(one)), None)
            if starting:
                _end(starting)
            elif is_waiting and run.status["state"] == "queued":
                _tell(run, state="stopped", message="")
        return is_waiting or starting is not None

    def waiting(self) -> list[str]:
        """The names of the runs that wait, the next one first."""
        names: list[str] = self._read()["waiting"]
        return names

    def starting(self) -> list[str]:
        """The names of the runs whose child has been started, and has not written to the run's folder yet."""
        return [one["run"] for one in self._read()["started"] if self._starts(one)]

    def works_on(self, run: Run) -> bool:
        """Whether a child works on the run."""
        return run.name in {one["run"] for one in self._read()["started"]}

    def tick(self) -> None:
        """See which children have ended, and start as many as may start."""
        self._advance()
        self._children = [child for child in self._children if child.poll() is None]

    def _advance(self) -> None:
        content = self._read()
        ended = [one for one in content["started"] if not is_alive(one)]
        lost = {name for name in content["waiting"] if self._is_lost(name)}
        may_start = len(content["started"]) - len(ended) < self.limit
        if not ended and not lost and not (content["waiting"] and may_start):
            return
        with self._changing() as content:
            for name in lost.intersection(content["waiting"]):
                _tell(Run(self.runs / name), **myself())
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
                self._write(content)  # on a full disk it would stay in line, and be started at each tick
                if child := self._begin(Run(self.runs / name)):
                    content["started"].append(child)

    def stop_all(self) -> None:
        """Ask every child to stop; what waits goes on waiting."""
        with self._changing() as content:
            for one in content["started"]:
                if self._starts(one):  # it will put away the wish of a session before
                    _end(one)
                else:
                    (self.runs / one["run"] / "stop").touch()

    def _begin(self, run: Run) -> dict[str, Any] | None:
        """Start a run's child; a run that cannot be started is told so, and holds up nobody behind it."""
        try:
            return self._start(run) if _rests(run) else None
        except InputError as error:
            reason = str(error), error.zh
        except OSError as error:
            reason = f"its process cannot be started: {error.strerror}", f"进程无法启动：{error.strerror}"
        with suppress(InputError, OSError):
            if _rests(run):
                fail(run, *reason)
        return None

    def _start(self, run: Run) -> dict[str, Any]:
        before = files.changed(run.path / "status.json")
        # A stranger's run called `numpy` is no module: neither of the child nor of a recipe's kernel, which begins here
        # too. The kernel of a notebook of one's own begins beside the notebook, and finds the modules there.
        safe = {"PYTHONSAFEPATH": "1"} if run.asked["recipe"] else {}
        with (run.path / LOG).open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-P", "-m", "kerasllm", "resume", str(run.path)],
                cwd=self.runs,
                env={**os.environ, **safe},
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

    def _is_lost(self, name: str) -> bool:
        """Whether a run waits for its first session, and the server that said so in its folder is gone."""
        run = Run(self.runs / name)
        with suppress(InputError, OSError):  # a status that nobody can read
            return (run.path / "run.json").exists() and run.status["state"] == "queued" and not is_alive(run.status)
        return False

    def _starts(self, one: dict[str, Any]) -> bool:
        return bool(files.changed(self.runs / one["run"] / "status.json") == one["before"])

    def _settle(self, one: dict[str, Any]) -> None:
        """Tell of a child that ended before it could: it was stopped, or its last words are in the log."""
        run = Run(self.runs / one["run"])
        with suppress(InputError, OSError):  # a status that nobody can read, or no run any more
            if one.get("stopped"):
                if run.state in ("queued", "gone"):  # not where another process trains it
                    _tell(run, state="stopped", message="")
            elif self._starts(one) and _rests(run):
                fail(run, *last_words(run, *ENDED_EARLY))

    def _read(self) -> dict[str, Any]:
        return files.read_json(self._file) or {"waiting": [], "started": []}

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        """Change the file while no other server does."""
        self.runs.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(self.runs / ".queue.lock"):
            content = self._read()
            yield content
            self._write(content)

    def _write(self, content: dict[str, Any]) -> None:
        files.replace_json(self._file, content)


def _rests(run: Run) -> bool:
    """Whether the run is there and nobody works on it: no other process trains it, or has, while it waited."""
    is_there = (run.path / "run.json").exists()
    return is_there and (run.state in RESTING or run.status["state"] == "queued")  # the latter asked to stop, perhaps


def _end(child: dict[str, Any]) -> None:
    """End a child that has not written yet."""
    child["stopped"] = True
    if is_alive(child):
        psutil.Process(child["pid"]).terminate()  # one that has just begun takes it as a wish to stop


def _tell(run: Run, **changed: Any) -> None:
    """Write into a run's status in the place of a child that cannot, where anybody can."""
    with suppress(InputError, OSError):
        tell(run, **changed)
