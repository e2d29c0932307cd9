"""The whole, in processes: long-lived workers, killed and gone on with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from kerasllm.batch.folder import Batch
from kerasllm.run import Run
from kerasllm.run import runs as list_runs
from tests.conftest import ROOT, last_json
from tests.test_own_notebook import book

slow = pytest.mark.slow
STARTED: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    """A test that fails half way leaves no batch behind."""
    yield
    while STARTED:
        process = STARTED.pop()
        process.kill()  # its workers notice
        process.communicate()


def start(*words: str) -> subprocess.Popen[str]:
    """`kerasllm batch` in a process of its own."""
    command = [sys.executable, "-m", "kerasllm", "batch", *words]
    process = subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    STARTED.append(process)
    return process


def wait_for(claim: Callable[[], Any], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 600
    while not claim():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def batches(runs: Path) -> list[Run]:
    (found,) = (runs / "batches").iterdir()
    return Batch(found).runs if (found / "batch.json").exists() else []


def completed(runs: Path) -> list[Run]:
    return [run for run in batches(runs) if run.state == "completed"] if (runs / "batches").exists() else []


SMALL = ("linear_regression", "-p", "data", "sample:diabetes", "-p", "epochs", "20", "--workers", "2")


@slow
def test_24_runs_killed_twice_end_with_24_completed_none_trained_twice(runs: Path) -> None:
    words = (*SMALL, "--grid", "learning_rate=1e-2,3e-3,1e-3", "--grid", "batch_size=32,64", "--seeds", "4", "--json")
    trained: dict[str, list[Any]] = {}
    for killed_at, whole in ((3, False), (9, True)):
        process = start(*words)
        wait_for(lambda at=killed_at: len(completed(runs)) >= at, process)
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        for child in family if whole else ():  # the batch alone, and then with all its workers
            child.kill()
        process.communicate()
        if not whole:
            _, alive = psutil.wait_procs(family, timeout=60)
            assert not alive, "the workers notice, save their runs and end"
        trained |= {run.name: run.sessions for run in completed(runs)}
    assert 9 <= len(trained) < 24
    process = start(*words)
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    found = batches(runs)
    assert [run.state for run in found] == ["completed"] * 24
    assert {run.name: run.sessions for run in found if run.name in trained} == trained, "none is trained twice"
    assert len(last_json(out)["runs"]) == 24
    assert len(list(runs.glob("*/run.json"))) == 24
    started = sum(len(run.sessions) for run in found)
    assert started <= 24 + 2 * 2, "only what was at work when it was killed has a second session"

    # The same weights as single runs', in processes of their own.
    for run in (found[0], found[-1]):
        alone = run.recipe.train(name=f"alone-{run.name}")
        assert alone.report["weights"] == run.report["weights"]


@slow
def test_a_notebook_that_trains_a_recipe_is_a_run_of_it_and_goes_on_where_it_was_killed(
    tmp_path: Path, runs: Path
) -> None:
    """A copy of a recipe's notebook with a default of its own, beside its data."""
    (tmp_path / "books").mkdir()
    path = tmp_path / "books" / "my houses.ipynb"
    (path.parent / "houses.csv").write_text("area,price\n" + "".join(f"{n},{3 * n + n % 5}\n" for n in range(60)))
    text = (ROOT / "notebooks" / "linear_regression.ipynb").read_text("utf-8")
    path.write_text(text.replace("sample:houses", "houses.csv"), "utf-8")
    words = (str(path), "-p", "epochs", "600", "-p", "checkpoint_minutes", "0", "--workers", "1")
    process = start(*words, "--name", "mine")
    wait_for(lambda: runs.exists() and batches(runs) and len(batches(runs)[0].epochs) > 5, process)
    (run,) = batches(runs)
    assert run.recipe.data == str(path.parent / "houses.csv")
    children = psutil.Process(process.pid).children(recursive=True)
    for one in (process, *children):
        one.kill()
    psutil.wait_procs(children, timeout=60)
    assert run.state == "gone"
    process = start(*words, "--name", "mine", "--json")
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    assert (run.state, len(run.sessions)) == ("completed", 2)
    assert [found.name for found in list_runs()] == [run.name], "the notebook's training is the run itself"
    assert last_json(out)["best"] == str(run.path)
    assert run.recipe.train(name="alone").report["weights"] == run.report["weights"]


@slow
def test_a_worker_gives_a_fresh_process_weights_after_other_networks(runs: Path, tmp_path: Path) -> None:
    """One worker, several recipes' states behind it: dropout, adam, then the first point's twin once more."""
    words = ("text_classifier", "-p", "data", "sample:messages", "-p", "epochs", "1", "--workers", "1")
    out, _ = start(*words, "--grid", "dropout=0.0,0.3", "--seeds", "2", "--json").communicate(timeout=900)
    last = Run(Path(last_json(out)["runs"][-1]["run"]))
    code = f"import kerasllm; kerasllm.open({str(last.path)!r}).recipe.train(name='alone')"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert Run(runs / "alone").report["weights"] == last.report["weights"]


@slow
def test_ctrl_c_stops_every_run_so_that_it_can_be_gone_on_with(runs: Path) -> None:
    words = ("linear_regression", "-p", "data", "sample:diabetes", "-p", "epochs", "100000", "--seeds", "3", "--json")
    process = start(*words)
    wait_for(lambda: sum(bool(run.epochs) for run in batches(runs)) == 2 if runs.exists() else False, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=600)
    assert (process.returncode, [line for line in err.splitlines() if "kerasllm" in line]) == (130, [])
    assert sorted(run.state for run in batches(runs)) == ["gone", "stopped", "stopped"]
    assert last_json(out)["best"] is None
    again = start(*words)
    wait_for(lambda: len(psutil.Process(again.pid).children()) == 2, again)
    again.send_signal(signal.SIGINT)  # while the workers import Keras, and the runs still read as stopped
    out, _ = again.communicate(timeout=600)
    assert again.returncode == 130
    assert [run["state"] for run in last_json(out)["runs"]].count("stopped") == 2


@slow
def test_a_worker_that_is_killed_costs_its_run_one_try(runs: Path) -> None:
    process = start(*SMALL[:4], "-p", "epochs", "100000", "--workers", "1")
    wait_for(lambda: runs.exists() and batches(runs) and batches(runs)[0].epochs, process)
    (run,) = batches(runs)
    for attempt in range(2):
        pid = run.status["pid"]
        os.kill(pid, signal.SIGKILL)
        if attempt == 0:
            wait_for(lambda: len(run.sessions) == 2 and run.state == "running", process)
    out, _ = process.communicate(timeout=600)
    assert process.returncode == 1
    assert "the worker's process died (signal 9)" in out
    assert len(run.sessions) == 2


@slow
def test_notebooks_of_ones_own_are_none_lost_and_none_falsely_completed(tmp_path: Path, runs: Path) -> None:
    cells = ("open(f'{count}.txt', 'a').write('x')", "assert count != 3, 'three'", "open(f'{count}.end', 'w').close()")
    path = book(tmp_path / "books", *cells)
    process = start(str(path), "--grid", "count=0,1,2,3,4,5", "--workers", "2", "--json")
    out, _ = process.communicate(timeout=900)
    assert process.returncode == 1
    states = {run.asked["parameters"]["count"]: run.state for run in batches(runs)}
    assert states == {count: "failed" if count == 3 else "completed" for count in range(6)}
    assert {file.stem for file in path.parent.glob("*.end")} == {"0", "1", "2", "4", "5"}
    assert all(file.read_text() == "x" for file in path.parent.glob("*.txt")), "each was executed once"
    assert list(last_json(out)["errors"].values()) == ["cell 4: AssertionError: three"]
