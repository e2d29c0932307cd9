"""A straight line (or plane) through numeric and categorical columns: one Dense layer.

Mirrors the listing `Sequential([Dense(1)])`, SGD, mean squared error, of "AI 大模型在创业产品迭代中的作用", section
5.2.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers, ops, regularizers


def linear(
    numbers: int,
    categories: Sequence[int] = (),
    *,
    mean: Sequence[float] | None = None,
    variance: Sequence[float] | None = None,
    target_mean: float = 0.0,
    target_variance: float = 1.0,
    turn: tuple[np.ndarray, np.ndarray] | None = None,
    l1: float = 0.0,
    l2: float = 0.0,
    dtype: str = "float32",
) -> keras.Model:
    """Build the network.

    Args:
        numbers: count of numeric columns, N.
        categories: for each of C categorical columns the count of its values; one column of weights each.
        mean, variance: of the numeric columns, N values each (default 0 and 1).
        target_mean, target_variance: of the target; the answer is scaled back by them.
        turn: a fixed (D, K) matrix and (K,) offset between the D scaled columns and the dense layer, so that
            gradient descent gets to the end in a few steps where it might need millions (`decorrelating` and
            `evened` compute it). The weights per column are then the matrix times the dense layer's weights.
        l1, l2: penalties on the dense layer's weights.
        dtype: Keras dtype policy of the dense layers.

    Inputs: `numbers` (B, N) float32 and `categories` (B, C) int32, each where N or C is not 0.
    Outputs: `value` (B, 1) in the target's unit. The layer `standardized` before it answers in standard deviations
    of the target: train up to there.
    """
    inputs, parts = {}, []
    if numbers:
        inputs["numbers"] = keras.Input((numbers,), name="numbers", dtype="float32")
        scale = layers.Normalization(
            mean=np.zeros(numbers) if mean is None else np.asarray(mean),
            variance=np.ones(numbers) if variance is None else np.asarray(variance),
            dtype="float32",
            name="scaled",
        )
        parts.append(scale(inputs["numbers"]))  # (B, N)
    if len(categories):
        inputs["categories"] = keras.Input((len(categories),), name="categories", dtype="int32")
        for place, size in enumerate(categories):
            parts.append(ops.one_hot(inputs["categories"][:, place], size))  # (B,) -> (B, size)
    columns = layers.Concatenate(name="columns")(parts) if len(parts) > 1 else parts[0]  # (B, D)
    if turn:
        turned = layers.Dense(
            turn[0].shape[1], kernel_initializer="zeros", trainable=False, dtype="float32", name="turned"
        )
        columns = turned(columns)  # (B, D) -> (B, K)
    standardized = layers.Dense(
        1,
        kernel_initializer="zeros",  # it starts as the mean predictor
        kernel_regularizer=regularizers.L1L2(l1, l2) if l1 or l2 else None,
        dtype=dtype,
        name="standardized",
    )(columns)
    value = layers.Normalization(
        mean=[target_mean], variance=[target_variance], invert=True, dtype="float32", name="value"
    )(standardized)
    model = keras.Model(inputs, value, name="linear")
    if turn:
        turned.set_weights(turn)
    return model


def design(model: keras.Model, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """(rows, D): the scaled columns and one-hot categories that the dense layer of `linear` sees."""
    part = keras.Model(model.inputs, model.get_layer("standardized").input)
    return np.asarray(part.predict(inputs, batch_size=4096, verbose=0))


def decorrelating(columns: np.ndarray, tolerance: float = 1e-5) -> tuple[np.ndarray, np.ndarray]:
    """The turn of (rows, D) columns into K <= D uncorrelated ones of mean 0 and variance 1 (PCA whitening).

    Squared error is then a round bowl, and gradient descent walks straight down to least squares. Directions whose
    variance is below `tolerance` of the largest are left out, as in a pseudo-inverse: they are copies of others, or so
    nearly that their weights would be huge and mean nothing for new rows.
    """
    variances, directions = _spread(columns)
    kept = variances > tolerance * variances[-1]
    matrix = directions[:, kept] / np.sqrt(variances[kept])
    return matrix, -columns.mean(axis=0, dtype="float64") @ matrix


def evened(columns: np.ndarray, l1: float, l2: float) -> tuple[tuple[np.ndarray, np.ndarray], float, float]:
    """The turn that only centres the columns and makes the steepest direction's variance 1, and l1 and l2 to match.

    A penalty belongs to the columns themselves, so they cannot be mixed; scaled, any step size below 1 descends.
    """
    steepest = float(np.sqrt(_spread(columns)[0][-1]))
    matrix = np.eye(columns.shape[1]) / steepest
    return (matrix, -columns.mean(axis=0, dtype="float64") @ matrix), l1 / steepest, l2 / steepest**2


def _spread(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variances of the columns' principal directions, ascending, and the directions, (D, D)."""
    size = columns.shape[1]
    return np.linalg.eigh(np.cov(columns.astype("float64"), rowvar=False, ddof=0).reshape(size, size))
