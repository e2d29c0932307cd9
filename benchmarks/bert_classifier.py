"""Scores of bert_classifier with default parameters, but for the data, the preset and what SETS says.

    python -m benchmarks.bert_classifier [--data FOLDER] [--seed 0] [SET ...]

One split of each set's labelled rows, the recipe's own (a fifth is test, stratified, equal texts on one side). The
peer, TF-IDF with LinearSVC, has the same rows.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from benchmarks.quality import linear_svm
from kerasllm.recipes.bert_classifier import BertClassifier


class Set(NamedTuple):
    """What a set is trained with, and what it should reach."""

    language: str
    preset: str
    target: float  # accuracy
    settings: dict[str, Any]  # beside the defaults


SETS = {
    "smp2017_ecdt": Set("zh", "e5-small-zh", 0.935, {}),
    "trec6": Set("en", "minilm-l6-en", 0.965, {}),
    "chnsenticorp": Set("zh", "e5-small-zh", 0.92, {}),
    "waimai_10k": Set("zh", "e5-small-zh", 0.915, {}),
    "banking77": Set("en", "minilm-l6-en", 0.92, {}),
}


def measure(name: str, data: Path, seed: int) -> dict[str, Any]:
    """Train on a set; return the accuracy on the test rows (`score`), the peer's, the seconds.

    `data` is the folder of the sets; the presets are in ../models beside it.
    """
    chosen = SETS[name]
    files = [path for part in ("train", "dev") if (path := data / name / f"{part}.csv").exists()]
    rows = pd.concat([pd.read_csv(path, dtype=str, keep_default_na=False) for path in files])
    with tempfile.TemporaryDirectory() as folder:
        rows.to_csv(f"{folder}/data.csv", index=False)
        recipe = BertClassifier(
            data=f"{folder}/data.csv", preset=str(data.parent / "models" / chosen.preset), seed=seed, **chosen.settings
        )
        began = time.perf_counter()
        run = recipe.train(runs=folder)
        seconds = time.perf_counter() - began
        split = recipe.read()
        assert split.test is not None
        assert run.scores["rows"] == len(split.test)
        train, test = (pd.DataFrame({"text": part.features, "label": part.truth}) for part in (split.train, split.test))
        return {
            "set": name,
            "seed": seed,
            "score": run.scores["accuracy"],
            "target": chosen.target,
            "peer": linear_svm(chosen.language, train, test),
            "rows": len(test),
            "seconds": seconds,
            "epochs": len(run.epochs),
            "settings": chosen.settings,
        }


def main() -> None:
    """Measure, and print a line of JSON per set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"default: {', '.join(SETS)}")
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for name in options.sets or SETS:
        print(json.dumps(measure(name, options.data, options.seed)), flush=True)


if __name__ == "__main__":
    main()
