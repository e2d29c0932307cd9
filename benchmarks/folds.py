"""Five folds of a set: equal texts stay in one, classes keep their shares."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pandas as pd
from sklearn.model_selection import KFold, StratifiedGroupKFold

FOLDS = 5


def fold(path: Path, part: int, *, texts: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of a CSV file to train and to test on in fold `part`."""
    if texts:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        groups = frame["text"].map(lambda text: " ".join(unicodedata.normalize("NFKC", text).lower().split()))
        rows = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0).split(frame, frame["label"], groups)
    else:
        frame = pd.read_csv(path)
        rows = KFold(FOLDS, shuffle=True, random_state=0).split(frame)
    train, test = list(rows)[part]
    return frame.iloc[train].reset_index(drop=True), frame.iloc[test].reset_index(drop=True)
