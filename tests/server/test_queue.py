"""The queue and the children that train its runs."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
import threading
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kerasllm_widgets.log import LOG
from kerasllm_widgets.server.curves import Curves
from kerasllm_widgets.server.queue import Queue
from kerasllm_widgets.server.routes import Context, One
from kerasllm_widgets.server.rows import Rows

from kerasllm.errors import InputError
from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.run import Run, create, files
from kerasllm.run.process import myself
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

    def ended() -> bool:
        queue.tick()
        return not queue.works_on(run)

    wait(ended)
    assert (queue.waiting(), run.state) == (["waiting"], "failed")


def test_a_run_that_waits_is_queued_on_every_surface_after_the_server_was_started_again(runs: Path) -> None:
    first, resumed, gone = (create(LinearRegression(), runs, name) for name in ("first", "resumed", "gone"))
    queue = Queue(runs, 0)
    for run in (first, resumed):
        queue.add(run)
    files.replace_json(resumed.path / "status.json", {"state": "stopped"})
    for run in (first, gone):
        files.replace_json(run.path / "status.json", {**run.status, "pid_started": 0})
    assert first.state == "gone"
    Queue(runs, 0).tick()
    assert (first.state, resumed.state, gone.state) == ("queued", "stopped", "gone")


def test_whether_a_run_waits_is_asked_where_the_queue_moves_on(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any other thread may look while its child is being started, and it is in neither of the queue's lists."""
    run = create(LinearRegression(), runs, "mine")
    files.replace_json(run.path / "status.json", {"state": "stopped"})
    context = Context(tmp_path, runs, Queue(runs, 0), Rows(tmp_path, runs), Curves())
    asked: list[threading.Thread] = []
    monkeypatch.setattr(Context, "queued", lambda _: asked.append(threading.current_thread()) or {"mine": 0})
    told: list[dict[str, Any]] = []
    view = SimpleNamespace(context=context, said=dict, finish=told.append, _below=str)
    view._look = partial(One._look, view)
    asyncio.run(inspect.unwrap(One.get)(view, "mine"))
    assert (asked, told[0]["state"]) == ([threading.current_thread()], "queued")


def end(queue: Queue, *names: str) -> None:
    """Stop children that never come to write, and wait for their ends."""
    queue.limit = 0  # theirs start nothing
    for name in names:
        assert queue.stop(Run(queue.runs / name))
    wait(lambda: queue.tick() or not any(queue.works_on(Run(queue.runs / name)) for name in names), 10)


def test_a_run_that_cannot_be_started_is_told_so_and_holds_up_nobody(runs: Path, slow_child: None) -> None:
    queue = Queue(runs, 0)
    for name in ("first", "torn", "odd", "busy", "last"):
        queue.add(create(LinearRegression(), runs, name))
    torn, odd, busy = (Run(runs / name) for name in ("torn", "odd", "busy"))
    for run in (torn, busy):
        (run.path / LOG).mkdir()
    files.replace_json(busy.path / "status.json", {**busy.status, "state": "running"})  # by another process meanwhile
    (odd.path / "run.json").write_text("{}")
    queue.limit = 3
    for _ in range(2):
        queue.tick()
        assert (queue.waiting(), queue.starting(), len(queue._children)) == ([], ["first", "last"], 2)
    assert (torn.state, torn.status["message"]) == ("failed", "its process cannot be started: Is a directory")
    assert torn.status["message_zh"] == "进程无法启动：Is a directory"
    assert (odd.state, "does not tell recipe" in odd.status["message"]) == ("failed", True)
    assert "没有写明配方" in odd.status["message_zh"]
    assert busy.state == "running"
    end(queue, "first", "last")


def test_on_a_full_disk_nothing_is_started_again_and_again(
    runs: Path, slow_child: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue(runs, 0)
    queue.add(create(LinearRegression(), runs, "mine"))
    queue.limit = 1

    def full(path: Path, content: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files, "replace_json", full)
        for _ in range(2):
            with pytest.raises(OSError, match="No space"):
                queue.tick()
    assert (queue.waiting(), queue._children) == (["mine"], [])
    queue.tick()
    assert queue.starting() == ["mine"]
    end(queue, "mine")


def test_a_run_whose_folder_cannot_be_told_of_holds_up_nobody(
    runs: Path, slow_child: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lay in line when the server went down, and belongs to somebody else since."""
    queue = Queue(runs, 0)
    for name in ("foreign", "mine"):
        queue.add(create(LinearRegression(), runs, name))
    status = runs / "foreign" / "status.json"
    files.replace_json(status, {**Run(runs / "foreign").status, "pid_started": 0})
    (runs / "foreign" / LOG).mkdir()
    write = files.replace_json

    def refuse(path: Path, content: Any) -> None:
        if path == status:
            raise PermissionError(13, "Permission denied")
        write(path, content)

    monkeypatch.setattr(files, "replace_json", refuse)
    queue.limit = 1
    queue.tick()
    assert (queue.waiting(), queue.starting()) == ([], ["mine"])
    end(queue, "mine")


def test_a_run_in_a_folder_that_is_not_writable_is_refused(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = create(LinearRegression(), runs, "mine")
    monkeypatch.setattr(os, "access", lambda path, mode: path != run.path)  # root may write anywhere
    queue = Queue(runs, 0)
    with pytest.raises(InputError, match="mine: its folder is not writable"):
        queue.add(run)
    assert queue.waiting() == []


@pytest.mark.parametrize("meanwhile", ["completed", "running"])
def test_a_run_that_another_process_took_on_while_it_waited_is_left_as_it_is(meanwhile: str, runs: Path) -> None:
    queue, run = Queue(runs, 0), create(LinearRegression(), runs, "run")
    files.replace_json(run.path / "status.json", {"state": "stopped"})
    queue.add(run)
    files.replace_json(run.path / "status.json", {**myself(), "state": meanwhile})
    queue.limit = 1
    queue.tick()
    assert (queue.waiting(), queue.works_on(run), run.state) == ([], False, meanwhile)


def test_a_run_that_another_process_completed_is_not_failed_by_a_child_that_finds_it_so(runs: Path) -> None:
    queue, run = Queue(runs, 1), create(LinearRegression(), runs, "run")
    status = run.path / "status.json"
    files.replace_json(status, {"state": "completed"})
    child = {"run": "run", "pid": os.getpid(), "pid_started": 0, "before": status.stat().st_mtime_ns}  # it has ended
    files.replace_json(runs / ".queue.json", {"waiting": [], "started": [child]})
    queue.tick()
    assert (queue.works_on(run), run.state) == (False, "completed")
