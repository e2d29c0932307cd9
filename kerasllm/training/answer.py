"""Answer with a run's model: predict rows, evaluate labelled ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kerasllm.errors import InputError

import keras

import numpy as np

from kerasllm import encoders
from kerasllm.data import Examples, Rows
from kerasllm.run import Run
from kerasllm.training.batches import Batches

ROWS = 256  # in one batch


def load_model(run: Run) -> keras.Model:
    """The run's finished (or stopped) network."""
    path = run.path / "model.keras"
    if not path.exists():
        raise InputError(f"{run.name} is {run.state} and has no model yet")
    return keras.saving.load_model(path, compile=False)


def outputs(model: keras.Model, inputs: dict[str, Any]) -> np.ndarray:
    """The network's outputs for encoded rows, in their order."""
    count = len(next(iter(inputs.values())))
    batches = Batches(Examples(inputs, np.zeros(count)), ROWS)
    found: np.ndarray | None = None
    for rows, length in batches.plan:
        answers = keras.ops.convert_to_numpy(model.predict_on_batch(batches.batch(rows, length)[0]))
        if found is None:
            found = np.empty((count, *answers.shape[1:]), answers.dtype)
        found[rows] = answers
    assert found is not None
    return found


def first(rows: Rows, most: int) -> Rows:
    """The first `most` rows (texts or columns)."""
    if len(rows) <= most:
        return rows
    features = rows.features
    cut = {name: cells[:most] for name, cells in features.items()} if isinstance(features, dict) else features[:most]
    return Rows(cut, rows.truth[:most])
