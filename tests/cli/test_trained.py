"""With Keras: what a training says, how it stops and goes on, and what a trained run answers."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.recipes.text_classifier import TextClassifier
from kerasllm.run import Run
from tests.cli.commands import Answer, end, on_a_terminal, one_line, start, wait_for_an_epoch
from tests.conftest import last_json

slow = pytest.mark.slow
LONG = {"epochs": 300, "batch_size": 16, "optimizer": "adam"}  # seconds, so that there is time to stop it


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """A run of each kind: one column to a number, two columns to a number, a text to a label."""
    folder = tmp_path_factory.mktemp("trained")
    kinds = {
        "line": LinearRegression(data="sample:line"),
        "houses": LinearRegression(epochs=5),
        "messages": TextClassifier(epochs=1),
        "long": LinearRegression(**LONG),
    }
    return {name: recipe.train(runs=folder, name=name) for name, recipe in kinds.items()}


@slow
@pytest.mark.parametrize(
    ("name", "words", "rows"),
    [
        ("line", ["6", "-7", "-8.5e0"], [6, -7, -8.5]),
        ("houses", ['{"area": 90, "orientation": "south"}'], [{"area": 90, "orientation": "south"}]),
        ("messages", ["--", "我要退款", "-where is my parcel?"], ["我要退款", "-where is my parcel?"]),
        ("messages", ['{"text": "我要退款"}'], ["我要退款"]),
    ],
)
def test_predict_gives_the_rows_that_python_gives(
    name: str, words: list[str], rows: list[Any], trained: dict[str, Run], call: Callable[..., Answer]
) -> None:
    answer = call("predict", str(trained[name].path), "--json", *words)
    assert answer.code == 0, answer.err
    assert len(answer.out.splitlines()) == len(rows) + 1
    found = last_json(answer.out)
    assert found == {"rows": trained[name].predict(rows)}
    keys = {"label", "probabilities"} if name == "messages" else {trained[name].recipe.read().decoder.name}
    assert all(set(row) == keys for row in found["rows"])


@slow
def test_predict_reads_a_file(trained: dict[str, Run], call: Callable[..., Answer], tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("area,orientation\n80,north\n120,south\n")
    answer = call("predict", str(trained["houses"].path), "--file", str(tmp_path / "new.csv"), "--json")
    rows = [{"area": 80, "orientation": "north"}, {"area": 120, "orientation": "south"}]
    assert last_json(answer.out)["rows"] == trained["houses"].predict(rows)
    (tmp_path / "bad.csv").write_text("area\n80\n")
    one_line(call("predict", str(trained["houses"].path), "--file", str(tmp_path / "bad.csv")))
    assert "answers no pictures" in one_line(call("predict", str(trained["houses"].path), "--file", str(tmp_path)))


@slow
def test_evaluate_scores_new_rows(trained: dict[str, Run], call: Callable[..., Answer], tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("x,y\n6,5\n7,6\n8,8\n")
    scores = last_json(call("evaluate", str(trained["line"].path), "--data", str(tmp_path / "new.csv"), "--json").out)
    assert list(scores) == ["scores"]
    assert (scores["scores"]["rows"], scores["scores"]["main"]) == (3, "rmse")
    assert scores["scores"]["rmse"] == pytest.approx(3**-0.5, abs=0.01)
    (tmp_path / "texts.csv").write_text("text,label\nhello,no such intent\n")
    words = ("evaluate", str(trained["messages"].path), "--data", str(tmp_path / "texts.csv"))
    assert "line 2, column 'label'" in one_line(call(*words))


@slow
@slow
def test_predict_names_the_categories_that_training_never_saw(
    trained: dict[str, Run], call: Callable[..., Answer]
) -> None:
    rows = ('{"area": 90, "orientation": "south"}', '{"area": 90, "orientation": "skyward"}')
    known, answer = (call("predict", str(trained["houses"].path), *given, "--json") for given in (rows[:1], rows))
    assert (known.err, "notes" in last_json(known.out)) == ("", False)
    line = "column 'orientation': categories that the network does not know, and takes for one: 'skyward'"
    assert answer.err == f"{line}\n"
    assert last_json(answer.out)["notes"] == [line]
    assert len(last_json(answer.out)["rows"]) == 2


def test_runs_and_compare_show_the_scores(trained: dict[str, Run], call: Callable[..., Answer]) -> None:
    folder = str(trained["line"].path.parent)
    listed = last_json(call("runs", "--runs", folder, "--json").out)["runs"]
    assert {Path(run["run"]).name: run["scores"]["main"] for run in listed} == {
        "line": "rmse", "houses": "rmse", "messages": "accuracy", "long": "rmse"
    }  # fmt: skip
    shown = call("compare", "line", "houses", "--runs", folder).out
    assert "rmse" in shown
    assert "sample:line" in shown


@slow
def test_a_completed_run_is_not_resumed(trained: dict[str, Run], call: Callable[..., Answer]) -> None:
    answer = call("resume", str(trained["line"].path), "--json")
    assert answer.code == 0
    assert "nothing to resume" in answer.out
    assert last_json(answer.out)["state"] == "completed"


@slow
def test_train_piped_speaks_in_plain_lines_and_ends_with_json(runs: Path) -> None:
    answer = end(start("train", "linear_regression", "--data", "sample:line", "--epochs", "3", "--json"))
    assert (answer.code, answer.err) == (0, "")
    assert "\x1b" not in answer.out
    epochs = [line.split(":")[0] for line in answer.out.splitlines() if line.startswith("epoch")]
    assert epochs == ["epoch 1", "epoch 2", "epoch 3"]
    found = last_json(answer.out)
    assert set(found) == {"run", "state", "scores"}
    assert Path(found["run"]).parent == runs
    assert (found["state"], found["scores"]["main"], found["scores"]["rows"]) == ("completed", "rmse", 5)
    assert all(
        isinstance(value, (int, float)) for name, value in found["scores"].items() if name not in ("main", "split")
    )


@slow
@pytest.mark.parametrize("how", ["Ctrl-C", "kerasllm stop"])
def test_a_stopped_training_leaves_with_130_and_ends_the_same_when_resumed(
    how: str, runs: Path, trained: dict[str, Run]
) -> None:
    flags = [f"--{name}={value}" for name, value in LONG.items()]
    process = start("train", "linear_regression", "--name", "broken", "--json", *flags)
    run = Run(runs / "broken")
    wait_for_an_epoch(run, process)
    if how == "Ctrl-C":
        process.send_signal(signal.SIGINT)
    else:
        assert end(start("stop", "last")).code == 0
    answer = end(process)
    assert (answer.code, answer.err) == (130, "")
    assert last_json(answer.out)["state"] == "stopped"
    assert 0 < len(run.epochs) < 300
    assert len(run.predict([{"area": 90, "orientation": "south"}])) == 1

    answer = end(start("resume", "broken", "--json"))
    assert (answer.code, answer.err) == (0, "")
    assert "epoch 300: " in answer.out, "progress is shown while it goes on"
    assert last_json(answer.out)["state"] == "completed"
    assert run.report["weights"] == trained["long"].report["weights"]


@slow
def test_train_on_a_terminal_shows_the_time_left(runs: Path) -> None:
    shown = on_a_terminal(["train", "linear_regression", "--epochs", "200", "--batch-size", "16"])
    assert " s left" in shown
    assert "/200" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert Run(next(runs.iterdir())).state == "completed"
