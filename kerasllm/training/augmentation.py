"""Pictures a little different in each epoch: shifted, mirrored, with a piece cut out, as a pure function of the row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasllm.data import Examples
from kerasllm.training.batches import Batches


@dataclass(frozen=True)
class Augmentation:
    """What is done to training pictures; with all of it at 0, nothing."""

    shift: float = 0.0  # of the side, at most, in each direction; what moves in is the edge mirrored
    flip: bool = False  # half of the pictures, left to right
    cutout: float = 0.0  # side of a square of middle grey, as a share of the picture's (DeVries and Taylor 2017)


class AugmentedBatches(Batches):
    """Batches of pictures; what happens to a row is drawn anew for each (seed, epoch)."""

    def __init__(self, examples: Examples, batch_size: int, seed: int, augmentation: Augmentation) -> None:
        self._augmentation = augmentation
        super().__init__(examples, batch_size, seed)

    def begin(self, epoch: int, start: int = 0) -> None:
        """Turn to an epoch: order the rows, and draw what happens to each."""
        super().begin(epoch, start)
        pixels = self.examples.inputs["pixels"]
        assert isinstance(pixels, np.ndarray)
        rows, side = pixels.shape[:2]
        draw = np.random.default_rng([self._seed or 0, epoch, 2])
        most = min(round(self._augmentation.shift * side), side - 1)
        self._moves = draw.integers(-most, most, (2, rows), "int32", endpoint=True)
        self._mirrored = draw.random((rows, 1)) < (0.5 if self._augmentation.flip else 0.0)
        self._holes = draw.integers(0, side, (2, rows), "int32")

    def batch(self, rows: np.ndarray, length: int) -> tuple[Any, ...]:
        """One batch, its pictures changed."""
        inputs, *rest = super().batch(rows, length)
        return {**inputs, "pixels": self._changed(inputs["pixels"], self._filled(rows))}, *rest

    def _changed(self, pixels: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """(B, S, S, C) -> the same; each picture's rows and columns are picked by their shifted places."""
        side = pixels.shape[1]
        places = np.arange(side, dtype="int32")
        down, across = (_reflected(places + moves[rows, None], side) for moves in self._moves)  # (B, S)
        across = np.where(self._mirrored[rows], across[:, ::-1], across)
        pixels = pixels[np.arange(len(rows))[:, None, None], down[:, :, None], across[:, None, :]]
        half = self._augmentation.cutout * side / 2
        if half:
            inside = [abs(places - middles[rows, None]) < half for middles in self._holes]
            pixels[inside[0][:, :, None] & inside[1][:, None, :]] = 127
        return pixels


def _reflected(places: np.ndarray, side: int) -> np.ndarray:
    """Places outside of 0 to side - 1 mirrored back in."""
    last = max(side - 1, 1)
    places = abs(places) % (2 * last)
    return np.minimum(places, 2 * last - places)
