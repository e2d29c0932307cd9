"""Scores of the recipes, with default parameters, beside their peers on the same rows.

    python -m benchmarks.quality [--data FOLDER] [--out FILE] [--seed 0] [SET ...]

Five folds of each set's train.csv (stratified where there are classes; equal texts stay in one fold). Each finished
fold is a line of FILE, and is not repeated when the command is given again. Peers: scikit-learn's least squares on the
same columns, and TF-IDF (words 1-2; characters 1-3 for Chinese) with LinearSVC.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression as LeastSquares
from sklearn.model_selection import KFold, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import LinearSVC

from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.recipes.text_classifier import TextClassifier
from kerasllm.run import Run

TABLES = {"california_housing": "median_house_value", "king_county_house": "price", "ames_house": "SalePrice"}
TEXTS = {
    "waimai_10k": "zh",
    "thucnews_titles": "zh",
    "smp2017_ecdt": "zh",
    "trec6": "en",
    "banking77": "en",
    "sms_spam": "en",
}
FOLDS = 5


def folds(name: str, frame: pd.DataFrame) -> list[tuple[np.ndarray, np.ndarray]]:
    """Row numbers to train and to test on."""
    if name in TABLES:
        return list(KFold(FOLDS, shuffle=True, random_state=0).split(frame))
    groups = frame["text"].map(lambda text: " ".join(unicodedata.normalize("NFKC", text).lower().split()))
    return list(StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0).split(frame, frame["label"], groups))


def least_squares(run: Run, train: pd.DataFrame, test: pd.DataFrame, target: str) -> float:
    """RMSE of scikit-learn's least squares on the columns that the run used."""
    kinds = {column["name"]: column["kind"] for column in run.card["columns"]}
    for name, kind in kinds.items():
        if kind == "date":
            for frame in (train, test):
                frame[name] = pd.to_datetime(frame[name], format="mixed").astype("int64") / 86400e9
    numbers = [name for name, kind in kinds.items() if kind in ("number", "date")]
    categories = [name for name, kind in kinds.items() if kind == "category"]
    columns = make_column_transformer(
        (SimpleImputer(), numbers),
        (
            make_pipeline(SimpleImputer(strategy="constant", fill_value=""), OneHotEncoder(handle_unknown="ignore")),
            categories,
        ),
        sparse_threshold=0,
    )
    for frame in (train, test):
        frame[categories] = frame[categories].astype("object").where(frame[categories].notna(), np.nan)
    model = make_pipeline(columns, LeastSquares()).fit(train, train[target])
    return float(np.sqrt(((model.predict(test) - test[target]) ** 2).mean()))


def linear_svm(language: str, train: pd.DataFrame, test: pd.DataFrame) -> float:
    """Accuracy of TF-IDF with LinearSVC."""
    analyzer = {"analyzer": "char", "ngram_range": (1, 3)} if language == "zh" else {"ngram_range": (1, 2)}
    model = make_pipeline(TfidfVectorizer(**analyzer), LinearSVC()).fit(train["text"], train["label"])
    return float((model.predict(test["text"]) == test["label"]).mean())


def measure(name: str, frame: pd.DataFrame, rows: tuple[np.ndarray, np.ndarray], seed: int) -> dict[str, Any]:
    """Train ours and the peer on the fold's training rows; score both on its test rows."""
    train, test = (frame.iloc[part].reset_index(drop=True) for part in rows)
    with tempfile.TemporaryDirectory() as folder:
        files = {part: f"{folder}/{part}.csv" for part in ("train", "test")}
        train.to_csv(files["train"], index=False)
        test.to_csv(files["test"], index=False)
        began = time.perf_counter()
        if name in TABLES:
            recipe: Any = LinearRegression(data=files["train"], test=files["test"], target=TABLES[name], seed=seed)
        else:
            recipe = TextClassifier(data=files["train"], test=files["test"], seed=seed)
        run = recipe.train(runs=folder)
        seconds = time.perf_counter() - began
        assert run.scores["rows"] == len(test)
        ours = run.scores[run.scores["main"]]
        peer = least_squares(run, train, test, TABLES[name]) if name in TABLES else linear_svm(TEXTS[name], train, test)
    return {"ours": ours, "peer": peer, "seconds": seconds, "rows": len(test)}


def report(name: str, lines: list[dict[str, Any]]) -> str:
    """One row of the table: means over the folds, and the difference with its 95 % t-interval over the folds."""
    ours, peer = (np.array([line[who] for line in lines]) for who in ("ours", "peer"))
    # For errors the relative difference in percent (below 0 is better), for accuracies points (above 0 is better).
    differences = 100 * (ours / peer - 1) if name in TABLES else 100 * (ours - peer)
    half = (
        stats.t.ppf(0.975, len(lines) - 1) * differences.std(ddof=1) / np.sqrt(len(lines)) if len(lines) > 1 else np.nan
    )
    unit = "%" if name in TABLES else "points"
    shown = "{:.1f}" if name in TABLES else "{:.4f}"
    minutes = sum(line["seconds"] for line in lines) / 60
    longest = max(line["seconds"] for line in lines)
    recipe = "linear_regression, RMSE" if name in TABLES else "text_classifier, accuracy"
    return (
        f"| {recipe} | {name} | {shown.format(ours.mean())} | {shown.format(peer.mean())} "
        f"| {differences.mean():+.3f} {unit} ± {half:.3f} | {len(lines)} | {minutes:.1f} | {longest:.0f} |"
    )


def main() -> None:
    """Measure what is not yet measured, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"default: {', '.join([*TABLES, *TEXTS])}")
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--out", type=Path, default=Path("runs/quality.jsonl"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    done: dict[tuple[str, int, int], dict[str, Any]] = {}
    if options.out.exists():
        for line in map(json.loads, options.out.read_text().splitlines()):
            done[line["set"], line["fold"], line["seed"]] = line
    print("| recipe, score | set | ours | peer | difference, 95 % interval | folds | minutes | longest fold, s |")
    print("|---|---|---|---|---|---|---|---|")
    for name in options.sets or [*TABLES, *TEXTS]:
        kinds: dict[str, Any] = {} if name in TABLES else {"dtype": str, "keep_default_na": False}
        frame = pd.read_csv(options.data / name / "train.csv", **kinds)
        for fold, rows in enumerate(folds(name, frame)):
            key = (name, fold, options.seed)
            if key not in done:
                done[key] = {
                    "set": name,
                    "fold": fold,
                    "seed": options.seed,
                    **measure(name, frame, rows, options.seed),
                }
                with options.out.open("a") as file:
                    file.write(json.dumps(done[key]) + "\n")
        print(report(name, [done[name, fold, options.seed] for fold in range(FOLDS)]), flush=True)


if __name__ == "__main__":
    main()
