"""Notebooks and forms: a notebook's own settings, and no file outside the root."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from kerasllm_widgets.server.forms import Filled, anchored
from kerasllm_widgets.server.notebooks import PANEL, form, panel_notebook, reserve_notebook
from nbformat.v4 import new_code_cell, new_notebook

from kerasllm.errors import InputError


def own_notebook(place: Path, *cells: str) -> Path:
    """A notebook whose first cell is tagged `parameters`."""
    made = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    made.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(made, place)
    return place


TRAINS = (
    "from kerasllm.recipes.linear_regression import LinearRegression\nrecipe = parameters(LinearRegression, globals())"
)


def test_each_notebook_with_a_panel_has_a_cell_of_its_own_for_it() -> None:
    """By its id the panel finds its runs again."""
    made = [panel_notebook("linear_regression") for _ in range(2)]
    one, two = (next(cell.id for cell in book.cells if PANEL in cell.metadata.get("tags", [])) for book in made)
    assert one != two


def test_a_recipes_notebook_keeps_its_own_settings(runs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "flats.csv").write_text("area,price\n50,100\n60,120\n")
    cell = 'data: str = "flats.csv"\nepochs: int = 7\nseed: int = 3'
    path = own_notebook(folder / "own.ipynb", cell, TRAINS)
    shown = form(path, "en")
    assert shown["recipe"] == "linear_regression"
    assert [shown["schema"]["properties"][name]["default"] for name in ("data", "epochs")] == ["flats.csv", 7]

    run = reserve_notebook(tmp_path, runs, path, Filled({"seed": 5}, "mine"))
    assert (run.recipe.epochs, run.recipe.seed, run.recipe.data) == (7, 5, str(folder / "flats.csv"))
    assert "epochs: int = 7" in (run.path / "source.ipynb").read_text("utf-8")


def test_a_recipes_notebook_names_no_file_outside_the_root(runs: Path, tmp_path: Path) -> None:
    from tornado.web import HTTPError

    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret.csv").write_text("area,price\n50,100\n60,120\n")
    for named in (tmp_path / "secret.csv", "../secret.csv"):
        path = own_notebook(root / "own.ipynb", f'data: str = "{named}"', TRAINS)
        with pytest.raises(HTTPError, match="no such file"):
            reserve_notebook(root, runs, path, Filled({}, "."))


def test_a_computed_default_is_an_empty_field(tmp_path: Path) -> None:
    path = own_notebook(tmp_path / "own.ipynb", 'n: int = 60 * 60\nm = 60 * 60\nname: str = "x"\nanything = None')
    drawn = form(path, "en")["schema"]["properties"]
    assert {name: one.get("default", "empty") for name, one in drawn.items()} == {
        "n": "empty", "m": "empty", "name": "x", "anything": "None",
    }  # fmt: skip


def test_choices_are_drawn_as_such_and_what_may_be_none_as_python_writes_it(tmp_path: Path) -> None:
    cell = 'mode: Literal["fast", "slow"] = "fast"\nrate: float | None = None\nitems = [1, 2]'
    drawn = form(own_notebook(tmp_path / "own.ipynb", cell), "en")["schema"]["properties"]
    shown = {name: (one["type"], one.get("enum"), one["default"]) for name, one in drawn.items()}
    assert shown == {
        "mode": ("string", ["fast", "slow"], "fast"),
        "rate": ("string", None, "None"),
        "items": ("string", None, "[1, 2]"),
    }


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("", "its cell tagged `parameters` declares nothing"),
        ("# n = 3\nprint()", "its cell tagged `parameters` declares nothing"),
        (None, "has no cell tagged `parameters`"),
    ],
)
def test_a_notebook_that_declares_no_parameters_is_told_what_to_do(cell: str | None, says: str, tmp_path: Path) -> None:
    path = own_notebook(tmp_path / "own.ipynb", cell or "")
    if cell is None:
        nbformat.write(new_notebook(cells=[new_code_cell("n = 3")]), path)
    with pytest.raises(InputError, match=says):
        form(path, "en")


@pytest.mark.parametrize(
    "preset", ["../..", "../../elsewhere", "/", "{outside}", "./missing", ".hidden", "hf://../x", "a\\b"]
)
def test_a_preset_lies_below_the_root_or_is_a_name(preset: str, tmp_path: Path) -> None:
    from tornado.web import HTTPError

    from kerasllm.recipes.bert_classifier import BertClassifier

    root, outside = tmp_path / "root", tmp_path / "elsewhere"
    (root / "mine" / "tiny").mkdir(parents=True)
    outside.mkdir()
    with pytest.raises(HTTPError) as refused:
        anchored(root, BertClassifier, Filled({"preset": preset.format(outside=outside)}, "mine"))
    assert refused.value.status_code == 404
    place, one, other = str(root / "mine" / "tiny"), "bert_tiny_en_uncased", "hf://google-bert/bert-base-chinese"
    for given, meant in (("tiny", place), (place, place), (one, one), (other, other)):
        assert anchored(root, BertClassifier, Filled({"preset": given}, "mine"))["preset"] == meant
