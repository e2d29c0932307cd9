"""Scores from true answers and a model's: pure functions of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasllm.errors import needs

Scores = dict[str, Any]


def classification(truth: np.ndarray, probabilities: np.ndarray, names: Sequence[str]) -> Scores:
    """Score class answers.

    Args:
        truth: (rows,) places of the true classes.
        probabilities: (rows, classes).
        names: of the classes.

    Returns accuracy, the macro means of precision, recall and F1 over the classes that occur, log loss
    (nats), the accuracy of always answering the commonest class, ROC-AUC (of the second class of two, macro
    one-against-rest of more; absent where a class does not occur), per class figures, and the confusion
    matrix (rows: truth).
    """
    with needs("train"):
        from sklearn import metrics
    places = np.arange(len(names))
    answers = probabilities.argmax(axis=1)
    occurring = np.union1d(truth, answers)
    mean = metrics.precision_recall_fscore_support(truth, answers, labels=occurring, average="macro", zero_division=0)
    each = metrics.precision_recall_fscore_support(truth, answers, labels=places, zero_division=0)
    likelihood = np.clip(probabilities[np.arange(len(truth)), truth], 1e-15, 1)
    scores: Scores = {
        "main": "accuracy",
        "rows": len(truth),
        "accuracy": float((truth == answers).mean()),
        "precision": float(mean[0]),
        "recall": float(mean[1]),
        "f1": float(mean[2]),
        "log_loss": float(-np.log(likelihood).mean()),
        "commonest_class_accuracy": float(np.bincount(truth).max() / len(truth)),
        "per_class": {
            name: {"precision": float(p), "recall": float(r), "f1": float(f), "rows": int(n)}
            for name, p, r, f, n in zip(names, *each, strict=True)
        },
        "confusion_matrix": metrics.confusion_matrix(truth, answers, labels=places).tolist(),
    }
    if len(np.unique(truth)) == len(names):
        if len(names) == 2:
            scores["roc_auc"] = float(metrics.roc_auc_score(truth, probabilities[:, 1]))
        else:
            area = metrics.roc_auc_score(truth, probabilities, labels=places, multi_class="ovr", average="macro")
            scores["roc_auc"] = float(area)
    return scores


def regression(truth: Sequence[float], answers: Sequence[float], mean: float) -> Scores:
    """Score numbers: RMSE, MAE (in the target's unit), R², and RMSE and MAE of always answering `mean`.

    R² is 1 minus the squared error's ratio to that around the truth's own mean; absent where all truth is
    equal.
    """
    true, given = np.asarray(truth, "float64"), np.asarray(answers, "float64")
    error = given - true
    scores: Scores = {
        "main": "rmse",
        "rows": len(true),
        "rmse": float(np.sqrt((error**2).mean())),
        "mae": float(np.abs(error).mean()),
        "mean_predictor_rmse": float(np.sqrt(((true - mean) ** 2).mean())),
        "mean_predictor_mae": float(np.abs(true - mean).mean()),
    }
    if np.ptp(true) > 0:  # a sum of squares around a rounded mean would not be 0
        scores["r2"] = float(1 - (error**2).sum() / ((true - true.mean()) ** 2).sum())
    return scores


def variety(samples: Sequence[Sequence[Any]]) -> Scores:
    """How varied written texts are: the share of distinct among their tokens, pairs and triples (Li et al. 2016).

    And `repetition`: the share of runs of four tokens that stood in the same text before; 0 is best.
    """
    scores: Scores = {}
    for size in (1, 2, 3):
        runs = [run for sample in samples for run in _runs(sample, size)]
        scores[f"distinct_{size}"] = len(set(runs)) / max(len(runs), 1)
    fours = [_runs(sample, 4) for sample in samples]
    again = sum(len(runs) - len(set(runs)) for runs in fours)
    return {**scores, "repetition": again / max(sum(map(len, fours)), 1)}


def _runs(sample: Sequence[Any], size: int) -> list[tuple[Any, ...]]:
    return [tuple(sample[place : place + size]) for place in range(len(sample) - size + 1)]


def flat(scores: Scores) -> Scores:
    """The numbers and the main score's name, without tables per class."""
    return {name: value for name, value in scores.items() if not isinstance(value, (dict, list))}
