"""Answer with a run's model: predict rows, evaluate labelled ones."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kerasllm.data import Examples
from kerasllm.errors import InputError
from kerasllm.run import Run
from kerasllm.training.batches import Batches

ROWS = 256  # in one batch


def load_model(run: Run) -> keras.Model:
    """The run's finished (or stopped) network."""
    path = run.path / "model.keras"
    if not path.exists():
        raise InputError(f"{run.name} is {run.state} and has no model yet")
    return keras.saving.load_model(path, compile=False)


def outputs(model: keras.Model, inputs: dict[str, Any], parts: int = 1) -> np.ndarray:
    """The network's outputs for encoded rows, in their order; `parts` devices share the work."""
    count = len(next(iter(inputs.values())))
    batches = Batches(Examples(inputs, np.zeros(count)), ROWS * parts, parts=parts)
    answers = np.asarray(model.predict(batches, verbose=0))[:count]  # only the last batch is filled up
    found = np.empty_like(answers)
    found[np.concatenate([rows for rows, _ in batches.plan])] = answers
    return found
