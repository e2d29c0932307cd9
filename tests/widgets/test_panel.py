"""Panel and RunView without a browser: what a click does is sent as the browser sends it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from kerasllm_widgets import Panel, RunView, children, form
from kerasllm_widgets import panel as panels
from kerasllm_widgets.estimate import estimate
from kerasllm_widgets.view import _look as look

import kerasllm
from kerasllm.errors import InputError
from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.run import Run
from tests.conftest import last_json
from tests.widgets.conftest import click, wait
from tests.widgets.pages import run_view

LONG = {"epochs": "100000", "batch_size": "32"}


def type_(panel: Panel, **values: Any) -> None:
    panel.form.values = {**panel.form.values, **values}


def test_a_wrong_value_is_named_and_nothing_starts(runs: Path) -> None:
    panel = Panel("linear_regression")
    type_(panel, epochs="many")
    assert panel.form.mistakes["epochs"]["en"] == "must be a whole number"
    click(panel.form, "train")
    wait(lambda: panel.form.notice, 10)
    assert panel.form.notice["words"] == {"en": "epochs: must be a whole number", "zh": "epochs: 必须是整数"}
    wait(lambda: not panel.form.busy, 10)
    assert not runs.exists()
    type_(panel, epochs="5")
    assert panel.form.mistakes == {}


def test_a_file_is_read_and_its_columns_checked(tmp_path: Path) -> None:
    (tmp_path / "homes.csv").write_text("area,price\n1,2\n3,4\n")
    panel = Panel("linear_regression")
    type_(panel, data=str(tmp_path / "homes.csv"), target="cost")
    wait(lambda: "target" in panel.form.mistakes, 5)
    assert panel.form.preview["columns"] == ["area", "price"]
    type_(panel, target="price")
    assert panel.form.mistakes == {}
    type_(panel, data=str(tmp_path / "home.csv"))
    wait(lambda: "data" in panel.form.mistakes, 5)
    assert "did you mean 'homes.csv'" in panel.form.mistakes["data"]["en"]


@pytest.mark.parametrize("what", ["train", "estimate", "card", "save"])
def test_a_file_that_was_mended_is_read_again(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "train", lambda run: None)
    monkeypatch.setattr(panels, "estimate", lambda recipe, is_wanted: {"seconds": 1.0, "steps": 1})
    file = tmp_path / "homes.csv"
    panel = Panel("linear_regression")
    type_(panel, data=str(file), target="price")
    wait(lambda: "data" in panel.form.mistakes, 10)
    file.write_text("area,cost\n" + "1,2\n3,4\n" * 10)
    does = {"name": str(tmp_path / "mine.ipynb")} if what == "save" else {}
    click(panel.form, what, **does)
    wait(lambda: "target" in panel.form.mistakes, 10)
    wait_for_threads()
    file.write_text("area,price\n" + "1,2\n3,4\n" * 10)
    click(panel.form, what, **does)
    wait_for_threads()
    assert panel.form.mistakes == {}
    assert panel.form.preview["columns"] == ["area", "price"]
    done = {
        "train": panel.run,
        "estimate": panel.form.estimate.get("state") == "done",
        "card": "lines" in panel.form.card,
        "save": panel.form.notice.get("kind") == "saved",
    }
    assert done[what]
    panel.close()


def test_what_cannot_be_read_is_told_at_its_field_before_a_run_is_made(tmp_path: Path, runs: Path) -> None:
    panel = Panel("linear_regression")
    type_(panel, data="sample:line", test=str(tmp_path / "test.csv.gz"))
    assert "neither a share" in panel.form.mistakes["test"]["en"]
    (tmp_path / "test.csv.gz").write_text("x,y\n1,2\n")
    type_(panel, data="sample:houses")
    assert panel.form.mistakes == {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LinearRegression, "fingerprints", refuse)
        click(panel.form, "train")
        wait(lambda: panel.form.notice and not panel.form.busy, 10)
    assert panel.form.mistakes == {"test": {"en": "test.csv.gz: no readable gzip file", "zh": "test.csv.gz：无法解压"}}
    assert not runs.exists()


def test_a_refusal_stays_though_the_file_was_still_being_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preview = form.preview
    monkeypatch.setattr(form, "preview", lambda *asked: time.sleep(0.5) or preview(*asked))
    monkeypatch.setattr(LinearRegression, "fingerprints", refuse)
    (tmp_path / "test.csv.gz").write_text("x,y\n1,2\n")
    panel = Panel("linear_regression")
    type_(panel, data="sample:line", test=str(tmp_path / "test.csv.gz"))
    click(panel.form, "train")
    wait_for_threads()
    assert list(panel.form.mistakes) == ["test"]


def test_what_is_typed_while_a_thread_checks_older_values_has_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    places, checking = form.places, threading.Event()

    def slow(*asked: Any) -> dict[str, form.Said]:
        found = places(*asked)
        if threading.current_thread().name == "kerasllm-panel":
            checking.set()
            time.sleep(0.5)
        return found

    monkeypatch.setattr(form, "places", slow)
    panel = Panel("linear_regression")
    type_(panel, data="sample:line", test="1.5")
    assert checking.wait(10)
    type_(panel, test="0.2")
    wait_for_threads()
    assert panel.form.mistakes == {}


def wait_for_threads() -> None:
    """Until no thread of a panel is at work."""
    for thread in threading.enumerate():
        if thread.name == "kerasllm-panel":
            thread.join(20)


def refuse(recipe: LinearRegression) -> None:
    raise InputError("test.csv.gz: no readable gzip file", "test.csv.gz：无法解压")


def test_blanks_around_a_files_name_are_no_part_of_it(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "train", lambda run: None)
    panel = Panel("linear_regression")
    type_(panel, data=" sample:line ", test=" 0.5 ")
    assert panel.form.mistakes == {}
    assert panel.train().recipe == LinearRegression(data="sample:line", test="0.5")
    panel.close()


def test_the_data_card_is_what_training_would_find() -> None:
    panel = Panel("linear_regression")
    click(panel.form, "card")
    wait(lambda: "lines" in panel.form.card, 10)
    assert "target price" in panel.form.card["lines"]["en"]
    assert "目标 price" in panel.form.card["lines"]["zh"]


def test_what_was_asked_of_older_values_is_told_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a card, nor a time, nor a refusal; the newer answers stay."""
    let_go, asked = threading.Event(), list[int]()

    def card(recipe: LinearRegression) -> str:
        asked.append(recipe.epochs)
        if recipe.epochs == 1:
            let_go.wait(20)
        return f"of {recipe.epochs}"

    def estimate(recipe: LinearRegression, is_wanted: Any) -> dict[str, Any]:
        asked.append(recipe.epochs)
        if recipe.epochs == 1:
            let_go.wait(20)
            raise InputError("old", "旧")
        return {"seconds": float(recipe.epochs), "steps": 1}

    monkeypatch.setattr(form, "card", card)
    monkeypatch.setattr(panels, "estimate", estimate)
    monkeypatch.setattr(children, "park", lambda: None)
    panel = Panel("linear_regression")
    for epochs in (1, 2):
        type_(panel, epochs=str(epochs))
        click(panel.form, "card")
        click(panel.form, "estimate")
        wait(lambda now=epochs: asked.count(now) == 2, 10)
    wait(lambda: "lines" in panel.form.card and panel.form.estimate.get("state") == "done", 10)
    let_go.set()
    wait_for_threads()
    assert panel.form.card == {"lines": "of 2"}
    assert panel.form.estimate == {"state": "done", "seconds": 2.0, "steps": 1}
    assert panel.form.notice == {}
    page = """
    const model = new Model({ card: { lines: "of 1" } });
    const box = card(model, () => console.log("asked"));
    box.open = true;
    box.heard.toggle();
    """
    assert run_view("form.js", page) == ["asked"]  # the file may be another one than when it was last open
    panel.close()


def test_a_card_of_older_values_is_folded_though_it_was_still_being_read(monkeypatch: pytest.MonkeyPatch) -> None:
    let_go, shown = threading.Event(), list[dict[str, Any]]()
    monkeypatch.setattr(form, "card", lambda recipe: let_go.wait(20) or "")
    panel = Panel("linear_regression")
    panel.form.observe(lambda change: shown.append(change["new"]), "card")
    click(panel.form, "card")
    type_(panel, epochs="7")
    let_go.set()
    wait_for_threads()
    assert shown == [{"state": "reading"}, {}]
    page = """
    const model = new Model({ card: {} });
    const box = card(model, () => {});
    box.open = true;
    model.set("card", { state: "reading" });
    console.log(box.open, box.childNodes[1].text);
    model.set("card", {});
    console.log(box.open);
    """
    assert run_view("form.js", page) == ["true Loading…", "false"]
    panel.close()


def test_a_click_is_made_on_what_its_page_shows_though_the_change_comes_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A page sends a change only once an earlier one was answered, and a click at once."""
    monkeypatch.setattr(form, "card", lambda recipe: f"of {recipe.epochs}")
    panel = Panel("linear_regression")
    click(panel.form, "card", values={**panel.values, "epochs": "7"})
    wait(lambda: "lines" in panel.form.card, 10)
    type_(panel, epochs="7")
    assert panel.form.card == {"lines": "of 7"}
    panel.close()


def test_settings_of_ones_own_are_shown_and_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    panel = Panel(LinearRegression(learning_rate=1e-5, epochs=7))
    assert panel.values["learning_rate"] == "1e-05"
    click(panel.form, "save", name="mine.ipynb")
    wait(lambda: panel.form.notice, 10)
    assert panel.form.notice == {"kind": "saved", "words": "mine.ipynb"}
    assert Panel.from_notebook("mine.ipynb").values == panel.values
    click(panel.form, "save", name="mine.ipynb")
    wait(lambda: panel.form.notice, 10)
    assert "exists already" in panel.form.notice["words"]["en"]


def test_a_second_click_while_a_run_goes_on_starts_nothing(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "train", lambda run: None)
    panel = Panel("linear_regression")
    click(panel.form, "train")
    click(panel.form, "train")
    wait(lambda: panel.run, 20)
    assert len(list(runs.iterdir())) == 1
    assert panel.form.notice == {"kind": "problem", "words": {"en": "A run is going on", "zh": "训练正在进行"}}
    click(panel.form, "estimate")
    assert panel.form.estimate == {}
    panel.view.close()


def test_an_idle_panel_sends_little_and_imports_no_keras() -> None:
    code = (
        "from kerasllm_widgets import Panel; p = Panel('text_classifier'); import sys\n"
        "print(sorted({'keras', 'tensorflow', 'jax', 'torch', 'pandas', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True)
    assert done.stdout.strip() == "[]", done.stderr


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
