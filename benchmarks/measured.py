"""What every benchmark of a recipe's quality gives back, and what their files share."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, Protocol

DATA = Path(__file__).parents[2] / "shared" / "data"


class Measured(NamedTuple):
    """One training with default parameters, scored on rows it never saw, beside a peer on the same rows."""

    ours: float
    peer: float | None  # None where the peer is a published figure
    rows: int  # scored
    seconds: float  # of reading, training and scoring


class Benchmark(Protocol):
    """A module of this package named after its recipe."""

    SCORE: str  # accuracy, or an error in some unit
    PEER: str
    PARTS: int  # folds measured of each set, or 1: the recipe's own split
    SETS: dict[str, float | None]  # and what must be reached, where that is a figure of its own

    def measure(self, name: str, data: Path, part: int, seed: int) -> Measured: ...

    def set_by_hand(self, name: str) -> dict[str, Any]:
        """The parameters that are not the defaults, beside the data."""
