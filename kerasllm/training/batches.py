"""Examples -> batches: rows in an order that is a pure function of (seed, epoch), texts bucketed by length."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kerasllm.data import Examples, Ragged
from kerasllm.training import devices

LENGTHS = 3  # fixed lengths: each is a compilation under XLA


class Batches(keras.utils.PyDataset):
    """What `model.fit` is fed on every backend: (inputs, targets) or (inputs, targets, weights)."""

    def __init__(
        self,
        examples: Examples,
        batch_size: int,
        seed: int | None = None,
        *,
        lengths: int = LENGTHS,
        rows: np.ndarray | None = None,
    ) -> None:
        """Shuffle by `seed`; None keeps the order (of lengths, where they differ). `lengths` padded ones at most.

        Of all examples, or of those numbered `rows`, which need not be copied then.
        Where devices share the work (`devices.parts`), each batch is filled up with rows of weight 0.
        """
        super().__init__()
        self.examples = examples
        self._size = batch_size
        self._seed = seed
        self._parts = devices.parts()
        self._lengths = _lengths(examples.inputs)
        self._most = lengths
        self._rows = np.arange(len(examples)) if rows is None else rows
        self._looking = True
        self.begin(0)

    def begin(self, epoch: int, start: int = 0) -> None:
        """Turn to an epoch, and in it to batch `start` (a resumed run goes on in the middle)."""
        order = self._rows
        if self._seed is not None:
            order = np.random.default_rng([self._seed, epoch]).permutation(order)
        plan = self._plan(order)
        if self._seed is not None:
            shuffled = np.random.default_rng([self._seed, epoch, 1]).permutation(len(plan))
            plan = [plan[place] for place in shuffled]
        self.plan, self.start = plan, start

    @property
    def num_batches(self) -> int:
        """Batches left in this epoch."""
        return len(self.plan) - self.start

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        if self._looking and self._lengths is not None:
            # Before it iterates, Keras takes the shapes from batches 0 and 1: show it the extremes.
            if self.num_batches == 1:
                return self.batch(*self.plan[-1])
            by_length = sorted(self.plan, key=lambda batch: batch[1])
            return self.batch(*by_length[0 if index == 0 else -1])
        return self.batch(*self.plan[self.start + index])

    def on_epoch_begin(self) -> None:
        """Keras begins to iterate."""
        self._looking = False

    def on_epoch_end(self) -> None:
        """Keras has iterated; it may look again, for another fit."""
        self._looking = True

    def batch(self, rows: np.ndarray, length: int) -> tuple[Any, ...]:
        """One batch; ragged inputs are padded with 0 to `length`, and `mask` (B, length) tells what is not padding."""
        count = len(rows)
        rows = self._filled(rows)
        inputs: dict[str, np.ndarray] = {}
        for name, values in self.examples.inputs.items():
            if isinstance(values, np.ndarray):
                inputs[name] = values[rows]
                continue
            padded = np.zeros((len(rows), length), "int32")
            # Before it fits on several devices, Keras adds up their batches, which TensorFlow refuses booleans.
            mask = np.zeros((len(rows), length), "bool" if self._parts == 1 else "int32")
            for place, row in enumerate(rows):
                padded[place, : len(values[row])] = values[row]
                mask[place, : len(values[row])] = True
            inputs[name], inputs["mask"] = padded, mask
        weights = self.examples.weights
        if self._parts == 1:
            return (inputs, self.examples.targets[rows], *(() if weights is None else (weights[rows],)))
        given = np.ones(len(rows), "float32") if weights is None else weights[rows]
        # Losses are means over all rows: those that count make up for those that do not.
        scale = np.where(np.arange(len(rows)) < count, len(rows) / count, 0).astype("float32")
        return inputs, self.examples.targets[rows], given * scale

    def _filled(self, rows: np.ndarray) -> np.ndarray:
        """Filled up, by its own first rows again, to a number that the devices can share evenly.

        Their weight is 0, but batch normalization sees them: Keras synchronizes none that takes a mask. Rows of the
        batch itself change its mean and variance least.
        """
        return np.resize(rows, len(rows) + -len(rows) % self._parts)

    def _plan(self, order: np.ndarray) -> list[tuple[np.ndarray, int]]:
        """(rows, padded length) of each batch; what does not fill a batch moves up to the next length."""
        if self._lengths is None:
            return [(order[place : place + self._size], 0) for place in range(0, len(order), self._size)]
        edges = _edges(self._lengths[order], self._most)
        bucket = np.searchsorted(edges, self._lengths[order])
        plan: list[tuple[np.ndarray, int]] = []
        rest = order[:0]
        for place, edge in enumerate(edges):
            rows = np.concatenate([rest, order[bucket == place]])
            full = len(rows) // self._size * self._size
            plan += [(rows[i : i + self._size], int(edge)) for i in range(0, full, self._size)]
            rest = rows[full:]
        return [*plan, (rest, int(edges[-1]))] if len(rest) else plan


def _lengths(inputs: dict[str, np.ndarray | Ragged]) -> np.ndarray | None:
    for values in inputs.values():
        if not isinstance(values, np.ndarray):
            return np.array([len(row) for row in values])
    return None


def _edges(lengths: np.ndarray, most: int) -> np.ndarray:
    """From the longest text's length to its quarter in equal ratios: `most` padded lengths, multiples of 8 but for it.

    Coarse on purpose: a text's length often goes with its class, and batches of one length each learn worse.
    """
    longest = lengths.max()
    parts = longest * 4.0 ** -np.linspace(0, 1, most)
    # No longer than the longest: a network may have no position for more.
    return np.unique(np.minimum(-(-parts // 8) * 8, longest)).astype(int)
