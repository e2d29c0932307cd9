"""Optimizers: each one learns, options, and the rate over the steps."""

from __future__ import annotations

from typing import Any

import pytest

from kerasllm.errors import InputError
from kerasllm.recipes.linear_regression import LinearRegression
from tests.conftest import HOUSES

pytestmark = pytest.mark.slow

keras = pytest.importorskip("keras", reason="the train extra is not installed")

from kerasllm.training.optimizers import LearningRate, optimizer  # noqa: E402


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop", "adagrad"])
def test_every_optimizer_learns(name: Any) -> None:
    run = LinearRegression(**{**HOUSES, "optimizer": name, "epochs": 30, "learning_rate": 0.05}).train()
    assert run.epochs[-1]["loss"] < 0.5 * run.epochs[0]["loss"]


def test_an_option_that_an_optimizer_lacks_is_refused() -> None:
    with pytest.raises(InputError, match="momentum is for sgd and rmsprop, not adam"):
        LinearRegression(optimizer="adam", momentum=0.9)


def test_no_weight_decay_means_none() -> None:
    assert not optimizer(LinearRegression(optimizer="adamw"), 10).weight_decay
    assert optimizer(LinearRegression(optimizer="adamw", weight_decay=0.1), 10).weight_decay == 0.1


def test_the_learning_rate_rises_and_falls() -> None:
    rate = LearningRate(1.0, "cosine", steps=100, warmup=10)
    values = [float(rate(step)) for step in range(101)]
    assert values[0] == pytest.approx(0.1)
    assert values[9] == pytest.approx(1.0)
    assert values[55] == pytest.approx(0.5)
    assert values[100] == pytest.approx(0.0, abs=1e-6)
    line = LearningRate(2.0, "linear", steps=10, warmup=0)
    assert [float(line(step)) for step in (0, 5, 10)] == pytest.approx([2.0, 1.0, 0.0])
    assert float(LearningRate(2.0, "constant", steps=10, warmup=0)(9)) == 2.0
