"""What a panel starts, without a browser: trainings and tries in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from kerasllm_widgets import Panel, RunView, children
from kerasllm_widgets.estimate import estimate
from kerasllm_widgets.view import _look as look

import kerasllm
from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.run import Run
from tests.conftest import last_json
from tests.widgets.conftest import LONG, click, type_, wait, wait_for_threads


@pytest.mark.slow
def test_a_panel_trains_in_a_child_to_the_command_lines_weights(kerasllm: Any) -> None:
    panel = Panel("linear_regression")
    type_(panel, epochs="30", validation="0.2")
    children.park()
    assert children._parked
    children._parked.imported.wait(90)
    click(panel.form, "train")
    assert panel.form.busy
    assert wait(lambda: panel.run)
    assert panel.view.look["state"] in ("starting", "queued", "running")
    wait(lambda: panel.view.look["state"] == "completed" and panel.view.result)
    assert set(panel.view.curve) == {"loss"}
    assert panel.view.result["splits"]["test"]["rmse"] > 0
    wait(lambda: not panel.form.busy)
    assert panel.run.sessions[0]["pid"] != os.getpid()
    cold = kerasllm("train", "linear_regression", "--epochs", "30", "--validation", "0.2", "--name", "cli", "--json")
    assert last_json(cold.stdout)["state"] == "completed"
    assert kerasllm_run("cli").report["weights"] == panel.run.report["weights"]
    assert panel.still._content().count("rmse") > 1
    panel.view.close()


def kerasllm_run(name: str) -> Any:
    return kerasllm.open(name)


@pytest.mark.slow
def test_stop_is_acknowledged_at_once_and_a_new_view_resumes(
    bytes_read: Counter[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second view is another kernel's: it knows nothing but the folder."""
    looks: list[Run] = []
    monkeypatch.setattr("kerasllm_widgets.view._look", lambda run: looks.append(run) or look(run))
    panel = Panel("linear_regression")
    type_(panel, **LONG)
    run = panel.train()
    wait(lambda: panel.view.look.get("phase") == "training" and panel.view.curve)
    sent, began = [], time.monotonic()
    panel.view.observe(sent.append, ["look", "curve", "result"])
    looks.clear(), bytes_read.clear()
    time.sleep(4)
    assert len(sent) <= 10 * 4
    assert 0 < len(looks) <= 10 * (time.monotonic() - began)
    history = run.path / "history.jsonl"
    assert 0 < bytes_read[history] <= history.stat().st_size, "each line is read once"
    began = time.monotonic()
    click(panel.view, "stop")
    assert panel.view.look["state"] == "stopping"
    assert time.monotonic() - began < 0.5
    wait(lambda: panel.view.look["state"] == "stopped", 20)
    step = run.status["step"]
    view = RunView(run.name)
    assert view.look["state"] == "stopped"
    click(view, "resume")
    assert view.look["state"] == "starting"
    wait(lambda: view.look["state"] == "running" and view.look.get("step", 0) > step)
    click(view, "stop")
    wait(lambda: view.look["state"] == "stopped", 20)
    panel.view.close()
    view.close()


@pytest.mark.slow
def test_a_run_outlives_the_kernel_that_started_it_and_its_notebook_shows_it_again(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import os, time; from kerasllm_widgets import Panel, children\n"
        "children.park(); children._parked.imported.wait()\n"
        "p = Panel('linear_regression'); p.form.values = {**p.form.values, 'epochs': '300', 'batch_size': '4'}\n"
        "print(p.train().path, flush=True)\n"
        "while p.view.look.get('phase') != 'training': time.sleep(0.05)\n"
        "os._exit(0)"
    )
    environment = {**os.environ, "JPY_SESSION_NAME": "mine.ipynb"}
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, env=environment, timeout=120)
    monkeypatch.setenv("JPY_SESSION_NAME", "mine.ipynb")
    panel = Panel("linear_regression")
    assert panel.run, done.stderr
    assert str(panel.run.path) == done.stdout.strip()
    assert panel.values["epochs"] == "300"
    wait(lambda: panel.view.look["state"] == "completed")
    monkeypatch.setenv("JPY_SESSION_NAME", "another.ipynb")
    assert Panel("linear_regression").run is None
    panel.view.close()


@pytest.mark.slow
def test_a_failure_is_one_line_and_its_log_is_there(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("x,y\n1,2\n2,z\n")
    panel = Panel("linear_regression")
    type_(panel, data=str(tmp_path / "bad.csv"))
    panel.train()
    wait(lambda: panel.view.look["state"] == "failed")
    assert panel.view.look["message"] == "bad.csv, line 3, column 'y': 'z' is not a number"
    click(panel.view, "log")
    assert "'z' is not a number" in panel.view.log
    panel.view.close()


@pytest.mark.slow
def test_the_time_is_estimated_from_a_short_try(runs: Path) -> None:
    found = estimate(LinearRegression(epochs=100_000, batch_size=8))
    assert found["steps"] == 100_000 * 10
    assert found["seconds"] > 60
    assert not runs.exists()


@pytest.mark.parametrize("closes", [True, False])
def test_a_try_ends_when_nobody_waits_for_it_any_more(closes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The panel is closed, or other values are typed; a closed one parks no process either."""
    parked, started = list[bool](), list[subprocess.Popen[str]]()

    def start() -> subprocess.Popen[str]:
        code = "import sys; print('ready', flush=True); sys.stdin.read()"
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        started.append(subprocess.Popen([sys.executable, "-c", code], text=True, **pipes))
        return started[-1]

    monkeypatch.setattr(children, "_worker", start)
    monkeypatch.setattr(children, "park", lambda: parked.append(True))
    panel = Panel("linear_regression")
    click(panel.form, "estimate")
    wait(lambda: started, 20)
    if closes:
        panel.close()
    else:
        type_(panel, epochs="5")
    wait(lambda: started[0].poll() is not None, 20)
    wait_for_threads()
    assert bool(parked) != closes
    assert panel.form.notice == {}


@pytest.mark.parametrize("stops", [True, False])
def test_a_try_ends_with_the_kernel_that_asked_for_it_and_leaves_nothing(tmp_path: Path, stops: bool) -> None:
    """Also one that does not stop in time. The trainer here is one that looks for the stop, or never does."""
    run = tmp_path / "temporary" / "estimate"
    run.mkdir(parents=True)
    code = (
        "import time; from pathlib import Path; from kerasllm_widgets import worker\n"
        "def train(run):\n"
        f"    while not ({stops} and (Path(run) / 'stop').exists()): time.sleep(0.02)\n"
        "    (Path(run).parent.parent / 'stopped').touch()\n"
        f"worker._resume, worker.LONGEST = train, {60 if stops else 0.2}\n"
        f"worker.attempt({str(run)!r}, {str(run.parent)!r})"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    assert process.stdin
    process.stdin.close()  # as its parent's end does
    assert process.wait(60) == 0
    assert (tmp_path / "stopped").exists() == stops
    assert not run.parent.exists()
