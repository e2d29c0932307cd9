"""text_classifier beside TF-IDF (words 1-2; characters 1-3 for Chinese) with LinearSVC: accuracy."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from benchmarks.folds import FOLDS, fold
from benchmarks.measured import Measured
from kerasllm.recipes.text_classifier import TextClassifier

SCORE, PEER, PARTS = "accuracy", "TF-IDF + SVM", FOLDS
LANGUAGES = {
    "waimai_10k": "zh",
    "thucnews_titles": "zh",
    "smp2017_ecdt": "zh",
    "trec6": "en",
    "banking77": "en",
    "sms_spam": "en",
}
SETS: dict[str, float | None] = dict.fromkeys(LANGUAGES)


def set_by_hand(name: str) -> dict[str, Any]:
    """Nothing."""
    return {}


def measure(name: str, data: Path, part: int, seed: int) -> Measured:
    """Train on a fold's rows, and score both on the others."""
    train, test = fold(data / name / "train.csv", part, texts=True)
    with tempfile.TemporaryDirectory() as folder:
        files = {"data": f"{folder}/train.csv", "test": f"{folder}/test.csv"}
        train.to_csv(files["data"], index=False)
        test.to_csv(files["test"], index=False)
        began = time.perf_counter()
        run = TextClassifier(**files, seed=seed).train(runs=folder)
        seconds = time.perf_counter() - began
        peer = linear_svm(LANGUAGES[name], train, test)
        return Measured(run.scores["accuracy"], peer, run.scores["rows"], seconds)


def linear_svm(language: str, train: pd.DataFrame, test: pd.DataFrame) -> float:
    """Accuracy of TF-IDF with LinearSVC."""
    analyzer = {"analyzer": "char", "ngram_range": (1, 3)} if language == "zh" else {"ngram_range": (1, 2)}
    model = make_pipeline(TfidfVectorizer(**analyzer), LinearSVC()).fit(train["text"], train["label"])
    return float((model.predict(test["text"]) == test["label"]).mean())
