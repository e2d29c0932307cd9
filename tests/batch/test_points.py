"""Points: a grid or a table, checked before any starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from kerasllm import batch
from kerasllm.batch.points import seeded
from kerasllm.errors import InputError
from kerasllm.recipes.linear_regression import LinearRegression
from tests.batch.reserved import LINE, made
from tests.test_own_notebook import book


def test_a_grid_is_every_combination_and_quotes_hold_commas_together() -> None:
    points = batch.from_grid(["epochs=1,2", 'target="a,b",c'], {"data": "x.csv"})
    assert [point.words for point in points] == [
        {"data": "x.csv", "epochs": epochs, "target": target} for epochs in ("1", "2") for target in ("a,b", "c")
    ]
    assert [point.words.get("seed") for point in seeded(batch.from_grid(["seed=4"], {}), 3)] == ["4", "5", "6"]
    assert [point.words for point in batch.from_grid([], LINE)] == [LINE]


@pytest.mark.parametrize(
    ("grid", "says"),
    [
        (["epochs"], "--grid epochs: write NAME=VALUE,VALUE"),
        (["epochs=1", "epochs=2"], "epochs is given twice"),
        (["data=a,b"], "data is given twice"),
    ],
)
def test_a_grid_in_other_words_is_one_line(grid: list[str], says: str) -> None:
    with pytest.raises(InputError, match=says):
        batch.from_grid(grid, LINE)


def test_too_many_points_are_counted_and_not_built(tmp_path: Path) -> None:
    axes = [f"{name}={','.join('12345')}" for name in "abcdef"]
    with pytest.raises(InputError, match=r"^15625 points are too many; 10000 at most$"):
        batch.from_grid(axes, {})
    (tmp_path / "runs.csv").write_text("epochs\n" + "1\n" * 10_001)
    with pytest.raises(InputError, match=r"^10001 points are too many"):
        batch.from_table(str(tmp_path / "runs.csv"), {})
    with pytest.raises(InputError, match=r"^1000000000000 points are too many"):
        seeded([batch.Point(LINE)], 10**12)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("epochs,units\n1,2\n", "runs.csv, line 2: no parameter 'units'"),
        ("epochs,seed\n1,0\nmany,0\n", "runs.csv, line 3, column 'epochs': 'many' should be a valid integer"),
        ("epochs,data\n1,sample:line\n1,no.csv\n", "runs.csv, line 3, column 'data': no file"),
        ("epochs,seed\n1,0\n1,0\n", "runs.csv, line 3: the same parameters as point 1"),
        ("epochs,seed\n1\n", "runs.csv, line 2: 1 cells where the header has 2"),
    ],
)
def test_a_wrong_cell_of_a_table_is_named_before_anything_starts(
    table: str, says: str, tmp_path: Path, runs: Path
) -> None:
    (tmp_path / "runs.csv").write_text(table)
    fixed = {} if "data" in table else {"data": "sample:line"}
    with pytest.raises(InputError) as error:
        made(batch.from_table(str(tmp_path / "runs.csv"), fixed))
    assert says in str(error.value)
    assert not runs.exists()


@pytest.mark.parametrize(
    ("source", "grid", "says"),
    [
        ("image_classifier", "data=sample:digits,{folder}/pictures.csv", "data: {folder}/pictures.csv is a file; pict"),
        ("image_classifier", "data=sample:houses", "data: sample:houses: no column 'picture'"),
        ("bert_classifier", "preset=,no/such/place", "preset: 'no/such/place' is no directory"),
        ("text_classifier", "text=text,nosuch", "data: sample:messages: no column 'nosuch'"),
        ("text_classifier", "data={folder}", "data: {folder} is a folder, not a file"),
        ("linear_regression", "target=price,prize", "data: sample:houses: no column 'prize'; did you mean 'price'?"),
    ],
)
def test_columns_presets_and_kinds_of_file_are_checked_before_anything_starts(
    source: str, grid: str, says: str, tmp_path: Path, runs: Path
) -> None:
    (tmp_path / "pictures.csv").write_text("picture,label\na.png,a\n")
    with pytest.raises(InputError) as error:
        made(batch.from_grid([grid.format(folder=tmp_path)], {}), source=source)
    assert str(error.value).startswith(says.format(folder=tmp_path))
    assert not runs.exists()


def test_data_is_read_once_for_all_points_that_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []
    monkeypatch.setattr(LinearRegression, "read", lambda self: reads.append(self.target))
    made(batch.from_grid(["epochs=1,2", "learning_rate=0.1,0.2", "target=x,y"], {"data": "sample:line"}), 3)
    assert reads == ["x", "y"]


def test_an_empty_cell_of_a_table_is_the_parameters_default(tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_text("epochs,learning_rate\n3,\n4,0.5\n")
    many = made(batch.from_table(str(tmp_path / "runs.csv"), {"data": "sample:line"}))
    assert [run.recipe.epochs for run in many.runs] == [3, 4]
    assert many.runs[0].recipe.learning_rate == LinearRegression().learning_rate  # type: ignore[attr-defined]


def test_seeds_need_a_seed(tmp_path: Path) -> None:
    path = book(tmp_path, parameters="n = 1")
    with pytest.raises(InputError, match="no parameter 'seed'; there are: n"):
        made(batch.from_grid(["n=1,2"], {}), 2, str(path))
