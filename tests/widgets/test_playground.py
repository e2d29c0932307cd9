"""Playground, its questions and the one process that answers them."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import ClassVar

import pytest
from kerasllm_widgets import Panel, children
from kerasllm_widgets.playground import Playground

from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.run import create
from tests.widgets.conftest import click, wait
from tests.widgets.test_panel import LONG, type_


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


def test_what_is_wrong_with_a_question_is_told_in_both_languages() -> None:
    playground = Playground(create(LinearRegression()))
    options = {"length": "many", "temperature": "1", "top_k": "0", "top_p": "1"}
    click(playground, "prompt", id=1, prompt="", options=options)
    assert playground.answer["problem"] == {"en": "length: 'many' is not a number", "zh": "length：'many' 不是数字"}
    click(playground, "prompt", id=2, prompt="", options={**options, "length": "0"})
    assert playground.answer["problem"]["zh"] == "length：0 不在 1..100000 之内"
    playground.close()


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
