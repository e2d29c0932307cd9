"""Panel and RunView without a browser: what a click does is sent as the browser sends it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from ipywidgets import Widget
from kerasllm_widgets import Panel, RunView, cells, children
from kerasllm_widgets.compare import Compare
from kerasllm_widgets.estimate import estimate
from kerasllm_widgets.playground import Playground
from kerasllm_widgets.view import _look as look

import kerasllm
from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.run import Run, create, files
from tests.conftest import last_json

LONG = {"epochs": "100000", "batch_size": "32"}


def wait(until: Callable[[], Any], seconds: float = 90) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := until():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def click(widget: Any, what: str, **more: Any) -> None:
    """As a message from the browser."""
    widget._handle_custom_msg({"do": what, **more}, [])


def type_(panel: Panel, **values: Any) -> None:
    panel.form.values = {**panel.form.values, **values}


@pytest.fixture(autouse=True)
def no_child_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Trainers and workers that a test has started end with it, and these alone."""
    monkeypatch.setattr(children, "_parked", None)
    monkeypatch.setattr(children, "_trainers", {})
    monkeypatch.setattr(children, "_answering", {})
    yield
    Widget.close_all()
    monkeypatch.setattr(children, "park", lambda: None)  # a thread of a view may be about to
    for worker in (children._parked, *(worker for worker, _ in children._answering.values())):
        if worker:
            worker.dismiss()
    for process, _ in children._trainers.values():
        if process.poll() is None:
            process.terminate()
            process.wait(30)


def test_a_wrong_value_is_named_and_nothing_starts(runs: Path) -> None:
    panel = Panel("linear_regression")
    type_(panel, epochs="many")
    assert panel.form.mistakes["epochs"]["en"] == "must be a whole number"
    click(panel.form, "train")
    assert panel.form.notice["words"] == {"en": "epochs: must be a whole number", "zh": "epochs: 必须是整数"}
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


def test_the_data_card_is_what_training_would_find() -> None:
    panel = Panel("linear_regression")
    click(panel.form, "card")
    wait(lambda: panel.form.card, 10)
    assert "target price" in panel.form.card["lines"]


def test_settings_of_ones_own_are_shown_and_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    panel = Panel(LinearRegression(learning_rate=1e-5, epochs=7))
    assert panel.values["learning_rate"] == "1e-05"
    click(panel.form, "save", name="mine.ipynb")
    assert panel.form.notice == {"kind": "saved", "words": "mine.ipynb"}
    assert Panel.from_notebook("mine.ipynb").values == panel.values
    click(panel.form, "save", name="mine.ipynb")
    assert "exists already" in panel.form.notice["words"]["en"]


def test_a_second_click_while_a_run_goes_on_starts_nothing(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "train", lambda run: None)
    panel = Panel("linear_regression")
    click(panel.form, "train")
    click(panel.form, "train")
    assert len(list(runs.iterdir())) == 1
    assert panel.form.notice == {"kind": "problem", "words": {"en": "A run is going on", "zh": "训练正在进行"}}
    click(panel.form, "estimate")
    assert panel.form.estimate == {}
    panel.view.close()


class Answers:
    """Stands for a worker: answers each question at once, with its own number."""

    started: ClassVar[list[Answers]] = []
    process: subprocess.Popen[str]

    def __init__(self) -> None:
        code = (
            "import json, sys\n"
            "for line in sys.stdin:\n"
            "    said = json.loads(line)\n"
            "    if 'id' in said: print(json.dumps({'id': said['id'], 'text': 'yes'}), flush=True)\n"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.imported = threading.Event()
        self.imported.set()
        self.started.append(self)

    give = children.Worker.give
    bury = children.Worker.bury
    dismiss = children.Worker.dismiss


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> list[Answers]:
    """The answering processes that a test starts; none has Keras."""
    monkeypatch.setattr(Answers, "started", [])
    monkeypatch.setattr(children, "Worker", Answers)
    monkeypatch.setattr(Panel, "_look_at_file", lambda panel: None)
    return Answers.started


def test_one_process_answers_for_a_run_whoever_asks(workers: list[Answers]) -> None:
    run = create(LinearRegression())
    one, two = Playground(run), Playground(run)
    click(one, "row", id=1, row={})
    wait(lambda: one.answer.get("id") == 1, 20)
    click(two, "row", id=2, row={})
    wait(lambda: two.answer.get("id") == 2, 20)
    assert len(workers) == 1
    assert one.answer["id"] == 1
    one.close()
    click(two, "row", id=3, row={})
    wait(lambda: two.answer.get("id") == 3, 20)
    two.close()
    wait(lambda: workers[0].process.poll() is not None, 20)


def test_trying_leaves_a_parked_process_for_the_next_train(
    workers: list[Answers], monkeypatch: pytest.MonkeyPatch
) -> None:
    parked: list[bool] = []
    monkeypatch.setattr(children, "park", lambda: parked.append(True))
    panel = Panel("linear_regression")
    panel.view.follow(create(LinearRegression()))
    click(panel.view, "try")
    assert panel.playground
    click(panel.playground, "row", id=1, row={})
    wait(lambda: parked, 20)
    panel.close()
    wait(lambda: workers[0].process.poll() is not None, 20)


def test_a_cell_run_again_closes_the_views_that_it_made_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "_shown", {})
    monkeypatch.setattr(children, "park", lambda: None)
    execution = ("cell", "1")
    monkeypatch.setattr(cells, "here", lambda: execution)

    def shown(view: Any) -> Any:
        view._ipython_display_()
        return view

    run = create(LinearRegression())
    made = [shown(RunView(run)), shown(Playground(run)), shown(Panel("linear_regression"))]
    execution = ("another cell", "2")
    shown(made[0])
    execution = ("another cell", "3")
    shown(RunView(run)).close()
    assert all(view.comm is not None for view in made)
    execution = ("cell", "4")
    shown(RunView(run)).close()
    assert [view.comm for view in made] == [None, None, None]
    assert made[0]._until.is_set()
    assert made[2].view.comm is None


def test_an_idle_panel_sends_little_and_imports_no_keras() -> None:
    code = (
        "from kerasllm_widgets import Panel; p = Panel('text_classifier'); import sys\n"
        "print(sorted({'keras', 'tensorflow', 'jax', 'torch', 'pandas', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_message_that_no_view_knows_is_passed_over() -> None:
    view = RunView(create(LinearRegression()))
    click(view, "delete")
    assert view.problem == ""
    view.close()


def test_what_is_wrong_with_a_question_is_told_in_both_languages() -> None:
    playground = Playground(create(LinearRegression()))
    options = {"length": "many", "temperature": "1", "top_k": "0", "top_p": "1"}
    click(playground, "prompt", id=1, prompt="", options=options)
    assert playground.answer["problem"] == {"en": "length: 'many' is not a number", "zh": "length：'many' 不是数字"}
    click(playground, "prompt", id=2, prompt="", options={**options, "length": "0"})
    assert playground.answer["problem"]["zh"] == "length：0 不在 1..100000 之内"
    playground.close()


def test_a_stop_that_comes_after_the_end_is_no_problem() -> None:
    """The server was asked too, and was quicker than the kernel."""
    run = create(LinearRegression())
    files.replace_json(run.path / "status.json", {"state": "stopped"})
    view = RunView(run)
    click(view, "stop")
    assert view.problem == ""
    assert view.look["created"] == run.asked["created"]  # by which the server's run of this name is known as this one
    view.close()


def test_a_run_of_a_vanished_process_can_be_seen() -> None:
    run = create(LinearRegression())
    files.replace_json(
        run.path / "status.json", {"state": "running", "pid": 1 << 22, "pid_started": 1.0, "host": os.uname().nodename}
    )
    view = RunView(run)
    assert view.look["state"] == "gone"
    view.close()


@pytest.mark.slow
def test_a_panel_trains_in_a_child_to_the_command_lines_weights(kerasllm: Any) -> None:
    panel = Panel("linear_regression")
    type_(panel, epochs="30", validation="0.2")
    children.park()
    assert children._parked
    children._parked.imported.wait(90)
    click(panel.form, "train")
    assert panel.form.busy
    assert panel.run
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
def test_a_trainer_that_dies_before_it_can_tell_is_told_by_its_starter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    run = create(LinearRegression())
    view = RunView(run)
    children.train(run)
    wait(lambda: view.look["state"] == "failed", 10)
    assert "code 1" in view.look["message"]
    view.close()


def test_a_notebooks_run_no_longer_starts_once_its_kernel_writes() -> None:
    run = create(LinearRegression())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, text=True) as trainer:
        children._trainers[str(run.path)] = trainer, run.status["heartbeat"]
        assert children.is_starting(run, run.status)
        status = {**run.status, "state": "running", "heartbeat": time.time()}  # by another pid than the trainer's
        assert not children.is_starting(run, status)


@pytest.mark.slow
def test_the_time_is_estimated_from_a_short_try(runs: Path) -> None:
    found = estimate(LinearRegression(epochs=100_000, batch_size=8))
    assert found["steps"] == 100_000 * 10
    assert found["seconds"] > 60
    assert not runs.exists()


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


@pytest.mark.slow
def test_a_playground_answers_by_the_model_and_by_a_checkpoint_of_a_run_that_goes_on() -> None:
    panel = Panel("linear_regression")
    type_(panel, **LONG, checkpoint_minutes="0.001")
    run = panel.train()
    playground = Playground(run)
    wait(lambda: (run.path / "checkpoint" / "state.npz").exists())
    click(playground, "look")
    assert playground.kind == "table"
    assert [column["name"] for column in playground.columns] == ["area", "orientation"]
    click(playground, "row", id=1, row={"area": "90", "orientation": "south"})
    wait(lambda: playground.answer.get("id") == 1)
    assert playground.answer["source"] == "checkpoint"
    assert playground.answer["numbers"]["price"] > 50
    run.stop()
    wait(lambda: run.state == "stopped", 20)
    click(playground, "row", id=2, row={"area": "90", "orientation": "south"})
    wait(lambda: playground.answer.get("id") == 2)
    assert playground.answer["source"] == "model"
    click(playground, "row", id=3, row={"area": "wide", "orientation": "south"})
    wait(lambda: playground.answer.get("id") == 3)
    assert "'wide' is not a number" in playground.answer["problem"]
    from kerasllm_widgets.answers import Latest  # this process, too, imports Keras only here

    by_model = Latest(run).load().predict([{"area": 90, "orientation": "south"}])
    (run.path / "model.keras").unlink()
    assert Latest(run).load().predict([{"area": 90, "orientation": "south"}]) == by_model
    playground.close()
    panel.view.close()


@pytest.mark.slow
def test_runs_are_compared_with_the_rows_that_they_judge_differently(kerasllm: Any) -> None:
    for name, epochs in (("one", "1"), ("two", "6")):
        kerasllm("train", "text_classifier", "--epochs", epochs, "--name", name)
    compare = Compare("one", "two")
    assert compare.parameters == {"epochs": [1, 6]}
    assert compare.scores["accuracy"][0] < compare.scores["accuracy"][1]
    click(compare, "flips")
    wait(lambda: "flips" in compare.flips)
    assert compare.flips["rows"] == 310
    assert all(one["answers"][0] != one["answers"][1] for one in compare.flips["flips"])
    assert "one" in compare.still._content()
