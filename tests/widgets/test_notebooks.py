"""A panel's settings as a notebook, and back."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from kerasllm_widgets import notebooks
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from kerasllm import recipes
from kerasllm.errors import InputError
from kerasllm.notebook import parameters
from kerasllm.notebook_run import execute, from_notebook, reserve
from kerasllm.recipes.linear_regression import LinearRegression


def book(folder: Path, *cells: str) -> Path:
    """A notebook whose first cell is tagged `parameters`, unless it is empty."""
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    made.cells[0].metadata["tags"] = ["parameters"] if cells[0] else []
    nbformat.write(made, folder / "a.ipynb")
    return folder / "a.ipynb"


SETTINGS = LinearRegression(data="a b's.csv", epochs=7, learning_rate=1e-5, optimizer="adam", drop='x, "y"')


@pytest.mark.parametrize("name", recipes.names())
def test_a_saved_notebook_holds_exactly_the_settings(name: str, tmp_path: Path) -> None:
    recipe = recipes.find(name)(seed=3, test="0.3")
    notebooks.save(recipe, tmp_path / "a.ipynb")
    assert notebooks.load(tmp_path / "a.ipynb") == recipe


def test_odd_values_come_back_too_and_the_cell_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    notebooks.save(SETTINGS, Path("a.ipynb"))
    assert notebooks.load(Path("a.ipynb")) == SETTINGS
    cells = nbformat.read("a.ipynb", as_version=4).cells
    cell = next(cell for cell in cells if "parameters" in cell.metadata.get("tags", []))
    namespace: dict[str, object] = {}
    exec(cell.source, namespace)
    assert parameters(LinearRegression, namespace) == SETTINGS


@pytest.mark.parametrize("place", ["sub", "a link"])
def test_a_notebook_in_another_folder_means_the_same_file(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Panels name files from the kernel's folder, and notebooks from their own."""
    (tmp_path / "work" / "sub").mkdir(parents=True)
    (tmp_path / "far" / "away" / "from" / "here").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    Path("h.csv").write_text("x,y\n1,2\n")
    Path("a link").symlink_to(tmp_path / "far" / "away" / "from" / "here")
    settings = LinearRegression(data="h.csv", validation=str(tmp_path / "v.csv"), test="0.3")
    saved = Path(place, "a.ipynb")
    notebooks.save(settings, saved)
    loaded = notebooks.load(saved)
    assert os.path.samefile(loaded.data, "h.csv")
    assert loaded == settings or place == "a link"
    assert from_notebook(LinearRegression, saved.absolute(), {}).fingerprint("h.csv") == settings.fingerprint("h.csv")
    monkeypatch.chdir(place)  # as Jupyter runs it
    assert os.path.samefile(notebooks.load(Path("a.ipynb")).data, tmp_path / "work" / "h.csv")


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        notebooks.save(SETTINGS, tmp_path / "a.ipynb")
    assert (tmp_path / "a.ipynb").read_text() == "mine"


def test_a_name_must_be_a_notebooks(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ends with \.ipynb"):
        notebooks.save(SETTINGS, tmp_path / "a.py")


def test_what_papermill_injected_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    notebooks.save(SETTINGS, Path("a.ipynb"))
    nbformat.write(parameterize_notebook(load_notebook_node("a.ipynb"), {"epochs": 11}), "a.ipynb")
    assert notebooks.load(Path("a.ipynb")) == SETTINGS.model_copy(update={"epochs": 11})


@pytest.mark.slow
def test_a_runs_executed_notebook_has_the_runs_settings() -> None:
    run = execute(reserve("linear_regression", {"data": "sample:line", "epochs": "2", "learning_rate": "0.5"}))
    assert notebooks.load(run.path / "notebook.ipynb") == run.recipe


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("epochs: int = open('x', 'w')", "epochs is computed in the notebook"),
        ("epochs: int = 0.5", "epochs"),
        ("", "no cell tagged"),
    ],
)
def test_a_strange_notebook_is_told_and_not_run(source: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=told):
        notebooks.load(book(tmp_path, source, "parameters(LinearRegression, globals())"))
    assert not Path("x").exists()


def test_a_recipe_is_the_one_that_the_notebook_trains_however_it_is_imported(tmp_path: Path) -> None:
    line = "from kerasllm.recipes import linear_regression as lr\nr = parameters(lr.LinearRegression, globals())"
    assert notebooks.load(book(tmp_path, "epochs = 5", line)) == LinearRegression(epochs=5)
    with pytest.raises(InputError, match="trains no recipe; there are: bert_classifier, "):
        notebooks.load(book(tmp_path, "epochs = 5", "1"))


def test_what_is_no_notebook_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no notebook"):
        notebooks.load(tmp_path / "nix.ipynb")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        notebooks.load(tmp_path)
    (tmp_path / "a.ipynb").write_text("{}")
    with pytest.raises(InputError, match="no notebook"):
        notebooks.load(tmp_path / "a.ipynb")
