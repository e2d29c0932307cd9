"""Stopping and going on in this process: the same weights as if never stopped, and what is refused."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

from kerasllm.batch.points import Point, Source
from kerasllm.errors import InputError
from kerasllm.notebook import drawn
from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.recipes.text_classifier import TextClassifier
from kerasllm.run import Run, create, files
from tests.conftest import HOUSES, asked_to_stop

pytestmark = pytest.mark.slow

keras = pytest.importorskip("keras", reason="the train extra is not installed")

from kerasllm.training import answer, checkpoint  # noqa: E402


def curve(run: Run) -> list[tuple[float, float]]:
    return [(line["loss"], line["val_loss"]) for line in run.epochs]


@pytest.mark.parametrize(
    ("moment", "step", "reached"), [("on_train_batch_begin", 44, 45), ("on_test_batch_begin", 48, 48)]
)
def test_a_stop_leaves_a_valid_model_and_going_on_ends_as_if_never_stopped(
    moment: str, step: int, reached: int
) -> None:
    recipe = LinearRegression(**HOUSES, epochs=30, validation="0.2", early_stopping=25)
    whole = recipe.train(name="whole")
    run = create(recipe, name="stopped")
    with asked_to_stop(step, moment):
        run.resume()
    assert run.state == "stopped"
    stopped = run.predict([{"area": 100, "orientation": "south"}])[0]["price"]
    assert np.isfinite(stopped)
    assert run.status["step"] == reached
    assert len(run.epochs) == 5  # of 8 steps each; the sixth is not yet trained, or not validated
    assert run.resume().state == "completed"
    assert run.report["weights"] == whole.report["weights"]
    assert run.predict([{"area": 100, "orientation": "south"}]) != stopped  # not the model loaded before
    assert curve(run) == curve(whole)


def test_a_validation_that_is_begun_again_stops_too() -> None:
    recipe = LinearRegression(**HOUSES, epochs=6, validation="0.2")
    whole = recipe.train(name="whole")
    run = create(recipe, name="stopped")
    with asked_to_stop(48, "on_test_batch_begin"):
        for session in (1, 2, 3):
            assert run.resume().state == "stopped"
            assert (len(run.sessions), len(run.epochs), run.status["step"]) == (session, 5, 48)
    assert run.resume().state == "completed"
    assert run.report["weights"] == whole.report["weights"]
    assert curve(run) == curve(whole)


@pytest.mark.parametrize("recipe", [LinearRegression(**HOUSES, epochs=5), TextClassifier(epochs=1)])
def test_a_stop_asked_before_the_start_holds(recipe: LinearRegression | TextClassifier) -> None:
    run = create(recipe, name="early")
    run.stop()
    assert run.resume().state == "stopped"
    assert run.resume().state == "completed"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_with_a_valid_model_and_gives_the_signal_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch == 2:
                os.kill(os.getpid(), number)

    run = LinearRegression(**HOUSES, epochs=1000).train(callbacks=[Interrupt()])
    assert run.state == "stopped"
    assert len(run.epochs) == 3
    assert run.model.count_params() > 0
    assert signal.getsignal(number) is before


def test_a_checkpoint_is_loaded_only_with_the_data_that_the_run_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "load", lambda path: (None, []))
    path = tmp_path / "line.csv"
    path.write_text("x,y\n" + "".join(f"{x},{2 * x}\n" for x in range(30)))
    recipe = LinearRegression(data=str(path))

    def begun(data: dict[str, str], replayable: bool) -> Run:
        run = create(recipe, replayable=replayable)
        files.append_line(run.path / "sessions.jsonl", {"data": data})
        return run

    framed = begun({}, replayable=False)
    with pytest.raises(InputError, match="given in Python"):
        answer.load_checkpoint(framed)
    whole, watched = (begun(recipe.fingerprints(), replayable) for replayable in (True, False))
    for run in (whole, watched):  # one with callbacks is no other in this
        assert answer.load_checkpoint(run).inputs
    path.write_text("x,y,z\n" + "1,2,3\n" * 30)
    for run in (whole, watched):
        with pytest.raises(InputError, match=r"line.csv has changed since"):
            answer.load_checkpoint(run)


def test_changed_data_or_another_backend_is_refused_and_nothing_is_touched(tmp_path: Path) -> None:
    path = tmp_path / "line.csv"
    path.write_text("x,y\n" + "".join(f"{x},{2 * x}\n" for x in range(30)))
    run = LinearRegression(data=str(path), epochs=3).train()
    status = {**run.status, "state": "stopped"}
    files.replace_json(run.path / "status.json", status)
    text = (run.path / "sessions.jsonl").read_text("utf-8")

    (run.path / "sessions.jsonl").write_text(
        text.replace(f'"backend": "{keras.config.backend()}"', '"backend": "other"')
    )
    with pytest.raises(InputError, match="began on other, this is"):
        run.resume()
    (run.path / "sessions.jsonl").write_text(text)
    path.write_text(path.read_text() + "31,62\n")
    with pytest.raises(InputError, match=r"line\.csv has changed"):
        run.resume()
    assert json.loads((run.path / "status.json").read_text("utf-8")) == json.loads(json.dumps(status))


@pytest.mark.parametrize("source", ["linear_regression", "mine.ipynb"])
def test_a_run_whose_data_was_looked_at_when_it_was_reserved_trains_on_that_or_not_at_all(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("line.csv").write_text("x,y\n" + "".join(f"{x},{2 * x}\n" for x in range(30)))
    nbformat.write(drawn(LinearRegression), "mine.ipynb")
    points = Source(source)
    (values,) = points.check([Point({"data": str(tmp_path / "line.csv"), "epochs": "1"})])
    first, second = (points.reserve(values, str(tmp_path / "runs"), name) for name in ("first", "second"))

    def train(run: Run) -> Run:
        """As a batch's worker does, or the kernel of a notebook's run."""
        if source == "linear_regression":
            return run.resume()
        monkeypatch.setenv("KERASLLM_RUN", str(run.path))
        return LinearRegression(**values).train()

    train(first)
    assert first.state == "completed"
    Path("line.csv").write_text("x,y\n1,2\n")
    with pytest.raises(InputError, match=r"line\.csv has changed since second began"):
        train(second)


def test_a_run_without_a_checkpoint_starts_over() -> None:
    run = create(LinearRegression(**HOUSES, epochs=3), name="fresh")
    assert run.resume().state == "completed"
    assert run.report["weights"] == LinearRegression(**HOUSES, epochs=3).train().report["weights"]


def test_a_run_from_another_folder_finds_its_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "line.csv").write_text("x,y\n1,1\n2,2\n3,3\n")
    monkeypatch.chdir(tmp_path)
    run = create(LinearRegression(data="line.csv", epochs=2).anchored())
    monkeypatch.chdir("/")
    assert run.resume().state == "completed"
