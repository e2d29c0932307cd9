"""Answer with a run's model: load it as it finished or as it stood at a checkpoint, and run it on rows."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kerasllm import session
from kerasllm.data import Examples
from kerasllm.errors import InputError
from kerasllm.run import Run
from kerasllm.spoken import named
from kerasllm.training import checkpoint, devices
from kerasllm.training.batches import Batches

ROWS = 256  # in one batch, at most
CELLS = 1 << 15  # places for ids in one batch, at most: attention needs memory for each
PIXELS = 1 << 21  # in one batch, at most: convolutions keep many numbers for each


def load_model(run: Run) -> keras.Model:
    """The run's finished (or stopped) network."""
    path = run.path / "model.keras"
    if not path.exists():
        raise InputError(
            f"{run.name} is {run.state} and has no model yet", f"{run.name} 还没有模型（{named(run.state, 'zh')}）"
        )
    return keras.saving.load_model(path, compile=False)


def load_checkpoint(run: Run) -> keras.Model:
    """The network as it stood at the run's last checkpoint, also while the run goes on. The data is read again."""
    found = checkpoint.load(run.path)
    if not found:
        minutes = run.recipe.checkpoint_minutes
        raise InputError(
            f"{run.name} has no checkpoint yet; the first comes after {minutes:g} minutes, or at a stop",
            f"{run.name} 还没有检查点；第一个在 {minutes:g} 分钟后，或停止时写出",
        )
    session.same_data(run)
    with devices.scope(run.recipe.device):
        model = run.recipe.build(run.recipe.read())
        twin = run.recipe.twin(model)
        # The network's own variables come first; metrics' and the optimizer's follow.
        for place, value in zip(twin.variables, found[1], strict=False):
            place.assign(value)
    return model


def outputs(
    model: keras.Model, inputs: dict[str, Any], rows: np.ndarray | None = None, batch_size: int = ROWS
) -> np.ndarray:
    """The network's outputs for encoded rows, in their order; for those numbered `rows` only, where given.

    `batch_size` fitted into the memory in training: of large pictures no more are answered at a time.
    """
    count = len(next(iter(inputs.values())))
    wanted = np.arange(count) if rows is None else rows
    parts = devices.parts()
    batches = Batches(Examples(inputs, np.zeros(count)), _at_once(inputs, batch_size // parts) * parts, rows=wanted)
    answers = np.asarray(model.predict(batches, verbose=0))[: len(wanted)]  # only the last batch is filled up
    found = np.empty((count, *answers.shape[1:]), answers.dtype)
    found[np.concatenate([rows for rows, _ in batches.plan])] = answers
    return found[wanted]


def _at_once(inputs: dict[str, Any], trained: int) -> int:
    """Rows in one batch of a device that trained with `trained`."""
    if "pixels" in inputs:
        fitting = PIXELS // int(np.prod(inputs["pixels"].shape[1:3]))
        return ROWS if fitting >= ROWS else max(1, min(fitting, trained))
    longest = max((len(row) for row in inputs.get("ids", [])), default=1)
    return max(1, min(ROWS, CELLS // longest))
