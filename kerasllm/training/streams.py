"""Examples -> streams: texts joined end to end, cut into as many streams as a batch has rows, read window by window."""

from __future__ import annotations

import keras
import numpy as np

from kerasllm.data import Examples


class Streams(keras.utils.PyDataset):
    """What `model.fit` is fed to learn what follows what: ({ids, begin}, next ids), every batch of one shape.

    Window after window of each stream, so that a network may carry its state on; `begin` is true in the first window.
    No padding, hence no mask: windows are cut evenly, and where the division leaves a rest, the next stream's first
    tokens are read a second time (less than one token per window).
    """

    def __init__(self, examples: Examples, streams: int, window: int, seed: int | None = None) -> None:
        """By `seed`, each epoch has the texts in another order, and cut at other places; None keeps both."""
        super().__init__()
        self.texts = examples.inputs["ids"]
        self._seed = seed
        length = sum(map(len, self.texts))
        self._starts = np.arange(streams) * length // streams
        windows = -(-length // (streams * window))
        self._window = -(-length // (streams * windows))
        self.plan = [(place,) for place in range(windows)]
        self.begin(0)

    def begin(self, epoch: int, start: int = 0) -> None:
        """Turn to an epoch, and in it to batch `start` (a resumed run goes on in the middle)."""
        texts, shift = list(self.texts), 0
        if self._seed is not None:
            draw = np.random.default_rng([self._seed, epoch])
            texts = [texts[place] for place in draw.permutation(len(texts))]
            shift = int(draw.integers(sum(map(len, texts))))
        self._tokens = np.roll(np.concatenate(texts), -shift)
        self.start = start

    @property
    def num_batches(self) -> int:
        """Batches left in this epoch."""
        return len(self.plan) - self.start

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        return self.batch(*self.plan[self.start + index])

    def batch(self, place: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """The window `place` of each stream: ids (streams, T), begin (streams,), and the ids that follow."""
        places = self._starts[:, None] + np.arange(place * self._window, (place + 1) * self._window + 1)
        tokens = self._tokens.take(places, mode="wrap")
        begin = np.full(len(tokens), place == 0)
        return {"ids": tokens[:, :-1], "begin": begin}, tokens[:, 1:]
