"""Rows -> training, validation and test rows."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from kerasllm.data.splits import share, shares_and_files, split
from kerasllm.errors import InputError


def test_every_row_is_in_exactly_one_part_and_the_shares_hold() -> None:
    parts = split(range(1000), [0] * 1000, 0.1, 0.2, 0)
    assert sorted([*parts.train, *parts.validation, *parts.test]) == list(range(1000))
    assert [len(part) for part in parts] == [700, 100, 200]
    assert all(part == sorted(part) for part in parts)


def test_each_class_keeps_its_share() -> None:
    labels = ["often"] * 900 + ["seldom"] * 100
    parts = split(range(1000), labels, 0.1, 0.2, 3)
    assert Counter(labels[row] for row in parts.test) == {"often": 180, "seldom": 20}
    assert Counter(labels[row] for row in parts.validation) == {"often": 90, "seldom": 10}


def test_many_small_classes_add_up() -> None:
    labels = [row // 3 for row in range(300)]
    parts = split(range(300), labels, 0.1, 0.2, 0)
    assert (len(parts.validation), len(parts.test)) == (30, 60)
    assert {labels[row] for row in parts.train} == set(labels)


def test_classes_of_one_row_train_and_do_not_cost_the_next_class_its_rows() -> None:
    labels = [*range(100), *["big"] * 100]
    parts = split(range(200), labels, 0.0, 0.2, 0)
    assert set(range(100)) <= set(parts.train)
    assert 20 <= len(parts.test) <= 21


@pytest.mark.parametrize("seed", range(20))
def test_duplicates_never_straddle(seed: int) -> None:
    groups = [row % 30 for row in range(100)]
    parts = split(groups, [0] * 100, 0.2, 0.3, seed)
    held = [{groups[row] for row in part} for part in parts]
    assert sum(map(len, held)) == len(set.union(*held)) == 30
    assert held[1]
    assert held[2]


@pytest.mark.parametrize("seed", range(50))
def test_a_class_that_occurs_only_beside_another_on_equal_rows_is_known_to_training(seed: int) -> None:
    groups = ["same", "same", *range(40)]
    labels = ["a", "b", *["a"] * 20, *["c"] * 20]
    parts = split(groups, labels, 0.3, 0.4, seed)
    assert {labels[row] for row in parts.train} == {"a", "b", "c"}


def test_the_seed_decides() -> None:
    once, again, other = (split(range(100), [0] * 100, 0.1, 0.2, seed) for seed in (1, 1, 2))
    assert once == again != other


def test_every_process_splits_alike() -> None:
    code = (
        "from kerasllm.recipes.text_classifier import TextClassifier\n"
        "data = TextClassifier(validation='0.1', words=1, characters=0, vocabulary_size=500).read()\n"
        "import hashlib; print(hashlib.sha256(repr((data.train, data.validation, data.test, data.card, "
        "sorted(data.encoder.vocabulary.items()))).encode()).hexdigest())"
    )
    prints = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(prints) == 1


@pytest.mark.parametrize("value", ["1.5", "-1", "1", "nan", "inf"])
def test_a_share_out_of_range_is_told(value: str) -> None:
    with pytest.raises(InputError, match=f"^test: {value} is not a share of the rows: 0 or more and below 1$"):
        share(value, "test")


def test_what_is_neither_share_nor_file_is_told_with_the_nearest_file(tmp_path: Path) -> None:
    (tmp_path / "test.csv").touch()
    with pytest.raises(InputError, match=r"^test: 'abc' is neither a share such as 0.2 nor a file$"):
        share("abc", "test")
    with pytest.raises(InputError, match=r"nor a file; did you mean 'test.csv'\?$"):
        share(str(tmp_path / "tests.csv"), "test")
    assert share(str(tmp_path / "test.csv"), "test") is None
    assert shares_and_files("", "sample:line") == ({"validation": 0.0, "test": 0.0}, {"test": "sample:line"})


def test_shares_that_leave_nothing_to_train_on_are_told() -> None:
    with pytest.raises(InputError, match=r"^validation 0\.5 and test 0\.5 leave nothing to train on$"):
        shares_and_files("0.5", "0.5")
