"""A table -> Data for predicting a number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kerasllm.data.memory import Table
from kerasllm.data.table import labelled, read_regression, table_card
from kerasllm.encoders import TableEncoder
from kerasllm.errors import InputError


def table(rows: int = 40) -> dict[str, list[Any]]:
    return {
        "area": [50 + 3 * row for row in range(rows)],
        "town": ["北京" if row % 2 else "Rome" for row in range(rows)],
        "price": [100 + 7 * row for row in range(rows)],
    }


def saved(folder: Path, columns: dict[str, list[Any]], name: str = "houses.csv") -> str:
    pd.DataFrame(columns).to_csv(folder / name, index=False)
    return str(folder / name)


def kinds(card: dict[str, Any]) -> dict[str, str]:
    return {column["name"]: column["kind"] for column in card["columns"]}


def fault(source: Any, **options: Any) -> str:
    """The error's one line."""
    with pytest.raises(InputError) as caught:
        read_regression(source, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_file_frame_columns_rows_and_arrays_train_on_the_same_numbers(tmp_path: Path) -> None:
    columns = table()
    frame = pd.DataFrame(columns)
    frame.to_parquet(tmp_path / "houses.parquet")
    frame.to_csv(tmp_path / "houses.csv.gz", index=False)
    sources = [
        columns, frame, frame.to_dict("records"), (frame[["area", "town"]], frame["price"]),
        saved(tmp_path, columns), tmp_path / "houses.csv.gz", tmp_path / "houses.parquet",
    ]  # fmt: skip
    found = [read_regression(source, validation="0.1", test="0.2", seed=1) for source in sources]
    assert found[0].encoder.columns[1].categories == ("Rome", "北京")
    for one in found:
        examples = one.examples(one.train)
        assert one.encoder.files() == found[0].encoder.files()
        assert examples.inputs["numbers"].tolist() == found[0].examples(found[0].train).inputs["numbers"].tolist()
        assert examples.targets.tolist() == found[0].examples(found[0].train).targets.tolist()
        assert one.card["splits"] == {"train": 28, "validation": 4, "test": 8}


def test_the_last_column_is_the_target_unless_another_is_named() -> None:
    assert read_regression(table()).decoder.name == "price"
    assert read_regression(table(), target="area").decoder.name == "area"


def test_kinds_are_inferred_and_may_be_set() -> None:
    columns = {"zip": [10115 + row % 3 for row in range(40)], "width": ["１２", "7"] * 20, **table()}
    card = read_regression(columns).card
    assert kinds(card) == {
        "zip": "number", "width": "number", "area": "number", "town": "category", "price": "target"
    }  # fmt: skip
    card = read_regression(columns, categorical="zip, width", drop="town").card
    assert kinds(card) == {
        "zip": "category", "width": "category", "area": "number", "town": "dropped", "price": "target"
    }  # fmt: skip
    assert fault(columns, numeric="town") == "the data, row 1, column 'town': 'Rome' is not a number"


def test_identifiers_are_dropped_and_dates_become_numbers_with_a_note() -> None:
    days = pd.date_range("2024-01-01", periods=40)
    columns = {
        "id": range(40), "userID": range(40), "订单编号": range(40), "用户ID": range(40), "PAID": range(40),
        "当日": [f"2024年{day.month}月{day.day}日" for day in days], "at": days,
        "stamp": [f"{day:%Y-%m-%d}T08:00:00.250+08:00" for day in days],
        "note": [f"n{row}" for row in range(40)],
        **table(),
    }  # fmt: skip
    data = read_regression(columns)
    found = kinds(data.card)
    dropped = ["id", "userID", "订单编号", "用户ID", "note"]
    assert [name for name, kind in found.items() if kind == "dropped"] == dropped
    assert [name for name, kind in found.items() if kind == "date"] == ["当日", "at", "stamp"]
    notes = {column["name"]: column["note"] for column in data.card["columns"]}
    assert notes["id"].startswith("an identifier: it only tells rows apart")
    assert notes["当日"] == "a date (%Y年%m月%d日), as days since 1970"
    numbers = data.encoder.encode(data.train.features)["numbers"]
    place = [column.name for column in data.encoder.numbers].index("当日")
    assert numbers[:2, place].tolist() == [19723, 19724]
    assert notes["stamp"] == "a date (ISO 8601), as days since 1970"


def test_missing_cells_are_filled_with_the_mean_of_training_and_are_a_category_of_their_own() -> None:
    columns = table()
    columns["area"] = [1.0, 3.0, "", "NA", None, float("nan"), *[2.0] * 34]
    columns["town"] = [None, "", "缺失", *["a", "b"] * 18, "c"]
    data = read_regression(columns)
    by_name = {column["name"]: column for column in data.card["columns"]}
    assert (by_name["area"]["missing"], by_name["town"]["missing"]) == (4, 3)
    inputs = data.encoder.encode(data.train.features)
    assert inputs["numbers"][:6, 0].tolist() == [1, 3, 2, 2, 2, 2]
    assert inputs["categories"][:4, 0].tolist() == [1, 1, 1, 2]


def test_a_word_or_nothing_is_a_category_and_one_value_is_none() -> None:
    columns = {
        "vip": ["是", ""] * 20,
        "same": ["x"] * 40,
        "one": [1, None] * 20,
        "none": [None] * 40,
        **table(),
    }
    data = read_regression(columns)
    found = {column["name"]: (column["kind"], column["note"]) for column in data.card["columns"]}
    assert found["vip"] == ("category", "")
    assert found["same"] == found["one"] == ("dropped", "one value only")
    assert found["none"] == ("dropped", "no value in any row")


def test_true_and_false_are_categories_in_a_frame_as_in_a_file(tmp_path: Path) -> None:
    columns = {"flag": [True, False] * 20, **table()}
    for source in (pd.DataFrame(columns), saved(tmp_path, columns)):
        encoder = read_regression(source).encoder
        assert encoder.encode(encoder.rows({"flag": True, "area": 1, "town": "Rome"}))["categories"][0, 0] == 2


def test_the_card_counts_the_whole_file_and_the_means_come_from_training_rows_only() -> None:
    columns = table()
    columns["town"] = [f"town {row % 13}" for row in range(40)]
    columns["area"] = [float(row) for row in range(38)] + [None, None]
    data = read_regression(columns, validation="0.2", test="0.4")
    by_name = {column["name"]: column for column in data.card["columns"]}
    assert (by_name["area"]["distinct"], by_name["area"]["missing"]) == (38, 2)
    assert by_name["town"]["distinct"] == 13
    area = [cell for cell in data.train.features["area"] if cell is not None]
    assert data.encoder.columns[0].fill == pytest.approx(np.mean(area))
    assert set(data.encoder.columns[1].categories) == set(data.train.features["town"])
    assert data.decoder.mean == pytest.approx(np.mean(data.train.truth))
    assert data.card["target"]["mean"] == pytest.approx(np.mean(columns["price"]))


def test_a_column_with_one_value_in_training_alone_is_left_out_with_a_note() -> None:
    columns = table()
    held = read_regression(columns, test="0.2").test
    assert held is not None
    rare = [9 if area in held.features["area"] else 7 for area in columns["area"]]
    card = read_regression({"rare": rare, **columns}, test="0.2").card
    entry = next(column for column in card["columns"] if column["name"] == "rare")
    assert (entry["kind"], entry["note"]) == ("dropped", "one value only in the training rows")


def test_a_few_stray_cells_count_as_missing_with_a_warning_and_many_make_a_category(tmp_path: Path) -> None:
    columns = table()
    columns["area"] = ["about 50", *map(str, columns["area"][1:])]
    data = read_regression(saved(tmp_path, columns), test="0.2")
    assert data.card["warnings"][0].startswith("houses.csv, line 2, column 'area': 'about 50' is not a number; 1 cells")
    assert kinds(data.card)["area"] == "number"
    columns["area"][:3] = ["?", "?", "?"]
    columns["area"][3:] = [str(row % 4) for row in range(37)]
    assert kinds(read_regression(columns).card)["area"] == "category"


def test_money_percents_and_thousands_are_numbers_with_a_note() -> None:
    columns = table()
    columns["price"] = [f"¥{number:,}" for number in range(1000, 41000, 1000)]
    columns["tax"] = [f"{row}.5%" for row in range(40)]
    data = read_regression({"tax": columns["tax"], "price": columns["price"]}, test="")
    assert data.train.truth[:2] == [1000, 2000]
    assert data.examples(data.train).inputs["numbers"][:2, 0].tolist() == [0.5, 1.5]
    notes = {column["name"]: column["note"] for column in data.card["columns"]}
    assert notes == {
        "tax": "cells such as '0.5%' are read as 0.5",
        "price": "cells such as '¥1,000' are read as 1000",
    }


def test_a_test_file_follows_the_training_files_rule_for_stray_cells(tmp_path: Path) -> None:
    few, many = table(), table()
    few["area"] = ["about 50", *few["area"][1:]]
    many["area"] = ["about 50"] * 5 + many["area"][5:]
    card = read_regression(table(200), test=saved(tmp_path, few, "few.csv")).card
    assert any("'about 50' is not a number" in line and "in the test file" in line for line in card["warnings"])
    assert "few.csv" not in fault(table(200), test=saved(tmp_path, many, "many.csv"))


def test_rows_whose_category_differs_in_space_only_never_straddle() -> None:
    columns = {
        "town": ["Rome", " Rome", "Oslo"] * 40,
        "area": [row // 3 for row in range(120)],
        "price": [1, 1, 2] * 40,
    }
    data = read_regression(columns, test="0.3")
    pairs = [
        {(town.strip(), area) for town, area, _ in zip(*part.features.values(), strict=True)}
        for part in (data.train, data.test)
    ]
    assert not pairs[0] & pairs[1]


def test_a_stray_cell_among_the_held_out_rows_does_no_harm() -> None:
    for place in range(40):
        columns = table()
        columns["area"][place] = "?"
        data = read_regression(columns, validation="0.2", test="0.4")
        for part in (data.train, data.validation, data.test):
            assert part is not None
            assert np.isfinite(data.examples(part).inputs["numbers"]).all()


def test_reading_leaves_what_it_was_given_as_it_was() -> None:
    given = Table({"a": ["?", *map(str, range(39))], "y": list(range(40))}, range(1, 41), "given")
    read_regression(given)
    assert given.columns["a"][0] == "?"


def test_duplicates_never_straddle_even_where_an_identifier_differs() -> None:
    columns = {name: cells * 3 for name, cells in table(20).items()}
    columns["id"] = list(range(60))
    data = read_regression(columns, target="price", validation="0.2", test="0.3")
    assert data.card["duplicates"] == 40
    parts = [set(part.truth) for part in (data.train, data.validation, data.test) if part]
    assert len(parts) == 3
    assert sum(map(len, parts)) == len(set.union(*parts)) == 20


def test_rows_that_are_also_in_the_test_file_do_not_train_and_are_listed(tmp_path: Path) -> None:
    columns = table()
    test = {"extra": ["x"] * 5, **{name: cells[:5] for name, cells in columns.items()}}
    data = read_regression(saved(tmp_path, columns), test=saved(tmp_path, test, "test.csv"))
    assert data.card["dropped"] == {"also in the validation or test file": 5}
    assert data.card["leaked"] == [2, 3, 4, 5, 6]
    assert data.card["splits"] == {"train": 35, "test": 5}
    assert set(data.train.truth).isdisjoint(columns["price"][:5])
    assert "at least 2 are needed; 40 more are in the validation or test file too" in fault(
        saved(tmp_path, columns), test=saved(tmp_path, columns, "same.csv")
    )


def test_rows_of_the_validation_file_in_the_test_file_are_noted(tmp_path: Path) -> None:
    other = saved(
        tmp_path,
        {name: [cell + 1 if name == "price" else cell for cell in cells[:3]] for name, cells in table().items()},
    )
    card = read_regression(table(), validation=other, test=other).card
    assert card["warnings"] == ["3 rows of the validation file are in the test file too"]


def test_five_rows_are_enough_and_all_of_them_train() -> None:
    data = read_regression("sample:line", validation="0.1", test="0.2")
    assert (len(data.train), data.validation, data.test) == (5, None, None)
    assert data.card["warnings"] == ["fewer than 20 rows: all of them train, and no validation or test is held out"]


def test_rows_without_a_target_are_dropped_and_counted() -> None:
    columns = table()
    columns["price"][:2] = [None, "NA"]
    data = read_regression(columns)
    assert data.card["dropped"] == {"no value in 'price'": 2}
    assert len(data.train) == 38


def test_what_cannot_be_learned_from_is_told_in_one_line(tmp_path: Path) -> None:
    columns = table()
    path = saved(tmp_path, {**columns, "price": [*columns["price"][:5], "five", *columns["price"][6:]]})
    assert fault(path) == "houses.csv, line 7, column 'price': 'five' is not a number"
    assert fault({**columns, "price": [0.1] * 40}) == (
        "the data, column 'price': every row holds 0.1; there is nothing to learn"
    )
    assert fault({**columns, "price": [None] * 40}) == "the data, column 'price': no row holds a number"
    assert "every row holds 3" in fault({"a": [1, 2], "y": [3, None]})
    assert fault(columns, validation="0.5", test="0.5") == "validation 0.5 and test 0.5 leave nothing to train on"


def test_a_test_file_that_does_not_fit_is_told_with_its_place(tmp_path: Path) -> None:
    columns = table()
    assert fault(columns, test=saved(tmp_path, {"area": [1], "price": [2]})) == (
        "houses.csv: no column 'town'; there are: area, price"
    )
    path = saved(tmp_path, {"area": [1, "x"], "town": ["a", "b"], "price": [1, 2]})
    assert fault(columns, test=path) == "houses.csv, line 3, column 'area': 'x' is not a number"


def test_new_rows_to_evaluate_on_are_checked_with_their_place(tmp_path: Path) -> None:
    encoder = read_regression(table()).encoder
    assert isinstance(encoder, TableEncoder)
    good = labelled({"area": [1], "town": ["?"], "price": [9]}, encoder, "price")
    assert good.truth == [9]
    path = saved(tmp_path, {"area": [1, "many"], "town": ["a", "b"], "price": [1, 2]})
    with pytest.raises(InputError, match=r"^houses\.csv, line 3, column 'area': 'many' is not a number$"):
        labelled(path, encoder, "price")


def test_real_houses_are_described_as_they_are(shared: Path) -> None:
    card = table_card(str(shared / "king_county_house" / "train.csv"))
    found = kinds(card)
    assert card["rows"] == 17287
    assert (found["id"], found["date"], found["price"]) == ("dropped", "date", "number")
    data = read_regression(str(shared / "ames_house" / "train.csv"), test="0.2")
    by_name = {column["name"]: column for column in data.card["columns"]}
    assert (by_name["Alley"]["kind"], by_name["Alley"]["missing"]) == ("category", 1094)
    assert by_name["Id"]["kind"] == "dropped"
    assert np.isfinite(data.examples(data.test).inputs["numbers"]).all() if data.test else False


def test_what_is_odd_in_new_rows_is_noted(tmp_path: Path) -> None:
    encoder = read_regression(table()).encoder
    assert isinstance(encoder, TableEncoder)
    columns = {"area": [*range(39), "unknown", 7], "town": ["Rome"] * 40 + ["mars"], "price": [1] * 40 + [None]}
    found = labelled(saved(tmp_path, columns), encoder, "price")
    assert found.notes
    assert found.notes.lines() == [
        "1 left out: no value in 'price'",
        "houses.csv, line 41, column 'area': 'unknown' is not a number; 1 such cells count as missing",
    ]
    columns["price"][40] = 5
    last = labelled(saved(tmp_path, columns), encoder, "price").notes
    assert last
    unseen = last.lines()[-1]
    assert unseen == "column 'town': categories that the network does not know, and takes for one: 'mars'"
    assert last.zh[unseen] == "列 'town'：网络不认识的取值，视为同一种：'mars'"


def test_the_card_tells_what_a_test_file_holds_that_no_training_row_does(tmp_path: Path) -> None:
    path = saved(tmp_path, {"area": [500], "town": ["mars"], "price": [1]})
    told = "column 'town', in the test file: categories that the network does not know, and takes for one: 'mars'"
    assert told in read_regression(table(), test=path).card["warnings"]


def test_a_number_beyond_32_bits_is_refused_in_new_rows(tmp_path: Path) -> None:
    encoder = read_regression(table()).encoder
    with pytest.raises(InputError, match=r"line 2, column 'area': '1e\+39' is too large for 32-bit arithmetic$"):
        labelled(saved(tmp_path, {"area": ["1e+39"], "town": ["a"], "price": [1]}), encoder, "price")  # type: ignore[arg-type]
