"""Answers as a person knows them <-> as a network does: class labels, and a number in its own unit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from kerasllm.errors import InputError, did_you_mean


class Labels:
    """Class names <-> places in the logits, sorted by name; labels are strings, always."""

    FILE = "labels.json"

    def __init__(self, names: Sequence[str]):
        self.names = list(names)
        self._place = {name: index for index, name in enumerate(self.names)}

    @classmethod
    def fit(cls, labels: Iterable[str]) -> Labels:
        """The classes that occur in `labels`."""
        return cls(sorted(set(labels)))

    def encode(self, labels: Sequence[str]) -> np.ndarray:
        """(rows,) int32; a label that training never saw raises InputError."""
        self.check(labels, lambda row, language: f"第 {row + 1} 行" if language == "zh" else f"row {row + 1}")
        return np.array([self._place[label] for label in labels], "int32")

    def check(self, labels: Sequence[str], place: Callable[[int, str], str]) -> None:
        """Refuse a label that training never saw; `place` says where a row stands, in a language ("en" or "zh")."""
        for row, label in enumerate(labels):
            if label not in self._place:
                raise InputError(
                    f"{place(row, 'en')}: training saw no class {label!r}{did_you_mean(label, self.names)}",
                    f"{place(row, 'zh')}：训练中没有类别 {label!r}{did_you_mean(label, self.names, 'zh')}",
                )

    @staticmethod
    def probabilities(logits: np.ndarray) -> np.ndarray:
        """(rows, classes) logits -> probabilities."""
        shifted = np.exp(logits.astype("float64") - logits.max(axis=-1, keepdims=True))
        return shifted / shifted.sum(axis=-1, keepdims=True)

    def decode(self, logits: np.ndarray) -> list[dict[str, Any]]:
        """A row's answer: {"label": name, "probabilities": {name: share}}, the likeliest first."""
        answers = []
        for row in self.probabilities(logits):
            order = np.argsort(-row, kind="stable")
            shares = {self.names[place]: float(row[place]) for place in order}
            answers.append({"label": self.names[order[0]], "probabilities": shares})
        return answers

    def files(self) -> dict[str, str]:
        """What to save, by file name."""
        return {self.FILE: json.dumps(self.names, ensure_ascii=False, indent=1)}

    @classmethod
    def load(cls, folder: Path) -> Labels:
        """Read labels.json."""
        return cls(json.loads((folder / cls.FILE).read_text("utf-8")))


@dataclass(frozen=True)
class Target:
    """A number to predict: its column's name, and the training rows' mean and standard deviation."""

    name: str
    mean: float
    deviation: float
    FILE: ClassVar[str] = "target.json"

    def encode(self, values: Sequence[float]) -> np.ndarray:
        """(rows,) float32, in standard deviations from the mean: what the network is trained on."""
        return ((np.asarray(values, "float64") - self.mean) / self.deviation).astype("float32")

    def decode(self, values: np.ndarray) -> list[dict[str, float]]:
        """A row's answer, {target's name: number}; the finished network answers in the target's unit."""
        return [{self.name: float(value)} for value in np.ravel(values)]

    def files(self) -> dict[str, str]:
        """What to save, by file name."""
        return {self.FILE: json.dumps(asdict(self), ensure_ascii=False, indent=1)}

    @classmethod
    def load(cls, folder: Path) -> Target:
        """Read target.json."""
        return cls(**json.loads((folder / cls.FILE).read_text("utf-8")))
