"""The checkpoint: one file with all that a training needs to go on as if it had never stopped.

Every variable of the model (dropout's seeds too), the optimizer and the metrics; epoch and batch; the state of
early stopping and its best weights. Arrays in an .npz without pickles.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasllm.errors import InputError
from kerasllm.run.files import replace


@dataclass
class Progress:
    """Where a training stands: the next batch to train, and what early stopping remembers."""

    epoch: int = 0
    batch: int = 0
    step: int = 0  # batches trained in all
    best: float | None = None
    best_epoch: int = 0
    waited: int = 0
    trained: dict[str, float] = field(default_factory=dict)  # an epoch's training logs, while its validation is due
    best_weights: list[np.ndarray] = field(default_factory=list)


def variables(model: keras.Model) -> list[Any]:
    """All variables of a compiled model, each once, in an order that depends on the model alone."""
    found = {id(one): one for one in (*model.variables, *model.metrics_variables, *model.optimizer.variables)}
    return list(found.values())


def path(folder: Path) -> Path:
    """Where a run's checkpoint lies."""
    return folder / "checkpoint" / "state.npz"


def save(folder: Path, model: keras.Model, progress: Progress) -> None:
    """Replace the checkpoint."""
    arrays = {f"variable_{i}": keras.ops.convert_to_numpy(one) for i, one in enumerate(variables(model))}
    if not all(np.isfinite(array).all() for array in arrays.values()):
        return  # a checkpoint of NaN would overwrite the last good one; the loss will tell
    arrays |= {f"best_{i}": array for i, array in enumerate(progress.best_weights)}
    numbers = {name: value for name, value in asdict(progress).items() if name != "best_weights"}
    arrays["progress"] = np.frombuffer(json.dumps(numbers).encode(), "uint8")
    target = path(folder)
    target.parent.mkdir(exist_ok=True)
    replace(target, lambda file: np.savez(file, **arrays))


def load(folder: Path) -> tuple[Progress, list[np.ndarray]] | None:
    """The progress and the variables' values, or None where there is no checkpoint yet."""
    if not path(folder).exists():
        return None
    with np.load(path(folder), allow_pickle=False) as file:
        numbers = json.loads(file["progress"].tobytes())
        values = [file[f"variable_{i}"] for i in range(sum(name.startswith("variable_") for name in file.files))]
        best = [file[f"best_{i}"] for i in range(sum(name.startswith("best_") for name in file.files))]
    return Progress(**numbers, best_weights=best), values


def restore(model: keras.Model, values: list[np.ndarray]) -> None:
    """Put saved values back into the model, its metrics and its optimizer."""
    places = variables(model)
    if len(places) != len(values):
        raise InputError(
            "the checkpoint does not fit the network: it was written by another version; train again",
            "检查点与网络不符：它由另一版本写成；请重新训练",
        )
    for place, value in zip(places, values, strict=True):
        place.assign(value)
