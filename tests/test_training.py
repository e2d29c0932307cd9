"""Training in this process: diverging, best weights, class weights, what a network reaches."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kerasllm
from kerasllm.errors import InputError
from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.recipes.text_classifier import TextClassifier
from kerasllm.run import create, files
from kerasllm.run.writer import Writer
from tests.conftest import HOUSES

pytestmark = pytest.mark.slow

keras = pytest.importorskip("keras", reason="the train extra is not installed")

from kerasllm.training import checkpoint, fit  # noqa: E402
from kerasllm.training.recorder import Recorder  # noqa: E402


def test_the_weights_do_not_depend_on_the_users_defaults() -> None:
    recipes = [LinearRegression(**HOUSES, epochs=2), TextClassifier(epochs=1, weighted=False, embedding_size=4)]
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


def test_the_time_that_is_left_does_not_count_what_the_first_step_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    class Compiling(keras.callbacks.Callback):
        is_first = True

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            time.sleep(2 if self.is_first else 0.02)
            self.is_first = False

    left = []
    update = Writer.update
    monkeypatch.setattr(Writer, "update", lambda self, **news: left.append(news.get("eta")) or update(self, **news))
    LinearRegression(**HOUSES, epochs=10).train(callbacks=[Compiling()])  # 100 steps
    told = [seconds for seconds in left if seconds]
    assert told
    assert max(told) < 20
