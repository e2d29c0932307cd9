"""Texts with labels -> Data."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kerasllm.data import Data
from kerasllm.data.text import labelled, read_classification
from kerasllm.encoders import Labels, TextEncoder
from kerasllm.errors import InputError


def learn(source: Any, **options: Any) -> Data:
    features = {"words": 1, "gaps": False, "characters": 0, "size": 1000, "max_length": 50}
    return read_classification(
        source, fit=partial(TextEncoder.fit, column=options.get("text", "text"), **features), **options
    )


def texts(rows: int = 40) -> dict[str, list[Any]]:
    return {
        "text": [f"第 {row} 条 row" for row in range(rows)],
        "label": ["好" if row % 4 else "bad" for row in range(rows)],
    }


def saved(folder: Path, columns: dict[str, list[Any]], name: str = "reviews.csv") -> str:
    pd.DataFrame(columns).to_csv(folder / name, index=False)
    return str(folder / name)


def fault(source: Any, **options: Any) -> str:
    """The error's one line."""
    with pytest.raises(InputError) as caught:
        learn(source, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_file_frame_and_arrays_are_the_same_data(tmp_path: Path) -> None:
    columns = texts()
    sources = [columns, pd.DataFrame(columns), tuple(columns.values()), saved(tmp_path, columns)]
    found = [learn(source, validation="0.1", test="0.2") for source in sources]
    for one in found:
        assert (one.train, one.validation, one.test) == (found[0].train, found[0].validation, found[0].test)
        assert one.encoder.files() == found[0].encoder.files()
        assert one.card["splits"] == {"train": 28, "validation": 4, "test": 8}
        assert Counter(one.test.truth if one.test else []) == {"好": 6, "bad": 2}


@pytest.mark.parametrize(
    "labels",
    [
        [1, 0] * 20,
        [1.0, 0.0] * 20,
        np.array([1, 0] * 20),
        pd.Series([1, 0] * 20, dtype="Int64"),
        ["1 ", "0"] * 20,
    ],
)
def test_labels_are_strings_always(labels: Any) -> None:
    assert learn({"text": texts()["text"], "label": labels}).decoder.names == ["0", "1"]


def test_a_missing_label_makes_no_label_a_fraction() -> None:
    frame = pd.DataFrame({"text": texts()["text"], "label": [1, 0, None, *[1, 0] * 18, 1]})
    data = learn(frame)
    assert data.decoder.names == ["0", "1"]
    assert data.card["dropped"] == {"no label in 'label'": 1}


def test_the_label_na_is_a_label() -> None:
    assert learn({"text": texts()["text"], "label": ["NA", "nan"] * 20}).decoder.names == ["NA", "nan"]


def test_columns_may_have_any_name() -> None:
    columns = {"评论": texts()["text"], "类别": texts()["label"]}
    assert learn(columns, text="评论", label="类别").encoder.column == "评论"
    assert fault(columns) == "the data: no column 'text'; there are: 评论, 类别 (the parameter 'text' names it)"
    assert (
        fault({"text": ["a"], "lable": ["b"]})
        == "the data: no column 'label'; did you mean 'lable'? (the parameter 'label' names it)"
    )
    assert fault(columns, text="评论", label="评论") == "text and label are both '评论'; they are two columns"


def test_texts_that_differ_in_width_case_and_space_only_never_straddle() -> None:
    columns = texts(20)
    wide = [text.replace("row", "ＲＯＷ").replace(" ", "  ") for text in columns["text"]]
    data = learn({"text": columns["text"] + wide, "label": columns["label"] * 2}, validation="0.2", test="0.3")
    assert data.card["duplicates"] == 20
    parts = [
        {text.lower().replace("ｒｏｗ", "row").replace("  ", " ") for text in part.features}
        for part in (data.train, data.validation, data.test)
        if part
    ]
    assert len(parts) == 3
    assert sum(map(len, parts)) == len(set.union(*parts)) == 20


@pytest.mark.parametrize("seed", range(10))
def test_a_label_that_only_contradicts_another_is_known_to_the_model(seed: int) -> None:
    columns = texts()
    columns["text"].append(columns["text"][0])
    columns["label"].append("unlike")
    data = learn(columns, validation="0.3", test="0.4", seed=seed)
    assert "unlike" in data.decoder.names
    for part in (data.train, data.validation, data.test):
        assert part is not None
        assert len(data.examples(part)) == len(part)
    assert data.card["warnings"][0] == ("1 texts have rows with different labels, which train: such as '第 0 条 row'")


def test_texts_that_are_also_in_the_test_file_do_not_train_and_are_listed(tmp_path: Path) -> None:
    columns = texts()
    test = {"text": ["第 ３ 条 ROW", "new"], "label": ["好", "好"]}
    data = learn(saved(tmp_path, columns), test=saved(tmp_path, test, "test.csv"), validation="0.1")
    assert data.card["leaked"] == [5]
    assert data.card["dropped"] == {"also in the validation or test file": 1}
    assert data.card["splits"] == {"train": 35, "validation": 4, "test": 2}
    assert "第 3 条 row" not in data.train.features
    assert "what is in the validation or test data too is left out" in fault(
        columns, test=saved(tmp_path, columns, "same.csv")
    )


def test_what_another_file_lacks_is_counted_apart(tmp_path: Path) -> None:
    test = saved(tmp_path, {"text": ["", "x"], "label": ["好", "好"]})
    assert learn(texts(), test=test).card["dropped"] == {"no text in 'text', in the test file": 1}


def test_few_rows_all_train_and_the_card_says_so() -> None:
    data = learn(texts(10), validation="0.1", test="0.2")
    assert (len(data.train), data.validation, data.test) == (10, None, None)
    assert "fewer than 20 rows: all of them train" in data.card["warnings"][0]


def test_what_cannot_be_learned_from_is_told_in_one_line(tmp_path: Path) -> None:
    one = {"text": ["a", "b"], "label": ["x", "x"]}
    assert fault(one) == "the data, column 'label': 1 class to train on (x); at least 2 are needed"
    none = {"text": ["a", "b"], "label": [None, ""]}
    assert fault(none) == "the data: no row has both a text in 'text' and a label in 'label'"
    test = saved(tmp_path, {"text": ["a", "b\nc", "d"], "label": ["好", "好", "baad"]})
    assert fault(texts(), test=test) == (
        "reviews.csv, line 5, column 'label': training saw no class 'baad'; did you mean 'bad'?"
    )


def test_an_unseen_label_in_an_evaluation_is_told_with_its_line(tmp_path: Path) -> None:
    classes = Labels(["bad", "good"])
    path = saved(tmp_path, {"text": ["a", "", "c"], "label": ["bad", "unseen", "goood"]})
    with pytest.raises(InputError, match=r"^reviews.csv, line 4, column 'label': training saw no class 'goood'; did"):
        labelled(path, "text", "label", classes)
    assert labelled({"text": ["a"], "label": ["bad"]}, "text", "label", classes).truth == ["bad"]


def test_real_reviews_are_read_whole(shared: Path) -> None:
    data = learn(str(shared / "waimai_10k" / "train.csv"), test="0.2")
    assert data.card["rows"] == 9553
    assert data.decoder.names == ["0", "1"]
    assert sum(data.card["splits"].values()) == 9553
