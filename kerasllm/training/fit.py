"""Train a run: read, build, fit, save, score. The one path of every surface."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from kerasllm.data import Data, Examples
from kerasllm.recipe import Recipe
from kerasllm.run import Run, files
from kerasllm.run.writer import Writer
from kerasllm.training import checkpoint, devices, provenance
from kerasllm.training.checkpoint import Progress
from kerasllm.training.optimizers import optimizer
from kerasllm.training.recorder import DivergedError, Recorder, StopAskedError

SCORED = 10_000  # training rows scored at most; all of the held-out ones are


def train(
    run: Run,
    writer: Writer,
    data: Data,
    fingerprints: dict[str, str],
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    """Train to the end, to a stop, or to an error; the run's folder tells which."""
    recipe = run.recipe
    session = {"time": time.time(), "pid": os.getpid(), **provenance.session(recipe.device), "data": fingerprints}
    began = run.sessions[0] if run.sessions else session
    files.append_line(run.path / "sessions.jsonl", session)
    notes = [note for note in (provenance.change(began, session), provenance.unused(recipe.device, session)) if note]
    writer.update(
        phase="building the network",
        device=provenance.line(session),
        note="; ".join(note for note, _ in notes),
        note_zh="；".join(zh for _, zh in notes),
    )
    with devices.scope(recipe.device), devices.memory(recipe.batch_size):
        examples = replace(data.training, weights=recipe.weights(data.training.targets))
        model = recipe.build(data)
        try:
            with devices.synchronized(model):
                recorder = _fit(run, writer, recipe, data, examples, model, callbacks)
        except StopAskedError:
            _save_model(run, model)
            writer.end("stopped")
            return
        except DivergedError as error:
            _save_model(run, model)
            writer.end("failed", str(error), error.zh)
            raise
        writer.update(phase="scoring", eta=None)
        _save_model(run, model)
        _score(run, recipe, data, model, recorder)
    writer.end("completed")


def _fit(
    run: Run,
    writer: Writer,
    recipe: Recipe,
    data: Data,
    examples: Examples,
    model: keras.Model,
    callbacks: Sequence[keras.callbacks.Callback],
) -> Recorder:
    """Compile, and fit from the checkpoint, if there is one, to the end; the model ends with the final weights."""
    batches = recipe.batches(examples, recipe.seed)
    held_out = recipe.batches(data.examples(data.validation)) if data.validation else None
    epochs = recipe.passes(len(batches.plan), data)
    twin = recipe.twin(model)
    twin.compile(
        optimizer(recipe, steps=epochs * len(batches.plan)),
        loss=recipe.loss(),
        # Rows that only fill a batch up for several devices have the weight 0.
        **{"metrics" if devices.parts() == 1 else "weighted_metrics": recipe.metrics()},
        jit_compile=devices.jit_compile(),
    )
    twin.optimizer.build(twin.trainable_variables)
    found = checkpoint.load(run.path)
    progress = found[0] if found else Progress()
    files.cut_lines(run.path / "history.jsonl", lambda line: line["step"] <= progress.step)
    recorder = Recorder(writer, recipe, epochs, batches, progress)
    recorder.set_model(twin)
    writer.update(phase="compiling", epoch=progress.epoch, epochs=epochs)
    try:
        if found:
            twin.test_on_batch(*batches.batch(*batches.plan[0]))  # makes the metrics' variables
            recorder.restore(found[1])
        if progress.trained:  # it was stopped in an epoch's validation
            validated = twin.evaluate(held_out, callbacks=[recorder], return_dict=True, verbose=0)
            recorder.on_epoch_end(
                progress.epoch, progress.trained | {f"val_{name}": value for name, value in validated.items()}
            )
        done = progress.epoch >= epochs or 0 < recipe.early_stopping <= progress.waited
        # A half-done epoch is a fit of its own: its dataset is shorter.
        ends = [] if done else [progress.epoch + 1, epochs] if progress.batch else [epochs]
        for end in ends:
            batches.begin(progress.epoch, progress.batch)
            twin.fit(
                batches,
                validation_data=held_out,
                initial_epoch=progress.epoch,
                epochs=end,
                callbacks=[recorder, *callbacks],
                verbose=0,
                shuffle=False,
            )
            if twin.stop_training:
                break
        recorder.keep_best()
    except StopAskedError:
        if progress.step:  # before the first batch there is nothing to go on from, nor are there all variables
            recorder.save()
        recorder.keep_best()
        raise
    except DivergedError:
        recorder.keep_good()
        raise
    return recorder


def weights_hash(model: keras.Model) -> str:
    """SHA-256 over the weights, sorted by path: of each its path, dtype, shape and bytes."""
    digest = hashlib.sha256()
    for weight in sorted(model.weights, key=lambda weight: weight.path):
        value = keras.ops.convert_to_numpy(weight)
        digest.update(f"{weight.path} {value.dtype} {value.shape}\n".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()


def _save_model(run: Run, model: keras.Model) -> None:
    path = run.path / "model.keras"
    with files.replacing(path) as temporary:
        model.save(temporary)


def _score(run: Run, recipe: Recipe, data: Data, model: keras.Model, recorder: Recorder) -> None:
    """Write scores.json and the figures; the main split is the test rows, else validation, else training."""
    report: dict[str, Any] = {"weights": weights_hash(model), "splits": {}}
    for name, rows in (("train", data.train), ("validation", data.validation), ("test", data.test)):
        if not rows:
            continue
        truth, places = rows.truth, None
        if name == "train":
            # Spread over the file: files are often sorted by class.
            places = np.linspace(0, len(rows) - 1, min(len(rows), SCORED)).astype(int)
            # By number: of large pictures a copy of so many may be more than the memory holds.
            examples, truth = data.training, [truth[place] for place in places]
        else:
            examples = data.examples(rows)
        report["splits"][name], outputs = recipe.measure(model, examples, truth, data.decoder, places)
        report["split"] = name
    pictures = recipe.figures(truth, outputs, data.decoder)
    if speed := recipe.speed(model):
        report["speed"] = speed
    if recipe.early_stopping:
        report["best_epoch"] = recorder.progress.best_epoch
    files.replace_json(run.path / "scores.json", report)

    from kerasllm import figures

    curves = [name for name in ("loss", "accuracy") if run.epochs and name in run.epochs[0]]
    pictures |= {f"curve_{name}": figures.curve(run.epochs, name) for name in curves}
    (run.path / "figures").mkdir(exist_ok=True)
    for name, picture in pictures.items():
        with files.replacing(run.path / "figures" / f"{name}.png") as temporary:
            figures.save(picture, temporary)
