"""The queue and the children that train its runs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.run import create, files
from tests.server.waiting import wait


@pytest.fixture
def slow_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Children that never come to write."""
    sleeper = tmp_path / "sleeper"
    sleeper.write_text("#!/bin/sh\nexec sleep 60\n")
    sleeper.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(sleeper))


@pytest.mark.parametrize("before", ["queued", "running", "failed"])
def test_a_run_whose_child_has_not_written_yet_is_queued_and_can_be_stopped(
    before: str, runs: Path, tmp_path: Path, slow_child: None
) -> None:
    from kerasllm_widgets.server.curves import Curves
    from kerasllm_widgets.server.queue import Queue
    from kerasllm_widgets.server.routes import Context
    from kerasllm_widgets.server.rows import Rows

    run = create(LinearRegression(), runs, "mine")
    files.replace_json(run.path / "status.json", {**run.status, "state": before, "pid_started": 0})
    queue = Queue(runs, 1)
    context = Context(tmp_path, runs, queue, Rows(tmp_path, runs), Curves())
    queue.add(run)
    assert (queue.waiting(), context.queued(), context.state(run)) == ([], {"mine": 0}, "queued")
    assert queue.stop(run)
    wait(lambda: queue.tick() or not queue.works_on(run), 10)
    assert context.state(run) == ("failed" if before == "failed" else "stopped")


def test_who_leaves_the_queue_while_another_process_trains_it_is_left_to_that_one(runs: Path, slow_child: None) -> None:
    from kerasllm_widgets.server.queue import Queue

    queue, first, run = (
        Queue(runs, 1),
        create(LinearRegression(), runs, "first"),
        create(LinearRegression(), runs, "run"),
    )
    queue.add(first)
    queue.add(run)
    status = {**run.status, "state": "running"}
    files.replace_json(run.path / "status.json", status)
    assert queue.stop(run)
    assert (queue.waiting(), run.status) == ([], status)
    assert queue.stop(first)
    wait(lambda: queue.tick() or not queue.works_on(first), 10)


def test_a_strangers_run_is_no_module_of_a_child(runs: Path) -> None:
    """numpy, say, which the child imports at once: its folder of runs is its working directory."""
    from kerasllm_widgets.server.queue import LOG, Queue

    for name in ("kerasllm", "psutil", "pydantic"):
        stranger = create(LinearRegression(), runs, name)
        (stranger.path / "__init__.py").write_text(
            f"open({str(runs / 'imported')!r}, 'w')\nraise SystemExit('trapped')"
        )
    run = create(LinearRegression(data="sample:none"), runs, "mine")
    queue = Queue(runs, 1)
    queue.add(run)
    wait(lambda: queue.tick() or not queue.works_on(run))
    assert not (runs / "imported").exists()
    assert "no sample 'none'" in (run.path / LOG).read_text()
