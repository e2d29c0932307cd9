"""The curve that a view draws: small, whatever the run's length, and right after a resume."""

from __future__ import annotations

import json

from kerasllm_widgets.curve import MOST, Curve, Line


def test_a_long_run_stays_small_and_keeps_its_ends() -> None:
    curve = Curve()
    curve.add({"kind": "epoch", "epoch": n, "step": n, "time": n, "loss": 1 / n} for n in range(1, 100_001))
    x, y = curve.drawn()["loss"]["train"]
    assert len(x) == len(y) <= MOST + 1
    assert x[0] == 1
    assert x[-1] == 100_000
    assert x == sorted(x)
    assert len(json.dumps(curve.drawn())) < 10_000


def test_a_short_run_is_drawn_whole() -> None:
    line = Line()
    for n in range(10):
        line.add(n, n * n)
    assert line.drawn() == [list(range(10)), [n * n for n in range(10)]]


def test_a_resumed_run_replaces_what_it_goes_over_again() -> None:
    line = Line()
    for x, y in [(1, 1.0), (2, 2.0), (3, 3.0), (2, 20.0), (3, 30.0)]:
        line.add(x, y)
    assert line.drawn() == [[1, 2, 3], [1, 20, 30]]


def test_validation_is_a_line_of_its_metric() -> None:
    curve = Curve()
    curve.add([{"kind": "epoch", "epoch": 1, "step": 9, "time": 0, "learning_rate": 1, "loss": 2.0, "val_loss": 3.0}])
    assert curve.drawn() == {"loss": {"train": [[1], [2]], "validation": [[1], [3]]}}


def test_the_loss_is_drawn_first_whatever_a_line_begins_with() -> None:
    curve = Curve()
    curve.add([{"kind": "epoch", "epoch": 1, "accuracy": 0.5, "loss": 2.0}])
    assert list(curve.drawn()) == ["loss", "accuracy"]


def test_a_missing_value_leaves_a_gap() -> None:
    curve = Curve()
    curve.add([{"kind": "epoch", "epoch": 1, "step": 9, "time": 0, "loss": None}])
    assert curve.drawn() == {}


def test_what_is_no_number_is_not_drawn() -> None:
    curve = Curve()
    odd = [float("nan"), float("inf"), -float("inf"), 10**400, "1", [1]]
    for n, value in enumerate(odd, 1):
        curve.add([{"kind": "epoch", "epoch": n, "loss": 0.5, "odd": value}, {"epoch": value, "loss": 0.5}])
    assert curve.drawn() == {"loss": {"train": [[*range(1, len(odd) + 1)], [0.5] * len(odd)]}}
