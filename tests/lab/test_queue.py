"""The queue's children that have just begun, and the runs that wait for another server."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from kerasllm_widgets.server.queue import Queue

from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.run import create, files


@pytest.fixture
def slow_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Children that never come to write."""
    sleeper = tmp_path / "sleeper"
    sleeper.write_text("#!/bin/sh\nexec sleep 60\n")
    sleeper.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(sleeper))


def test_a_server_that_takes_its_children_along_ends_one_that_has_just_begun_to_resume(
    runs: Path, slow_child: None
) -> None:
    """Its Writer would put the file `stop` away, and train on."""
    run = create(LinearRegression(), runs, "mine")
    files.replace_json(run.path / "status.json", {**run.status, "state": "failed"})
    queue = Queue(runs, 1)
    queue.add(run)
    waiting = create(LinearRegression(), runs, "waiting")
    queue.add(waiting)
    queue.stop_all()
    queue.limit = 0  # its end starts nothing
    deadline = time.monotonic() + 20
    while queue.works_on(run):
        queue.tick()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (queue.waiting(), run.state) == (["waiting"], "failed")


def test_a_run_that_waits_is_queued_on_every_surface_after_the_server_was_started_again(runs: Path) -> None:
    first, resumed, gone = (create(LinearRegression(), runs, name) for name in ("first", "resumed", "gone"))
    queue = Queue(runs, 0)
    for run in (first, resumed):
        queue.add(run)
    files.replace_json(resumed.path / "status.json", {"state": "stopped", "message": "as asked"})
    for run in (first, gone):
        files.replace_json(run.path / "status.json", {**run.status, "pid_started": 0})
    assert first.state == "gone"
    Queue(runs, 0).tick()
    assert (first.state, resumed.state, gone.state) == ("queued", "stopped", "gone")
