"""The work, with a class in the workers' place."""

from __future__ import annotations

import io
import json
import os
import queue
import signal
import sys

import pytest

from kerasllm import batch
from kerasllm.batch import worker
from kerasllm.batch.work import Progress
from kerasllm.batch.workers import Ended
from kerasllm.run import Run, files
from kerasllm.run.process import myself
from tests.batch.reserved import made


class Fake:
    """Ends each run at once, as told: what a cluster's class must have."""

    free = 1

    def __init__(self, *ends: tuple[str, str, bool]) -> None:
        self.ends = list(ends)
        self.started: list[str] = []
        self._run: Run | None = None

    def start(self, run: Run) -> None:
        self.started.append(run.name[-1])
        self._run, self.free = run, 0

    def ended(self, timeout: float) -> list[Ended]:
        assert self._run
        state, error, is_machines = self.ends.pop(0)
        files.replace_json(self._run.path / "status.json", {"state": state})
        self.free = 1
        return [Ended(self._run, error, is_machines)]


def worked(fake: Fake) -> Progress:
    many = made(batch.from_grid(["epochs=1,2"], {"data": "sample:line"}))
    return batch.work(many, fake, lambda progress: None)  # type: ignore[arg-type]


def test_what_the_machine_spoiled_is_tried_once_more_and_nothing_else() -> None:
    port = ("failed", "Address already in use", True)
    fake = Fake(port, ("failed", "1 / 0", False), ("completed", "", False))
    progress = worked(fake)
    assert fake.started == ["1", "2", "1"]
    assert list(progress.errors.values()) == ["1 / 0"]
    again = Fake(port, port)
    progress = worked(again)
    assert again.started == ["2", "2"], "what is completed is left, and what failed is tried again"
    assert list(progress.errors.values()) == ["Address already in use"]


class Slow:
    """Two places. Its first run, ended by an earlier command, begins at the third look, and may read a wish to stop."""

    free = 2

    def __init__(self) -> None:
        self.started: list[Run] = []
        self.looks = 0

    def start(self, run: Run) -> None:
        self.started.append(run)
        self.free -= 1
        if self.free:
            os.kill(os.getpid(), signal.SIGINT)

    def ended(self, timeout: float) -> list[Ended]:
        self.looks += 1
        (run,) = self.started
        if self.looks == 3:
            begin(run)
        if self.looks < 5:
            return []
        assert run.state == "stopping"
        files.replace_json(run.path / "status.json", {"state": "stopped"})
        return [Ended(run)]


def begin(run: Run) -> None:
    """What a Writer does at its start."""
    (run.path / "stop").unlink(missing_ok=True)
    files.replace_json(run.path / "status.json", {"state": "running", **myself()})


@pytest.mark.parametrize("state", ["stopped", "failed", "gone"])
def test_ctrl_c_reaches_a_run_that_is_gone_on_with_and_not_begun(state: str) -> None:
    many = made(batch.from_grid(["epochs=1,2"], {"data": "sample:line"}))
    status = {"state": state} if state != "gone" else {"state": "running", **myself(), "pid_started": 1.0}
    files.replace_json(many.runs[0].path / "status.json", status)
    slow = Slow()
    progress = batch.work(many, slow, lambda progress: None)  # type: ignore[arg-type]
    assert progress.is_stopping
    assert [run.name for run in slow.started] == [many.runs[0].name], "none is started after a Ctrl-C"
    assert many.runs[0].state == "stopped"


def test_a_worker_without_its_batch_asks_a_run_that_begins_late_and_then_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    (run,) = made(batch.from_grid(["epochs=1"], {"data": "sample:line"})).runs
    files.replace_json(run.path / "status.json", {"state": "stopped"})
    seen: list[str] = []

    def wait(seconds: float) -> None:
        seen.append(run.state)
        if len(seen) == 2:
            begin(run)

    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps({"run": str(run.path)}) + "\n"))
    monkeypatch.setattr(worker, "GRACE", 0.5)
    monkeypatch.setattr(worker.time, "sleep", wait)
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    worker._listen(queue.Queue())
    assert seen[:3] == ["stopped", "stopped", "stopping"]
    assert codes == [1]
