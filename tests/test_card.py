"""The data card."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from kerasllm.data.card import render
from kerasllm.data.files import read
from kerasllm.data.notes import Notes, describe_labels, describe_lengths, describe_numbers
from kerasllm.data.pictures import picture_card
from kerasllm.data.table import read_regression, table_card
from kerasllm.data.text import text_card
from kerasllm.recipes.bert_classifier import BertClassifier
from kerasllm.recipes.lstm_text import LstmText


def test_classes_of_one_and_of_few_rows_are_named() -> None:
    notes = Notes()
    found = describe_labels(["a"] * 6 + ["b"] + ["c"] * 3, notes)
    assert found == {"classes": {"a": 6, "c": 3, "b": 1}, "largest_share": 0.6}
    assert notes.warnings == ["one row only, so never in validation or test: 'b'", "fewer than 5 rows: 'c'"]


def test_one_class_for_nearly_all_rows_is_noted() -> None:
    notes = Notes()
    describe_labels(["a"] * 95 + ["b"] * 5, notes)
    assert notes.warnings == ["95% of the rows have one label; accuracy says little, see F1 or set class weights"]


def test_lengths_and_numbers_are_plain() -> None:
    assert describe_lengths(range(101)) == {"min": 0, "p5": 5, "p50": 50, "p95": 95, "p99": 99, "max": 100}
    assert describe_numbers([1, 3]) == {"mean": 2.0, "deviation": 1.0, "min": 1.0, "max": 3.0}


def test_the_card_of_a_text_file_says_all_that_was_found(tmp_path: Path) -> None:
    path = tmp_path / "评论.csv"
    rows = ["文本;标签", *[f"第{n}条;好" for n in range(10)], "第１条;差", ";好", "好的;", "唯一;中"]
    path.write_bytes("\r\n".join(rows).encode("gbk"))
    card = text_card(read(path), "文本", "标签")
    assert json.loads(json.dumps(card)) == card
    assert render(card).splitlines() == [
        "评论.csv: 14 rows (gb18030, delimiter ';')",
        "  classes: 3 (好 10, 差 1, 中 1)",
        "  characters: min 2, p5 2, p50 3, p95 3, p99 3, max 3",
        "  duplicates: 1",
        "  dropped: 1 row, no text in '文本'",
        "  dropped: 1 row, no label in '标签'",
        "  note: 1 texts have rows with different labels, which train: such as '第１条'",
        "  note: one row only, so never in validation or test: '中', '差'",
    ]


def test_the_card_of_a_table_describes_each_column() -> None:
    rows = {
        "id": list(range(30)),
        "面积": [str(n) for n in range(28)] + ["", "?"],
        "town": ["a", "b", None] * 10,
        "flag": [True, False] * 15,
        "same": [1] * 30,
        "when": [f"2024-01-{n:02}" for n in range(1, 31)],
        "notes": [f"note {n}" for n in range(30)],
    }
    lines = render(table_card(rows)).splitlines()
    assert lines == [
        "the data: 30 rows",
        "  id: dropped, 30 distinct; an identifier: it only tells rows apart (name it in `numeric` to use it)",
        "  面积: number, 29 distinct, 1 missing; 1 cells that are no numbers count as missing",
        "  town: category, 2 distinct, 10 missing",
        "  flag: category, 2 distinct",
        "  same: dropped, 1 distinct; one value only",
        "  when: date, 30 distinct; a date (%Y-%m-%d), as days since 1970",
        "  notes: dropped, 30 distinct; texts or an identifier: most rows have a value of their own",
        "  duplicates: 0",
        "  note: the data, row 30, column '面积': '?' is not a number; 1 cells that are no numbers count as "
        "missing (or name the column in `categorical`)",
        "  note: to tell classes from the texts in 'notes', name it and the labels as text and label",
    ]


def test_a_card_is_told_in_chinese_too(tmp_path: Path) -> None:
    rows = {
        "订单编号": list(range(30)),
        "面积": [str(n) for n in range(27)] + ["", "?", "1,234"],
        "town": ["a", "b", None] * 10,
        "街道": [f"street {n % 15} {'a' * (n % 2)}" for n in range(30)],
        "same": [1] * 30,
        "when": [f"2024-01-{n:02}" for n in range(1, 31)],
    }
    assert render(table_card(rows), "zh").splitlines() == [
        "the data: 30 行",
        "  订单编号: 略去, 30 种取值; 编号：只用来区分各行（要使用它，请写入 `numeric`）",
        "  面积: 数字, 29 种取值, 缺失 1 个; '1,234' 这样的单元格读作 1234；1 个不是数字的单元格视为缺失",
        "  town: 类别, 2 种取值, 缺失 10 个",
        "  街道: 略去, 30 种取值; 文本或编号：多数行的值各不相同",
        "  same: 略去, 1 种取值; 只有一种值",
        "  when: 日期, 30 种取值; 日期（%Y-%m-%d），换算为 1970 年以来的天数",
        "  重复: 0",
        "  提示: the data 第 29 行，列 '面积'：'?' 不是数字；"
        "1 个不是数字的单元格视为缺失（或把这一列写入 `categorical`）",
        "  提示: 要由 '街道' 中的文本判断类别，请把这一列与标签列设为 text 与 label",
    ]
    path = tmp_path / "评论.csv"
    path.write_text("text,label\n" + "".join(f"第{n}条,好\n" for n in range(95)) + "差,坏\n第1条,一般\n,好\n好的,\n")
    card = text_card(read(path), "text", "label")
    assert render(card, "zh").splitlines()[3:] == [
        "  重复: 1",
        "  略去: 1 行, 'text' 列没有文本",
        "  略去: 1 行, 'label' 列没有标签",
        "  提示: 1 条文本在不同的行有不同的标签，这些行都参与训练：例如 '第1条'",
        "  提示: 只有一行，因此从不用于验证或测试：'一般', '坏'",
        "  提示: 98% 的行是同一个标签；准确率说明不了什么，请看 F1，或设置类别权重",
    ]
    del card["zh"]  # as an older version wrote it
    assert "提示: one row only" in render(card, "zh")


def test_every_note_is_told_in_chinese_too(tmp_path: Path) -> None:
    for name in ("cats/a.png", "cats/deep/b.png", "dogs/a.png", "dogs/broken.png", "alone.png"):
        (tmp_path / "pets" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 255 * name.startswith("dogs")).save(tmp_path / "pets" / name)
    for name in (".hidden", "cats/notes.txt", "dogs/broken.png"):
        (tmp_path / "pets" / name).write_text("x")
    (tmp_path / "pets" / "birds").mkdir()
    text = "".join(f"Paragraph {n} of a long text.\n\n" for n in range(40))
    (tmp_path / "long.txt").write_text(text)
    (tmp_path / "known.txt").write_text(text[:300])
    (tmp_path / "test.csv").write_text("面积,once,price\n,1,1\nabout 50,2,2\n" + "2,2,3\n" * 30)
    table = {"面积": list(range(50)), "once": [1] + [2] * 49, "town": [f"t{n % 120}" for n in range(50)]}
    cards = [
        picture_card(str(tmp_path / "pets")),
        LstmText(data=str(tmp_path / "long.txt"), test=str(tmp_path / "known.txt")).read().card,
        read_regression({**table, "price": list(range(50))}, drop="town", test=str(tmp_path / "test.csv")).card,
        BertClassifier(max_length=3, test="")
        .read({"text": [f"many words {n}" for n in range(30)], "label": list("abc" * 10)})
        .card,
    ]
    for card in cards:
        notes = {column["note"] for column in card.get("columns", []) if column["note"]}
        assert {*card["dropped"], *card["warnings"], *card.get("unreadable", []), *notes} <= card["zh"].keys()
        assert card["zh"]
    assert [line for line in render(cards[0], "zh").splitlines() if "张图片" in line]


def test_leaked_rows_are_listed() -> None:
    notes = Notes()
    notes.leak(range(2, 20))
    card = {"source": "a.csv", "rows": 50, "found": {}, "duplicates": 0, **notes.entries()}
    assert render(card).splitlines()[2:] == [
        "  dropped: 18 rows, also in the validation or test file",
        "  leaked: 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 and 6 more (line or row)",
    ]
    assert render(card, "zh").splitlines()[2:] == [
        "  略去: 18 行, 在验证或测试文件中也有",
        "  泄漏: 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13，另有 6 个（行号）",
    ]
