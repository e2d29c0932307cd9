"""The networks alone, as a script uses them: sizes, shapes, masks, closed forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.slow

keras = pytest.importorskip("keras", reason="the train extra is not installed")

from kerasllm.models import linear, text_pooling  # noqa: E402
from kerasllm.models.linear import decorrelating, design, evened  # noqa: E402


def test_the_listings_exact_sizes_are_an_option() -> None:
    model = text_pooling(10_000, 1, embedding_size=16, units=16, weighted=False)
    # Embedding 10,000 x 16, Dense 16 x 16 + 16, Dense 16 + 1.
    assert model.count_params() == 160_000 + 272 + 17


def test_the_listings_straight_line_has_two_weights() -> None:
    assert linear(1).count_params() == 2


@pytest.mark.parametrize("weighted", [True, False])
def test_padding_does_not_count(weighted: bool) -> None:
    model = text_pooling(50, 3, embedding_size=8, units=4, weighted=weighted, seed=1)
    ids, mask = np.array([[3, 7, 9]]), np.ones((1, 3), bool)
    short = model({"ids": ids, "mask": mask})
    padded = {"ids": np.pad(ids, ((0, 0), (0, 13))), "mask": np.pad(mask, ((0, 0), (0, 13)))}
    np.testing.assert_allclose(np.asarray(model(padded)), np.asarray(short), atol=1e-6)
    # Place 0 is an n-gram like any other where the mask says so.
    other = {"ids": np.array([[3, 7, 9, 0]]), "mask": np.ones((1, 4), bool)}
    assert np.abs(np.asarray(model(other)) - np.asarray(short)).max() > 1e-4


def test_the_mean_is_the_mean_of_the_embeddings() -> None:
    model = text_pooling(10, 2, embedding_size=4, weighted=False, seed=3)
    vectors = model.get_layer("embedding").get_weights()[0]
    pooled = keras.Model(model.inputs, model.get_layer("text").output)
    found = np.asarray(pooled({"ids": np.array([[1, 5, 0]]), "mask": np.array([[True, True, False]])}))
    np.testing.assert_allclose(found[0], vectors[[1, 5]].mean(axis=0), atol=1e-6)


def test_a_seed_makes_the_weights() -> None:
    def kernels(seed: int) -> list[Any]:
        return text_pooling(20, 2, embedding_size=4, units=4, dropout=0.5, seed=seed).get_weights()

    assert all((one == two).all() for one, two in zip(kernels(1), kernels(1), strict=True))
    assert any((one != two).any() for one, two in zip(kernels(1), kernels(2), strict=True))


@pytest.mark.parametrize(
    "model",
    [
        lambda: linear(2, [3, 4], mean=[1, 2], variance=[3, 4], target_mean=5, target_variance=9, l1=0.1),
        lambda: linear(0, [3]),
        lambda: text_pooling(30, 5, dropout=0.3),
        lambda: text_pooling(30, 5, embedding_size=4, units=6, weighted=False, l2=0.1, dtype="mixed_bfloat16"),
    ],
)
def test_a_saved_network_answers_the_same(model: Any, tmp_path: Path) -> None:
    built = model()
    draw = np.random.default_rng(0)
    inputs = {
        "numbers": draw.normal(size=(4, 2)).astype("float32"),
        "categories": draw.integers(0, 3, (4, 2 if len(built.inputs) == 2 else 1)).astype("int32"),
        "ids": draw.integers(0, 30, (4, 6)).astype("int32"),
        "mask": np.ones((4, 6), bool),
    }
    mine = {tensor.name: inputs[tensor.name] for tensor in built.inputs}
    built.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert (np.asarray(built.predict(mine, verbose=0)) == np.asarray(again.predict(mine, verbose=0))).all()


def test_decorrelated_columns_have_unit_covariance_and_copies_are_left_out() -> None:
    draw = np.random.default_rng(0)
    columns = draw.normal(size=(500, 3)) @ draw.normal(size=(3, 3)) + 7
    columns = np.column_stack([columns, columns[:, 0] * 2 - columns[:, 1]])
    matrix, offset = decorrelating(columns)
    assert matrix.shape == (4, 3)
    turned = columns @ matrix + offset
    np.testing.assert_allclose(turned.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(np.cov(turned, rowvar=False, ddof=0), np.eye(3), atol=1e-9)


def test_evened_columns_keep_the_penaltys_meaning() -> None:
    columns = np.random.default_rng(0).normal(size=(100, 2)) * [3, 1]
    (matrix, _), l1, l2 = evened(columns, 0.3, 0.5)
    weight = np.array([1.5, -2.0])  # on the columns themselves
    inner = np.linalg.solve(matrix, weight)
    assert l1 * np.abs(inner).sum() == pytest.approx(0.3 * np.abs(weight).sum())
    assert l2 * (inner**2).sum() == pytest.approx(0.5 * (weight**2).sum())


def test_the_design_is_scaled_numbers_beside_one_hot_categories() -> None:
    model = linear(1, [3], mean=[10], variance=[4])
    inputs = {"numbers": np.array([[12.0]], "float32"), "categories": np.array([[2]], "int32")}
    np.testing.assert_allclose(design(model, inputs), [[1, 0, 0, 1]])
