"""bert_classifier beside TF-IDF with LinearSVC: accuracy on the recipe's own test rows, a fifth, stratified.

The presets are directories in ../models beside the data.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.measured import Measured
from benchmarks.text_classifier import linear_svm
from kerasllm.recipes.bert_classifier import BertClassifier

SCORE, PEER, PARTS = "accuracy", "TF-IDF + SVM", 1
SETS: dict[str, float | None] = {
    "smp2017_ecdt": 0.935,
    "chnsenticorp": 0.92,
    "waimai_10k": 0.915,
    "trec6": 0.965,
    "banking77": 0.92,
}
PRESETS = {"zh": "e5-small-zh", "en": "minilm-l6-en"}
ENGLISH = ("trec6", "banking77")


def set_by_hand(name: str) -> dict[str, Any]:
    """The preset."""
    return {"preset": PRESETS[_language(name)]}


def measure(name: str, data: Path, part: int, seed: int) -> Measured:
    """Train on a set's labelled rows; score ours and the peer on the rows that the recipe held out."""
    files = [path for piece in ("train", "dev") if (path := data / name / f"{piece}.csv").exists()]
    rows = pd.concat([pd.read_csv(path, dtype=str, keep_default_na=False) for path in files])
    with tempfile.TemporaryDirectory() as folder:
        rows.to_csv(f"{folder}/data.csv", index=False)
        preset = data.parent / "models" / set_by_hand(name)["preset"]
        recipe = BertClassifier(data=f"{folder}/data.csv", preset=str(preset), seed=seed)
        began = time.perf_counter()
        run = recipe.train(runs=folder)
        seconds = time.perf_counter() - began
        split = recipe.read()
        assert split.test is not None
        assert run.scores["rows"] == len(split.test)
        train, test = (pd.DataFrame({"text": rows.features, "label": rows.truth}) for rows in (split.train, split.test))
        return Measured(run.scores["accuracy"], linear_svm(_language(name), train, test), len(test), seconds)


def _language(name: str) -> str:
    return "en" if name in ENGLISH else "zh"
