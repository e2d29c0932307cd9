"""Answer with a run's model: predict rows, evaluate labelled ones."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kerasllm.data import Examples
from kerasllm.errors import InputError
from kerasllm.run import Run
from kerasllm.training import checkpoint, devices
from kerasllm.training.batches import Batches

ROWS = 256  # in one batch, at most
CELLS = 1 << 15  # places for ids in one batch, at most: attention needs memory for each


def load_model(run: Run) -> keras.Model:
    """The run's finished (or stopped) network."""
    path = run.path / "model.keras"
    if not path.exists():
        raise InputError(f"{run.name} is {run.state} and has no model yet")
    return keras.saving.load_model(path, compile=False)


def load_checkpoint(run: Run) -> keras.Model:
    """The network as it stood at the run's last checkpoint, also while the run goes on. The data is read again."""
    found = checkpoint.load(run.path)
    if not found:
        minutes = run.recipe.checkpoint_minutes
        raise InputError(f"{run.name} has no checkpoint yet; the first comes after {minutes:g} minutes, or at a stop")
    with devices.scope(run.recipe.device):
        model = run.recipe.build(run.recipe.read())
        twin = run.recipe.twin(model)
        # The network's own variables come first; metrics' and the optimizer's follow.
        for place, value in zip(twin.variables, found[1], strict=False):
            place.assign(value)
    return model


def outputs(model: keras.Model, inputs: dict[str, Any]) -> np.ndarray:
    """The network's outputs for encoded rows, in their order."""
    count = len(next(iter(inputs.values())))
    longest = max((len(row) for row in inputs.get("ids", [])), default=1)
    rows = max(1, min(ROWS, CELLS // longest))
    batches = Batches(Examples(inputs, np.zeros(count)), rows * devices.parts())
    answers = np.asarray(model.predict(batches, verbose=0))[:count]  # only the last batch is filled up
    found = np.empty_like(answers)
    found[np.concatenate([rows for rows, _ in batches.plan])] = answers
    return found
