"""Batches: every row once, an order of each epoch, few lengths, and answers a batch at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.slow

keras = pytest.importorskip("keras", reason="the train extra is not installed")

from kerasllm.data import Examples  # noqa: E402
from kerasllm.training import answer  # noqa: E402
from kerasllm.training import batches as batching  # noqa: E402
from kerasllm.training.batches import Batches  # noqa: E402


def ragged(count: int = 100) -> Examples:
    draw = np.random.default_rng(0)
    rows = [draw.integers(1, 9, draw.integers(1, 60)).astype("int32") for _ in range(count)]
    return Examples({"ids": rows}, np.arange(count, dtype="int32"))


def order(batches: Batches) -> list[int]:
    return [int(row) for rows, _ in batches.plan for row in rows]


def test_each_epoch_has_every_row_once_in_an_order_of_its_own() -> None:
    batches = Batches(ragged(), 16, seed=3)
    first = order(batches)
    batches.begin(1)
    assert sorted(first) == sorted(order(batches)) == list(range(100))
    assert order(batches) != first
    batches.begin(0)
    assert order(batches) == first
    assert order(Batches(ragged(), 16, seed=4)) != first


def test_going_on_in_the_middle_shows_the_same_batches() -> None:
    whole, rest = Batches(ragged(), 16, seed=3), Batches(ragged(), 16, seed=3)
    whole.begin(2)
    rest.begin(2, start=3)
    for batches in (whole, rest):
        batches.on_epoch_begin()
    assert rest.num_batches == whole.num_batches - 3
    for index in range(rest.num_batches):
        mine, theirs = rest[index], whole[index + 3]
        assert (mine[0]["ids"] == theirs[0]["ids"]).all()
        assert (mine[1] == theirs[1]).all()


def test_a_look_before_each_fit_shows_two_lengths() -> None:
    """Keras fixes the shapes by batches 0 and 1; the same object is fitted twice when a run goes on in mid-epoch."""
    batches = Batches(ragged(1000), 32, seed=0)
    for epoch, start in ((0, 0), (1, 3)):
        batches.begin(epoch, start)
        lengths = [batches[index][0]["ids"].shape[1] for index in (0, 1)]
        assert lengths == [min(length for _, length in batches.plan), max(length for _, length in batches.plan)]
        batches.on_epoch_begin()
        assert batches[0][0]["ids"].shape[1] == batches.plan[start][1]
        batches.on_epoch_end()


def test_texts_come_in_at_most_six_lengths_padded_and_masked() -> None:
    batches = Batches(ragged(1000), 32, seed=0)
    assert 1 < len({length for _, length in batches.plan}) <= batching.LENGTHS
    batches.on_epoch_begin()
    for inputs, targets in (batches[index] for index in range(batches.num_batches)):
        for ids, mask, row in zip(inputs["ids"], inputs["mask"], targets, strict=True):
            text = batches.examples.inputs["ids"][row]
            assert (ids[mask] == text).all()
            assert mask.sum() == len(text)
            assert not ids[~mask].any()


def test_one_batch_left_shows_its_own_length() -> None:
    batches = Batches(ragged(100), 16, seed=3)
    batches.begin(0, start=len(batches.plan) - 1)
    assert batches.num_batches == 1
    assert batches[0][0]["ids"].shape[1] == batches.plan[-1][1]


@pytest.mark.parametrize("longest", [1, 5, 13, 50, 59])
def test_no_batch_is_longer_than_the_longest_text(longest: int) -> None:
    """A network may have no position for more."""
    texts: Any = [np.ones(1 + place % longest, "int32") for place in range(100)]
    plan = Batches(Examples({"ids": texts}, np.zeros(100)), 16, seed=0).plan
    assert max(length for _, length in plan) == longest


def test_only_one_batch_of_an_epoch_is_not_full() -> None:
    sizes = [len(rows) for rows, _ in Batches(ragged(1000), 32, seed=0).plan]
    assert sorted(sizes)[1:] == [32] * (len(sizes) - 1)


def test_large_pictures_are_answered_as_few_at_a_time_as_they_were_trained() -> None:
    def at_once(side: int, trained: int) -> int:
        return answer._at_once({"pixels": np.empty((9, side, side, 3), "uint8")}, trained)

    assert at_once(28, 4) == answer.ROWS
    assert at_once(224, 8) == 8
    assert at_once(224, 5000) == answer.PIXELS // 224**2
    assert at_once(4096, 64) == 1


def test_rows_are_answered_by_number_without_a_copy_of_them() -> None:
    ids = keras.Input((None,), name="ids", dtype="int32")
    mask = keras.Input((None,), name="mask", dtype="bool")
    model = keras.Model({"ids": ids, "mask": mask}, keras.ops.max(ids, axis=1, keepdims=True))
    inputs = ragged().inputs
    whole = answer.outputs(model, inputs)
    assert whole[:, 0].tolist() == [row.max() for row in inputs["ids"]]
    for rows in (np.array([99, 0, 50]), np.arange(0, 100, 7)):
        assert (answer.outputs(model, inputs, rows) == whole[rows]).all()
