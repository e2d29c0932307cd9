"""The user's files or frames -> Data: rows encoded for a network, split, with a card of what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from kerasllm.data.notes import Notes

Ragged = list[np.ndarray]  # a row's ids each, of any length


class Encoder(Protocol):
    """Rows as a person writes them -> a network's inputs."""

    def encode(self, rows: Any) -> dict[str, Any]: ...
    def files(self) -> dict[str, str]: ...


class Decoder(Protocol):
    """True answers -> what a network is trained on; a network's outputs -> answers as a person reads them."""

    def encode(self, values: Any) -> np.ndarray: ...
    def decode(self, outputs: np.ndarray) -> list[dict[str, Any]]: ...
    def files(self) -> dict[str, str]: ...


@dataclass(frozen=True)
class Rows:
    """Labelled rows as the user wrote them: what an encoder encodes, and the true answers."""

    features: Any  # texts, or columns
    truth: Sequence[Any]  # label names, or numbers
    notes: Notes | None = None  # of new rows to evaluate a model on: what was left out, or is odd

    def __len__(self) -> int:
        return len(self.truth)


@dataclass(frozen=True)
class Examples:
    """Rows ready for a network: arrays by input name (of one length, or ragged), targets, loss weights."""

    inputs: dict[str, np.ndarray | Ragged]
    targets: np.ndarray
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Data:
    """What a run trains on, measures itself on, and needs to encode a new row and read its answer."""

    train: Rows
    validation: Rows | None
    test: Rows | None
    encoder: Encoder
    decoder: Decoder
    card: dict[str, Any]

    @cached_property
    def training(self) -> Examples:
        """The training rows, encoded once."""
        return self.examples(self.train)

    def examples(self, rows: Rows) -> Examples:
        """Encode labelled rows."""
        return Examples(self.encoder.encode(rows.features), self.decoder.encode(rows.truth))
