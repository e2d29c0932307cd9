"""Training in this process: order, stopping, going on, diverging, best weights, what is refused."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kerasllm
from kerasllm.errors import InputError
from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.recipes.text_classifier import TextClassifier
from kerasllm.run import Run, create, files

pytestmark = pytest.mark.slow

keras = pytest.importorskip("keras", reason="the train extra is not installed")

from kerasllm.data import Examples  # noqa: E402
from kerasllm.training import answer, checkpoint, fit  # noqa: E402
from kerasllm.training import batches as batching  # noqa: E402
from kerasllm.training.batches import Batches  # noqa: E402
from kerasllm.training.optimizers import LearningRate, optimizer  # noqa: E402
from kerasllm.training.recorder import Recorder  # noqa: E402

SMALL: dict[str, Any] = {"data": "sample:houses", "optimizer": "adam", "batch_size": 8, "learning_rate": 0.05}


def ragged(count: int = 100) -> Examples:
    draw = np.random.default_rng(0)
    rows = [draw.integers(1, 9, draw.integers(1, 60)).astype("int32") for _ in range(count)]
    return Examples({"ids": rows}, np.arange(count, dtype="int32"))


def order(batches: Batches) -> list[int]:
    return [int(row) for rows, _ in batches.plan for row in rows]


def curve(run: Run) -> list[tuple[float, float]]:
    return [(line["loss"], line["val_loss"]) for line in run.epochs]


def test_each_epoch_has_every_row_once_in_an_order_of_its_own() -> None:
    batches = Batches(ragged(), 16, seed=3)
    first = order(batches)
    batches.begin(1)
    assert sorted(first) == sorted(order(batches)) == list(range(100))
    assert order(batches) != first
    batches.begin(0)
    assert order(batches) == first
    assert order(Batches(ragged(), 16, seed=4)) != first


def test_going_on_in_the_middle_shows_the_same_batches() -> None:
    whole, rest = Batches(ragged(), 16, seed=3), Batches(ragged(), 16, seed=3)
    whole.begin(2)
    rest.begin(2, start=3)
    for batches in (whole, rest):
        batches.on_epoch_begin()
    assert rest.num_batches == whole.num_batches - 3
    for index in range(rest.num_batches):
        mine, theirs = rest[index], whole[index + 3]
        assert (mine[0]["ids"] == theirs[0]["ids"]).all()
        assert (mine[1] == theirs[1]).all()


def test_a_look_before_each_fit_shows_two_lengths() -> None:
    """Keras fixes the shapes by batches 0 and 1; the same object is fitted twice when a run goes on in mid-epoch."""
    batches = Batches(ragged(1000), 32, seed=0)
    for epoch, start in ((0, 0), (1, 3)):
        batches.begin(epoch, start)
        lengths = [batches[index][0]["ids"].shape[1] for index in (0, 1)]
        assert lengths == [min(length for _, length in batches.plan), max(length for _, length in batches.plan)]
        batches.on_epoch_begin()
        assert batches[0][0]["ids"].shape[1] == batches.plan[start][1]
        batches.on_epoch_end()


def test_texts_come_in_at_most_six_lengths_padded_and_masked() -> None:
    batches = Batches(ragged(1000), 32, seed=0)
    assert 1 < len({length for _, length in batches.plan}) <= batching.LENGTHS
    batches.on_epoch_begin()
    for inputs, targets in (batches[index] for index in range(batches.num_batches)):
        for ids, mask, row in zip(inputs["ids"], inputs["mask"], targets, strict=True):
            text = batches.examples.inputs["ids"][row]
            assert (ids[mask] == text).all()
            assert mask.sum() == len(text)
            assert not ids[~mask].any()


def test_large_pictures_are_answered_as_few_at_a_time_as_they_were_trained() -> None:
    def at_once(side: int, trained: int) -> int:
        return answer._at_once({"pixels": np.empty((9, side, side, 3), "uint8")}, trained)

    assert at_once(28, 4) == answer.ROWS
    assert at_once(224, 8) == 8
    assert at_once(224, 5000) == answer.PIXELS // 224**2
    assert at_once(4096, 64) == 1


def test_rows_are_answered_by_number_without_a_copy_of_them() -> None:
    ids = keras.Input((None,), name="ids", dtype="int32")
    mask = keras.Input((None,), name="mask", dtype="bool")
    model = keras.Model({"ids": ids, "mask": mask}, keras.ops.max(ids, axis=1, keepdims=True))
    inputs = ragged().inputs
    whole = answer.outputs(model, inputs)
    assert whole[:, 0].tolist() == [row.max() for row in inputs["ids"]]
    for rows in (np.array([99, 0, 50]), np.arange(0, 100, 7)):
        assert (answer.outputs(model, inputs, rows) == whole[rows]).all()


@pytest.mark.parametrize("longest", [1, 5, 13, 50, 59])
def test_no_batch_is_longer_than_the_longest_text(longest: int) -> None:
    """A network may have no position for more."""
    texts: Any = [np.ones(1 + place % longest, "int32") for place in range(100)]
    plan = Batches(Examples({"ids": texts}, np.zeros(100)), 16, seed=0).plan
    assert max(length for _, length in plan) == longest


def test_only_one_batch_of_an_epoch_is_not_full() -> None:
    sizes = [len(rows) for rows, _ in Batches(ragged(1000), 32, seed=0).plan]
    assert sorted(sizes)[1:] == [32] * (len(sizes) - 1)


@pytest.mark.parametrize(
    ("moment", "step", "reached"), [("on_train_batch_begin", 44, 45), ("on_test_batch_begin", 48, 48)]
)
def test_a_stop_leaves_a_valid_model_and_going_on_ends_as_if_never_stopped(
    moment: str, step: int, reached: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = LinearRegression(**SMALL, epochs=30, validation="0.2", early_stopping=25)
    whole = recipe.train(name="whole")
    run = create(recipe, name="stopped")
    before_batch = getattr(Recorder, moment)

    def ask(recorder: Recorder, batch: int, logs: Any = None) -> None:
        recorder.writer.interrupted = recorder.progress.step == step
        before_batch(recorder, batch, logs)

    with monkeypatch.context() as patched:
        patched.setattr(Recorder, moment, ask)
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


def test_a_validation_that_is_begun_again_stops_too(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = LinearRegression(**SMALL, epochs=6, validation="0.2")
    whole = recipe.train(name="whole")
    run = create(recipe, name="stopped")
    before_batch = Recorder.on_test_batch_begin

    def ask(recorder: Recorder, batch: int, logs: Any = None) -> None:
        recorder.writer.interrupted = recorder.progress.step == 48
        before_batch(recorder, batch, logs)

    with monkeypatch.context() as patched:
        patched.setattr(Recorder, "on_test_batch_begin", ask)
        for session in (1, 2, 3):
            assert run.resume().state == "stopped"
            assert (len(run.sessions), len(run.epochs), run.status["step"]) == (session, 5, 48)
    assert run.resume().state == "completed"
    assert run.report["weights"] == whole.report["weights"]
    assert curve(run) == curve(whole)


@pytest.mark.parametrize("recipe", [LinearRegression(**SMALL, epochs=5), TextClassifier(epochs=1)])
def test_a_stop_asked_before_the_start_holds(recipe: LinearRegression | TextClassifier) -> None:
    run = create(recipe, name="early")
    run.stop()
    assert run.resume().state == "stopped"
    assert run.resume().state == "completed"


def test_one_batch_left_shows_its_own_length() -> None:
    batches = Batches(ragged(100), 16, seed=3)
    batches.begin(0, start=len(batches.plan) - 1)
    assert batches.num_batches == 1
    assert batches[0][0]["ids"].shape[1] == batches.plan[-1][1]


def test_the_weights_do_not_depend_on_the_users_defaults() -> None:
    recipes = [LinearRegression(**SMALL, epochs=2), TextClassifier(epochs=1, weighted=False, embedding_size=4)]
    plain = [recipe.train().report["weights"] for recipe in recipes]
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        assert [recipe.train().report["weights"] for recipe in recipes] == plain
    finally:
        keras.config.set_dtype_policy("float32")


def test_a_dense_layer_without_an_embedding_size_learns() -> None:
    assert TextClassifier(units=16).train().scores["accuracy"] > 0.5


def test_a_reserved_run_is_not_taken_by_data_that_no_file_replays(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = LinearRegression(data="sample:line", epochs=2)
    reserved = create(recipe, name="reserved")
    monkeypatch.setenv("KERASLLM_RUN", str(reserved.path))
    assert recipe.train({"x": [1, 2, 3], "y": [1, 2, 3]}).path != reserved.path
    assert recipe.train().path == reserved.path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_with_a_valid_model_and_gives_the_signal_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch == 2:
                os.kill(os.getpid(), number)

    run = LinearRegression(**SMALL, epochs=1000).train(callbacks=[Interrupt()])
    assert run.state == "stopped"
    assert len(run.epochs) == 3
    assert run.model.count_params() > 0
    assert signal.getsignal(number) is before


def test_a_diverging_loss_keeps_the_last_good_weights_and_names_the_cause() -> None:
    recipe = LinearRegression(data="sample:diabetes", batch_size=4, learning_rate=10, schedule="constant", epochs=50)
    with pytest.raises(InputError, match=r"loss is (nan|inf) in epoch \d+: the learning rate 10 is probably too high"):
        recipe.train(name="wild")
    run = kerasllm.open("wild")
    assert run.state == "failed"
    assert "learning rate 10" in run.status["message"]
    assert all(np.isfinite(weight).all() for weight in run.model.get_weights())
    found = checkpoint.load(run.path)
    assert found is None or all(np.isfinite(value).all() for value in found[1])


def test_a_validation_that_is_begun_again_and_diverges_is_one_line_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "v.csv").write_text("x,y\n1,1e30\n")  # its squared error is more than float32 holds
    run = create(LinearRegression(data="sample:line", validation=str(tmp_path / "v.csv")), name="wild")
    with monkeypatch.context() as patched:
        patched.setattr(Recorder, "on_test_batch_begin", lambda recorder, *words, logs: recorder._stop())
        assert run.resume().state == "stopped"
    stopped = run.model.get_weights()
    with pytest.raises(InputError, match=r"^val_loss is inf in epoch 1: the learning rate 0.2 is probably too high"):
        run.resume()
    assert (run.state, "learning rate 0.2" in run.status["message"]) == ("failed", True)
    assert all(np.array_equal(one, other) for one, other in zip(stopped, run.model.get_weights(), strict=True))


def test_an_epoch_that_diverged_is_not_validated(monkeypatch: pytest.MonkeyPatch) -> None:
    losses: list[float] = []

    def note(recorder: Recorder, batch: int, logs: Any = None) -> None:
        losses.append(recorder.progress.trained["loss"])

    monkeypatch.setattr(Recorder, "on_test_batch_begin", note)
    wild: dict[str, Any] = {"data": "sample:diabetes", "batch_size": 4, "learning_rate": 10, "schedule": "constant"}
    with pytest.raises(InputError, match=r"^loss is (nan|inf) in epoch \d+: "):
        LinearRegression(**wild, epochs=50, validation="0.2").train()
    assert np.isfinite(losses).all()


def test_early_stopping_keeps_the_best_weights() -> None:
    run = TextClassifier(validation=0.2, early_stopping=3, epochs=60, learning_rate=0.05, schedule="constant").train()
    losses = [line["val_loss"] for line in run.epochs]
    assert len(losses) < 60
    assert len(losses) == int(np.argmin(losses)) + 1 + 3
    assert run.report["best_epoch"] == int(np.argmin(losses)) + 1
    assert run.report["splits"]["validation"]["log_loss"] == pytest.approx(min(losses), rel=1e-4)


def test_balanced_class_weights_make_each_class_count_the_same() -> None:
    targets = np.array([0, 0, 0, 1])
    weights = TextClassifier(class_weights="balanced").weights(targets)
    assert weights is not None
    assert weights[targets == 0].sum() == pytest.approx(weights[targets == 1].sum())
    assert weights.mean() == pytest.approx(1)
    assert TextClassifier().weights(targets) is None


def test_training_takes_a_frame_and_callbacks_and_says_that_it_cannot_be_replayed() -> None:
    import pandas as pd

    seen = []
    frame = pd.DataFrame({"x": range(30), "y": [3 * value + 1 for value in range(30)]})
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs["loss"]))
    run = LinearRegression(test="").train(frame, callbacks=[callback])
    assert run.scores["rmse"] < 1e-2
    assert len(seen) == len(run.history) == 100
    assert run.asked["replayable"] is False
    files.replace_json(run.path / "status.json", {**run.status, "state": "stopped"})
    with pytest.raises(InputError, match="no file can replay"):
        run.resume()


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


def test_a_run_without_a_checkpoint_starts_over() -> None:
    run = create(LinearRegression(**SMALL, epochs=3), name="fresh")
    assert run.resume().state == "completed"
    assert run.report["weights"] == LinearRegression(**SMALL, epochs=3).train().report["weights"]


def test_a_run_from_another_folder_finds_its_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "line.csv").write_text("x,y\n1,1\n2,2\n3,3\n")
    monkeypatch.chdir(tmp_path)
    run = create(LinearRegression(data="line.csv", epochs=2).anchored())
    monkeypatch.chdir("/")
    assert run.resume().state == "completed"


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop", "adagrad"])
def test_every_optimizer_learns(name: Any) -> None:
    run = LinearRegression(**{**SMALL, "optimizer": name, "epochs": 30, "learning_rate": 0.05}).train()
    assert run.epochs[-1]["loss"] < 0.5 * run.epochs[0]["loss"]


def test_an_option_that_an_optimizer_lacks_is_refused() -> None:
    with pytest.raises(InputError, match="momentum is for sgd and rmsprop, not adam"):
        LinearRegression(optimizer="adam", momentum=0.9)


def test_no_weight_decay_means_none() -> None:
    assert not optimizer(LinearRegression(optimizer="adamw"), 10).weight_decay
    assert optimizer(LinearRegression(optimizer="adamw", weight_decay=0.1), 10).weight_decay == 0.1


def test_the_learning_rate_rises_and_falls() -> None:
    rate = LearningRate(1.0, "cosine", steps=100, warmup=10)
    values = [float(rate(step)) for step in range(101)]
    assert values[0] == pytest.approx(0.1)
    assert values[9] == pytest.approx(1.0)
    assert values[55] == pytest.approx(0.5)
    assert values[100] == pytest.approx(0.0, abs=1e-6)
    line = LearningRate(2.0, "linear", steps=10, warmup=0)
    assert [float(line(step)) for step in (0, 5, 10)] == pytest.approx([2.0, 1.0, 0.0])
    assert float(LearningRate(2.0, "constant", steps=10, warmup=0)(9)) == 2.0


def test_bfloat16_computes_in_it_and_keeps_the_weights_in_float32() -> None:
    run = TextClassifier(precision="bfloat16", epochs=2, embedding_size=8, units=8).train()
    layer = run.model.get_layer("hidden")
    assert layer.compute_dtype == "bfloat16"
    assert layer.kernel.dtype == "float32"
    assert run.scores["accuracy"] > 0.15


def test_five_points_are_enough_and_extend_the_line() -> None:
    run = LinearRegression(data="sample:line").train()
    answers = [row["y"] for row in run.predict([6, 7, 8, 9, 10])]
    assert answers == pytest.approx([5, 6, 7, 8, 9], abs=0.05)
    assert run.scores["split"] == "train"
    assert any("no validation or test is held out" in line for line in run.card["warnings"])


def test_houses_end_where_least_squares_ends(shared: Path) -> None:
    from sklearn.linear_model import LinearRegression as LeastSquares

    run = LinearRegression(
        data=str(shared / "california_housing" / "train.csv"), target="median_house_value", test=""
    ).train()
    data = run.recipe.read()
    numbers, categories = (data.training.inputs[name] for name in ("numbers", "categories"))
    columns = np.hstack([numbers, np.eye(categories.max() + 1)[categories[:, 0]]]).astype("float64")
    truth = np.array(data.train.truth)
    closed = LeastSquares().fit(columns, truth).predict(columns)
    rows = {name: cells[:10_000] for name, cells in data.train.features.items()}
    ours = np.array([row["median_house_value"] for row in run.predict(rows)])
    assert np.abs(ours - closed[:10_000]).max() < 0.001 * truth.std()


def test_chinese_reviews_are_told_apart(shared: Path) -> None:
    run = TextClassifier(data=str(shared / "waimai_10k" / "train.csv")).train()
    assert run.scores["accuracy"] > 0.885
    assert run.evaluate({"text": ["太难吃了，再也不点了", "很好吃，送得也快"], "label": ["0", "1"]})["accuracy"] == 1.0


def test_the_hash_changes_with_a_weight_and_not_with_the_process() -> None:
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones", name="one")], name="m"
    )
    before = fit.weights_hash(model)
    assert before == fit.weights_hash(model)
    model.layers[0].kernel.assign([[1.0], [1.0000001]])
    assert fit.weights_hash(model) != before
