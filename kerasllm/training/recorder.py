"""Recorder: the Keras callback that writes a training down, stops it when asked, and keeps the best weights."""

from __future__ import annotations

import math
import time
from typing import Any, NoReturn

import keras
import numpy as np

from kerasllm.errors import InputError
from kerasllm.recipe import Recipe
from kerasllm.run import files
from kerasllm.run.writer import Writer
from kerasllm.training import checkpoint
from kerasllm.training.batches import Batches
from kerasllm.training.checkpoint import Progress

REPORT = 0.5  # seconds between two looks at the metrics within an epoch


class StopAskedError(Exception):
    """Somebody asked the training to stop."""


class DivergedError(InputError):
    """The loss is no number any more."""


class Recorder(keras.callbacks.Callback):
    """It acts before each batch, when nothing is under way, and needs no batch's logs: fit goes on unhindered."""

    def __init__(self, writer: Writer, recipe: Recipe, epochs: int, batches: Batches, progress: Progress) -> None:
        super().__init__()
        self.writer = writer
        self.progress = progress
        self._recipe, self._epochs = recipe, epochs
        self._batches = batches
        self._metrics: list[np.ndarray] | None = None
        self._history = writer.run.path / "history.jsonl"
        self._steps = len(batches.plan)
        self._reported = self._saved = time.monotonic()
        self._began: tuple[float, int] | None = None  # when the first step was done, which compiles, and how many were
        self._is_first = True
        self._good: list[np.ndarray] = []

    def restore(self, values: list[np.ndarray]) -> None:
        """Put a checkpoint's values back, once the model's metrics exist, and remember its weights."""
        checkpoint.restore(self.model, values)
        self._metrics = [keras.ops.convert_to_numpy(one) for one in self.model.metrics_variables]
        self._good = self.model.get_weights()

    def on_train_begin(self, logs: Any = None) -> None:
        """Remember the weights it starts from."""
        self._good = self.model.get_weights()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Order the rows; Keras has just reset the metrics, so put a half-done epoch's back."""
        self._batches.begin(epoch, self.progress.batch)
        if self._metrics is not None and self.progress.batch:
            for place, value in zip(self.model.metrics_variables, self._metrics, strict=True):
                place.assign(value)
        self._metrics = None

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Between two batches: stop, report, save, each when its time has come."""
        self.progress.batch = self._batches.start + batch
        self.progress.step = self.progress.epoch * self._steps + self.progress.batch
        if self.writer.stop_asked():
            self._stop()
        now = time.monotonic()
        if not self._is_first and self._began is None:
            self._began = now, self.progress.step
        self._is_first = False
        if self.progress.batch and now - self._reported >= REPORT:
            self._reported = now
            self._sync()
            logs = self._logs()
            self._check(logs)
            files.append_line(self._history, {"kind": "step", **self._place(), **logs})
            self._report(logs)
        if self.progress.batch and now - self._saved >= 60 * self._recipe.checkpoint_minutes:
            self._sync()
            self.save()

    def on_test_begin(self, logs: Any = None) -> None:
        """The epoch's batches are trained; Keras is about to reset the metrics for the validation."""
        if not self.progress.trained:
            self._sync()
            trained = self._logs()
            self._check(trained)  # a stop in the validation would keep weights that are no numbers
            self.progress.trained = trained
            self.progress.batch = self._steps
            self.progress.step = (self.progress.epoch + 1) * self._steps

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        """A validation is no reason to wait either."""
        if self.writer.stop_asked():
            self._stop()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write the curve down, judge the epoch, and save when its time has come."""
        logs = {name: float(value) for name, value in (logs or {}).items()}
        self.progress.trained = {}
        self._check(logs)
        self._good = self.model.get_weights()
        self.progress.epoch, self.progress.batch = epoch + 1, 0
        self.progress.step = (epoch + 1) * self._steps
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        files.append_line(self._history, {"kind": "epoch", **self._place(), "learning_rate": rate, **logs})
        self._report(logs)
        if self._recipe.early_stopping:
            self._judge(logs["val_loss"])
        if time.monotonic() - self._saved >= 60 * self._recipe.checkpoint_minutes:
            self.save()
        if self.writer.stop_asked() and self.progress.epoch < self._epochs and not self.model.stop_training:
            self._stop()

    def save(self) -> None:
        """Write a checkpoint of now."""
        checkpoint.save(self.writer.run.path, self.model, self.progress)
        self._saved = time.monotonic()

    def keep_good(self) -> None:
        """Go back to the weights of the last epoch whose loss was a number."""
        self.model.set_weights(self._good)

    def keep_best(self) -> None:
        """Go back to the best epoch's weights, where early stopping keeps them."""
        if self.progress.best_weights:
            self.model.set_weights(self.progress.best_weights)

    def _judge(self, value: float) -> None:
        """Early stopping, as Keras' own, with a state that a checkpoint can hold."""
        now = self.progress
        if now.best is None or value < now.best:
            now.best, now.best_epoch, now.waited = value, now.epoch, 0
            now.best_weights = self.model.get_weights()
        else:
            now.waited += 1
        if now.waited >= self._recipe.early_stopping:
            self.model.stop_training = True

    def _check(self, logs: dict[str, float]) -> None:
        for name, value in logs.items():
            if name.endswith("loss") and not math.isfinite(value):
                epoch, (cause, zh) = self.progress.epoch + 1, self._cause()
                raise DivergedError(
                    f"{name} is {value} in epoch {epoch}: {cause} probably too high; the last good weights are kept",
                    f"{name} 在第 {epoch} 轮变为 {value}：{zh} 可能过大；已保留最后一次正常的权重",
                )

    def _cause(self) -> tuple[str, str]:
        recipe = self._recipe
        penalties = [f"{name} {value:g}" for name in ("l1", "l2") if (value := getattr(recipe, name))]
        rate = f"{recipe.peak_rate():g}"
        if not penalties:
            return f"the learning rate {rate} is", f"学习率 {rate}"
        return f"the learning rate {rate}, or {' and '.join(penalties)}, is", f"学习率 {rate} 或 {'、'.join(penalties)}"

    def _stop(self) -> NoReturn:
        self._sync()
        self.writer.update(step=self.progress.step, epoch=self.progress.epoch)
        raise StopAskedError

    def _logs(self) -> dict[str, float]:
        return {name: float(value) for name, value in self.model.get_metrics_result().items()}

    def _place(self) -> dict[str, Any]:
        done = self.progress
        epoch = done.epoch + done.batch / self._steps
        return {
            "epoch": done.epoch if not done.batch else round(epoch, 4),
            "step": done.step,
            "time": time.time(),
        }

    def _report(self, logs: dict[str, float]) -> None:
        done, total = self.progress.step, self._epochs * self._steps
        since, first = self._began or (0.0, done)
        eta = (time.monotonic() - since) / (done - first) * (total - done) if done > first else None
        self.writer.update(
            phase="training", epoch=self.progress.epoch, epochs=self._epochs,
            step=done, steps=total, eta=eta, metrics=logs,
        )  # fmt: skip

    def _sync(self) -> None:
        """On JAX the variables lag behind while an epoch runs."""
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()
