"""linear_regression beside scikit-learn's least squares on the same columns: RMSE."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression as LeastSquares
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from benchmarks.folds import FOLDS, fold
from benchmarks.measured import Measured
from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.run import Run

SCORE, PEER, PARTS = "RMSE", "least squares", FOLDS
TARGETS = {"california_housing": "median_house_value", "king_county_house": "price", "ames_house": "SalePrice"}
SETS: dict[str, float | None] = dict.fromkeys(TARGETS)


def set_by_hand(name: str) -> dict[str, Any]:
    """The target's column."""
    return {"target": TARGETS[name]}


def measure(name: str, data: Path, part: int, seed: int) -> Measured:
    """Train on a fold's rows, and score both on the others."""
    train, test = fold(data / name / "train.csv", part, texts=False)
    with tempfile.TemporaryDirectory() as folder:
        files = {"data": f"{folder}/train.csv", "test": f"{folder}/test.csv"}
        train.to_csv(files["data"], index=False)
        test.to_csv(files["test"], index=False)
        began = time.perf_counter()
        run = LinearRegression(**files, **set_by_hand(name), seed=seed).train(runs=folder)
        seconds = time.perf_counter() - began
        return Measured(run.scores["rmse"], least_squares(run, train, test, TARGETS[name]), run.scores["rows"], seconds)


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
