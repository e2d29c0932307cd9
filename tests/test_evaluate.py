"""Scores, against numbers computed by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from kerasllm.evaluate import classification, flat, regression

TRUTH = np.array([0, 0, 0, 1])
SHARES = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.3, 0.7]])  # answers: 0 0 1 1


def test_class_scores_are_those_of_a_hand() -> None:
    scores = classification(TRUTH, SHARES, ["no", "yes"])
    assert scores["main"] == "accuracy"
    assert (scores["rows"], scores["accuracy"], scores["commonest_class_accuracy"]) == (4, 0.75, 0.75)
    assert scores["precision"] == pytest.approx((1 + 1 / 2) / 2)
    assert scores["recall"] == pytest.approx((2 / 3 + 1) / 2)
    assert scores["f1"] == pytest.approx((0.8 + 2 / 3) / 2)
    assert scores["log_loss"] == pytest.approx(-math.log(0.9 * 0.8 * 0.4 * 0.7) / 4)
    assert scores["roc_auc"] == 1.0
    assert scores["confusion_matrix"] == [[2, 1], [0, 1]]
    assert scores["per_class"]["no"] == {
        "precision": 1.0, "recall": pytest.approx(2 / 3), "f1": pytest.approx(0.8), "rows": 3
    }  # fmt: skip
    assert json.loads(json.dumps(scores)) == scores


def test_three_classes_have_an_area_against_the_rest() -> None:
    shares = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.2, 0.5, 0.3], [0.6, 0.2, 0.2]])
    scores = classification(np.array([0, 1, 2, 1]), shares, ["a", "b", "c"])
    # a: 3 of 3 pairs in order; b: 3 of 4; c: 3 of 3
    assert scores["roc_auc"] == pytest.approx((1 + 0.75 + 1) / 3)


def test_a_class_that_never_occurs_has_no_part_in_the_means_and_no_area() -> None:
    shares = np.hstack([SHARES * 0.9, np.full((4, 1), 0.1)])
    scores = classification(TRUTH, shares, ["no", "yes", "never"])
    assert scores["f1"] == pytest.approx((0.8 + 2 / 3) / 2)
    assert scores["per_class"]["never"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "rows": 0}
    assert "roc_auc" not in scores


def test_one_row_of_one_class_is_scored_without_a_warning() -> None:
    scores = classification(np.array([1]), np.array([[0.2, 0.8]]), ["a", "b"])
    assert (scores["accuracy"], scores["f1"], scores["confusion_matrix"]) == (1, 1, [[0, 0], [0, 1]])


def test_a_sure_mistake_costs_much_but_not_infinity() -> None:
    scores = classification(np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]]), ["a", "b"])
    assert scores["log_loss"] == pytest.approx(-math.log(1e-15) / 2)


def test_number_scores_are_those_of_a_hand() -> None:
    scores = regression([1, 2, 3, 6], [1, 3, 3, 4], mean=2)
    assert scores == {
        "main": "rmse", "rows": 4, "rmse": pytest.approx(math.sqrt(5 / 4)), "mae": 0.75,
        "mean_predictor_rmse": pytest.approx(math.sqrt(18 / 4)), "mean_predictor_mae": 1.5,
        "r2": pytest.approx(1 - 5 / 14),
    }  # fmt: skip


@pytest.mark.parametrize("truth", [[0.1, 0.1, 0.1], [5]])
def test_constant_truth_has_no_r2(truth: list[float]) -> None:
    assert "r2" not in regression(truth, [1.0] * len(truth), mean=0)


def test_flat_scores_have_no_tables() -> None:
    scores = flat(classification(TRUTH, SHARES, ["no", "yes"]))
    assert "main" in scores
    assert not any(isinstance(value, (dict, list)) for value in scores.values())
