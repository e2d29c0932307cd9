"""Rows <-> arrays, and back from JSON."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kerasllm.encoders import Column, Labels, TableEncoder, Target, TextEncoder, load
from kerasllm.encoders.cells import category, day, is_missing, number
from kerasllm.errors import InputError

TEXTS = ["退款什么时候到账", "我要退款", "Where is my refund?", "where is MY parcel", "发票", "invoice 2024"]
ODD = [
    "", " \t\r\n", "😀👨‍👩‍👧🇨🇳", "re\u200bfund", "cafe\u0301 e\u0301\u0301", "مرحبا بالعالم", "הלו", "नमस्ते",
    "환불 해주세요", "ＷＨＥＲＥ　ｉｓ", "\ufeff发票",
    "x" * 20_000, "a_b-c", "\x00\x07", "𠮷野家", "ﬁ Ⅳ ①", "\U0010ffff",
]  # fmt: skip


def fitted(**options: Any) -> TextEncoder:
    return TextEncoder.fit(
        TEXTS, **{"words": 2, "gaps": True, "characters": 4, "size": 1000, "max_length": 512, **options}
    )


def table() -> TableEncoder:
    return TableEncoder(
        [
            Column("面积", "number", fill=80.0),
            Column("town", "category", categories=("", "Rome", "北京")),
            Column("built", "date", fill=1.0, layout="%Y-%m-%d"),
        ]
    )


def saved(folder: Path, *parts: Any) -> Path:
    for part in parts:
        for name, text in part.files().items():
            (folder / name).write_text(text, "utf-8")
    return folder


def test_a_text_classifiers_encoders_come_back_from_their_folder(tmp_path: Path) -> None:
    encoder, classes = fitted(), Labels.fit(["退款", "invoice", "退款"])
    again, names = load(saved(tmp_path, encoder, classes))
    assert names.names == classes.names == ["invoice", "退款"]
    assert again.vocabulary == encoder.vocabulary
    assert again.files() == encoder.files()
    for text in TEXTS + ODD:
        assert again.encode([text])["ids"][0].tolist() == encoder.encode([text])["ids"][0].tolist()
    assert "退款" in (tmp_path / "labels.json").read_text("utf-8")


def test_a_tables_encoders_come_back_from_their_folder(tmp_path: Path) -> None:
    encoder, target = table(), Target("价格", 1.5, 2.0)
    again, number_of = load(saved(tmp_path, encoder, target))
    assert again.columns == encoder.columns
    assert number_of == target
    rows = [{"面积": "９０", "town": "北京", "built": "1970-01-03"}]
    for one in (encoder, again):
        inputs = one.encode(one.rows(rows))
        assert inputs["numbers"].tolist() == [[90, 2]]
        assert inputs["categories"].tolist() == [[3]]


def test_a_folder_without_encoders_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot answer: it has read no data yet"):
        load(tmp_path)


@pytest.mark.parametrize("text", ODD)
def test_any_text_encodes_to_at_least_one_known_id_alone_or_among_others(text: str) -> None:
    encoder = fitted()
    alone, beside = encoder.encode([text])["ids"][0], encoder.encode(["发票", text])["ids"][1]
    assert alone.tolist() == beside.tolist()
    assert alone.dtype == np.int32
    assert 1 <= len(alone) <= 512
    assert 0 <= alone.min() <= alone.max() < len(encoder.vocabulary)
    refitted = TextEncoder.fit([text], words=2, gaps=True, characters=4, size=100, max_length=9)
    assert len(refitted.encode([text])["ids"][0]) <= 9
    assert len(refitted.vocabulary) <= 100


def test_width_and_case_do_not_count_and_chinese_is_read_by_character() -> None:
    encoder = fitted(characters=0, gaps=False, words=1)
    assert encoder.units("ＷＨＥＲＥ is 退款,12!") == ["where", "is", "退", "款", ",", "12", "!"]
    wide, plain = encoder.encode(["ＷＨＥＲＥ　ＩＳ", "where is"])["ids"]
    assert wide.tolist() == plain.tolist()


def test_ngrams_are_runs_pairs_around_a_gap_and_pieces_of_words() -> None:
    assert fitted(words=2, gaps=True, characters=3).ngrams("我 ab") == [
        "<s>", "我", "ab", "</s>", "<s> 我", "我 ab", "ab </s>", "<s> _ ab", "我 _ </s>", "#<ab", "#ab>",
    ]  # fmt: skip


def test_a_misspelled_word_shares_pieces_with_the_right_one() -> None:
    encoder = TextEncoder.fit(["refund"], words=1, gaps=False, characters=4, size=100, max_length=50)
    right, wrong, other = (set(ids.tolist()) for ids in encoder.encode(["refund", "refnud", "zzz"])["ids"])
    assert len((right & wrong) - other) >= 2


def test_the_vocabulary_is_the_most_frequent_and_never_larger_than_asked() -> None:
    encoder = TextEncoder.fit(["b", "b a", "c"], words=1, gaps=False, characters=0, size=4, max_length=9)
    assert encoder.vocabulary == {"[UNK]": 0, "</s>": 1, "<s>": 2, "b": 3}


def test_max_length_cuts_and_the_unknown_is_place_0() -> None:
    assert [len(ids) for ids in fitted(max_length=3).encode(["where is my refund", "发"])["ids"]] == [3, 3]
    silent = TextEncoder(fitted().tokenizer, "text", 1, False, 0, 9)
    silent.vocabulary = {"[UNK]": 0}
    assert silent.encode(["", "什么"])["ids"][1].tolist() == [0]


def test_counting_stays_bounded_and_keeps_what_is_frequent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TextEncoder, "MOST", 100)
    texts = [f"common word{row}" for row in range(500)]
    encoder = TextEncoder.fit(texts, words=1, gaps=False, characters=0, size=10, max_length=9)
    assert "common" in encoder.vocabulary
    repeated = [f"w{row % 300}" for row in range(3000)]
    assert len(TextEncoder.fit(repeated, words=1, gaps=False, characters=0, size=10, max_length=9).vocabulary) == 10


def test_texts_are_taken_in_every_shape() -> None:
    encoder = fitted()
    columns = {"text": ["a", "b"], "more": [1, 2]}
    rows = [{"text": "a"}, {"text": "b"}]
    for given in (
        ["a", "b"],
        columns,
        pd.DataFrame(columns),
        pd.Series(["a", "b"]),
        rows,
        np.array(["a", "b"]),
    ):
        assert encoder.rows(given) == ["a", "b"]
    for given in ("hello", {"text": "hello"}, ("hello",)):
        assert encoder.rows(given) == ["hello"]


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ([1], "row 1: 1 is no text"),
        (["a", None], "row 2: None is no text"),
        (["a\ud83d"], "row 1: 'a\\ud83d' holds half a character (a lone surrogate)"),
        (7, "row 1: 7 is no text"),
        ([{"txt": "a"}], "row 1 has no column 'text'; did you mean 'txt'?"),
        ({"texts": ["a"]}, "no column 'text'; did you mean 'texts'?"),
    ],
)
def test_what_is_no_text_is_told(given: Any, line: str) -> None:
    with pytest.raises(InputError) as caught:
        fitted().rows(given)
    assert str(caught.value) == line


def test_table_rows_are_taken_in_every_shape() -> None:
    encoder = table()
    row = {"面积": 90, "town": "Rome", "built": "1970-01-02"}
    for given in (
        row,
        [row],
        pd.DataFrame([row]),
        {name: [cell] for name, cell in row.items()},
        [list(row.values())],
    ):
        inputs = encoder.encode(encoder.rows(given))
        assert (inputs["numbers"].tolist(), inputs["categories"].tolist()) == ([[90, 1]], [[2]])
    one = TableEncoder([Column("x", "number")])
    for given in ([1, 2], np.array([1, 2]), np.array([[1], [2]]), ["1", "２"]):
        assert one.encode(one.rows(given))["numbers"].tolist() == [[1], [2]]
    assert one.encode(one.rows("3"))["numbers"].tolist() == [[3]]
    assert list(one.encode(one.rows([]))["numbers"].shape) == [0, 1]


def test_missing_cells_are_filled_and_unseen_categories_are_place_0() -> None:
    encoder = table()
    for gone in (None, "", "NA", float("nan"), np.float32("nan"), pd.NA, pd.NaT, "缺失"):
        inputs = encoder.encode(encoder.rows([{"面积": gone, "town": gone, "built": gone}]))
        assert (inputs["numbers"].tolist(), inputs["categories"].tolist()) == ([[80, 1]], [[1]])
    assert encoder.encode(encoder.rows([[1, "Atlantis", None]]))["categories"].tolist() == [[0]]


@pytest.mark.parametrize(
    ("text", "layout", "hours"),
    [
        ("1970-01-02T01:30:00.5Z", "ISO 8601", 25.5 + 0.5 / 3600),
        ("1970-01-02 01:30:00+08:00", "ISO 8601", 17.5),
        ("1970-01-02", "ISO 8601", 24),
        ("01/02/1970 1:30", "%m/%d/%Y %H:%M", 25.5),
        ("01/02/1970 11:30:00 PM", "%m/%d/%Y %I:%M:%S %p", 47.5),
    ],
)
def test_a_moment_is_a_number_of_days(text: str, layout: str, hours: float) -> None:
    assert day(text, layout) == pytest.approx(hours / 24, abs=1e-9)


def test_a_date_may_be_a_date() -> None:
    encoder = table()
    moments = [pd.Timestamp("1970-01-03"), datetime.datetime(1970, 1, 3), "1970-01-03"]
    rows = [{"面积": 1, "town": "", "built": moment} for moment in moments]
    assert encoder.encode(encoder.rows(rows))["numbers"][:, 1].tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ([{"面积": 1, "town": "a"}], "row 1 has no column 'built'; there are: 面积, town"),
        ({"面积": [1], "twn": ["a"], "built": [""]}, "no column 'town'; did you mean 'twn'?"),
        ([[1, 2]], "row 1 has 2 values; the columns are: 面积, town, built"),
        ([[1, "a", "1970-01-01"], ["x", "a", "1970-01-01"]], "row 2, column '面积': 'x' is not a number"),
        ([[1, "a", "3.1.70"]], "row 1, column 'built': '3.1.70' is not a date like %Y-%m-%d"),
        (
            {"面积": [1], "town": ["a", "b"], "built": [""]},
            "columns differ in length: 面积 1, town 2, built 1",
        ),
    ],
)
def test_rows_that_do_not_fit_the_columns_are_told(given: Any, line: str) -> None:
    encoder = table()
    with pytest.raises(InputError) as caught:
        encoder.encode(encoder.rows(given))
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1.5", 1.5), (" 7 ", 7), ("１２．５", 12.5), ("-1e3", -1000), (True, 1), (np.int64(3), 3),
        ("", None), ("a", None), ("inf", None), (float("nan"), None), (None, None), ("1_000", None),
        (10**400, None),
        ([1], None),
        ("1,000", 1000), ("-$1,234.50", -1234.5), ("￥３，０００", 3000), ("12 %", 12), (".5%", 0.5), ("5元", 5),
        ("1,00", None), ("$", None), ("+-5", None), ("$-5", None), ("%", None), ("1,2345", None),
    ],
)  # fmt: skip
def test_a_number_is_a_finite_one(cell: Any, value: float | None) -> None:
    assert number(cell) == value


def test_cells_mean_what_people_mean() -> None:
    assert category(1) == category(1.0) == category("1") == category("1.0") == category(" １ ") == "1"
    assert category(True) == category(np.True_) == category("TRUE") == category("true") == "true"
    assert category("1.05") == "1.05"
    assert category(1e16) == category(10**16) == "1" + "0" * 16
    assert not is_missing(0)
    assert not is_missing("no")
    assert day("2024-02-30", "%Y-%m-%d") is None
    assert day(" 1970-01-02 ", "%Y-%m-%d") == 1


def test_labels_are_places_sorted_by_name_and_an_unseen_one_is_told() -> None:
    classes = Labels.fit(["b", "a", "c", "b"])
    assert classes.encode(["c", "a"]).tolist() == [2, 0]
    with pytest.raises(InputError, match=r"^row 2: training saw no class 'd'; there are: a, b, c$"):
        classes.encode(["a", "d"])


def test_probabilities_are_stable_for_extreme_logits_and_sum_to_1() -> None:
    logits = np.array([[1e4, -1e4, 0], [-1e30, -1e30, -1e30], [3e38, -3e38, 0], [0, np.log(2), 0]], "float32")
    shares = Labels.probabilities(logits)
    assert shares.sum(axis=1) == pytest.approx([1, 1, 1, 1], abs=1e-12)
    assert shares.tolist() == [
        [1, 0, 0], pytest.approx([1 / 3] * 3), [1, 0, 0], pytest.approx([0.25, 0.5, 0.25])
    ]  # fmt: skip
    assert np.isfinite(Labels.probabilities(np.array([[6e4, -6e4]], "float16"))).all()


def test_an_answer_names_the_likeliest_first_and_ties_by_name() -> None:
    answer = Labels(["a", "b", "c"]).decode(np.array([[0.0, 1.0, 0.0]]))[0]
    assert answer["label"] == "b"
    assert list(answer["probabilities"]) == ["b", "a", "c"]


def test_a_target_is_standardized_and_answers_carry_its_name() -> None:
    target = Target("价格", 10.0, 2.0)
    assert target.encode([10, 14]).tolist() == [0, 2]
    assert target.decode(np.array([[12.5]], "float32")) == [{"价格": 12.5}]
