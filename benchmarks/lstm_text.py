"""lstm_text beside a Witten-Bell n-gram over characters: nats per character.

The last tenth of each set's train.txt, cut at a blank line, is scored; the rest trains.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from benchmarks.measured import Measured
from kerasllm.recipes.lstm_text import LstmText

SCORE, PEER, PARTS = "nats per character", "n-gram", 1
SETS: dict[str, float | None] = {"tinyshakespeare": 1.55, "tang_poems": 4.9}
ORDERS = {"tinyshakespeare": 4, "tang_poems": 3}
SHARE = 0.1


def set_by_hand(name: str) -> dict[str, Any]:
    """Nothing."""
    return {}


def split(text: str) -> tuple[str, str]:
    """What trains and what is scored: the end, from the last blank line before its share."""
    place = text.rindex("\n\n", 0, round((1 - SHARE) * len(text))) + 2
    return text[:place], text[place:]


def ngram(train: str, test: str, order: int) -> float:
    """Nats per character of a Witten-Bell n-gram (Witten and Bell 1991, method C) over characters.

    A character that training never saw gets an equal part of what the unigram leaves for the unseen.
    """
    following: list[defaultdict[str, Counter[str]]] = [defaultdict(Counter) for _ in range(order)]
    for place, one in enumerate(train):
        for length in range(min(order, place + 1)):
            following[length][train[place - length : place]][one] += 1
    totals = [{before: sum(counts.values()) for before, counts in level.items()} for level in following]
    unseen = max(1, len(set(test) - set(train)))

    total = 0.0
    for place, one in enumerate(test):
        share = 1 / unseen if one not in following[0][""] else 0.0
        for length in range(min(order, place + 1)):
            before = test[place - length : place]
            counts = following[length].get(before)
            if counts:
                kinds, seen = len(counts), totals[length][before]
                share = (counts[one] + kinds * share) / (seen + kinds)
        total -= math.log(share)
    return total / len(test)


def measure(name: str, data: Path, part: int, seed: int) -> Measured:
    """Train with default parameters on the first nine tenths; score the last, and the n-gram, on it."""
    train, test = split((data / name / "train.txt").read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        files = {"data": Path(folder) / "train.txt", "test": Path(folder) / "test.txt"}
        files["data"].write_text(train, "utf-8")
        files["test"].write_text(test, "utf-8")
        began = time.perf_counter()
        run = LstmText(**{part: str(path) for part, path in files.items()}, seed=seed).train(runs=folder)
        seconds = time.perf_counter() - began
        peer = ngram(train, test, ORDERS[name])
        return Measured(run.scores["nats_per_character"], peer, run.scores["characters"], seconds)
