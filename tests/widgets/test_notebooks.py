"""A panel's settings as a notebook, and back."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from kerasllm_widgets import notebooks

from kerasllm import recipes
from kerasllm.errors import InputError
from kerasllm.notebook import parameters
from kerasllm.recipes.linear_regression import LinearRegression

SETTINGS = LinearRegression(data="a b's.csv", epochs=7, learning_rate=1e-5, optimizer="adam", drop='x, "y"')


@pytest.mark.parametrize("name", recipes.names())
def test_a_saved_notebook_holds_exactly_the_settings(name: str, tmp_path: Path) -> None:
    recipe = recipes.find(name)(seed=3, test="0.3")
    notebooks.save(recipe, tmp_path / "a.ipynb")
    assert notebooks.load(tmp_path / "a.ipynb") == recipe


def test_odd_values_come_back_too_and_the_cell_runs(tmp_path: Path) -> None:
    notebooks.save(SETTINGS, tmp_path / "a.ipynb")
    assert notebooks.load(tmp_path / "a.ipynb") == SETTINGS
    cells = nbformat.read(tmp_path / "a.ipynb", as_version=4).cells
    cell = next(cell for cell in cells if "parameters" in cell.metadata.get("tags", []))
    namespace: dict[str, object] = {}
    exec(cell.source, namespace)
    assert parameters(LinearRegression, namespace) == SETTINGS


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        notebooks.save(SETTINGS, tmp_path / "a.ipynb")
    assert (tmp_path / "a.ipynb").read_text() == "mine"


def test_a_name_must_be_a_notebooks(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ends with \.ipynb"):
        notebooks.save(SETTINGS, tmp_path / "a.py")


def test_what_papermill_injected_counts(tmp_path: Path) -> None:
    notebooks.save(SETTINGS, tmp_path / "a.ipynb")
    notebook = nbformat.read(tmp_path / "a.ipynb", as_version=4)
    cell = nbformat.v4.new_code_cell("# Parameters\nepochs = 11\n", metadata={"tags": ["injected-parameters"]})
    notebook.cells.insert(2, cell)
    nbformat.write(notebook, tmp_path / "a.ipynb")
    assert notebooks.load(tmp_path / "a.ipynb") == SETTINGS.model_copy(update={"epochs": 11})


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("epochs: int = open('x', 'w')", "no plain value"),
        ("epochs: int = 0.5", "epochs"),
        ("", "no cell tagged"),
    ],
)
def test_a_strange_notebook_is_told_and_not_run(source: str, told: str, tmp_path: Path) -> None:
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"] if source else []})
    line = nbformat.v4.new_code_cell("from kerasllm.recipes.linear_regression import LinearRegression")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell, line]), tmp_path / "a.ipynb")
    with pytest.raises(InputError, match=told):
        notebooks.load(tmp_path / "a.ipynb")
    assert not Path("x").exists()


def test_what_is_no_notebook_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        notebooks.load(tmp_path / "nix.ipynb")
    (tmp_path / "a.ipynb").write_text("{}")
    with pytest.raises(InputError, match="no notebook"):
        notebooks.load(tmp_path / "a.ipynb")
