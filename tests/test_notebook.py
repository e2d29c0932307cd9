"""Recipes as notebooks: the parameters cell, its drift, and where the templates are."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest

from kerasllm import recipes
from kerasllm.errors import InputError
from kerasllm.notebook import draw, parameters, parameters_cell, template
from kerasllm.notebook_run import from_notebook, reserve
from kerasllm.recipes.linear_regression import LinearRegression
from tests.cli.commands import users
from tests.conftest import ROOT, last_json

slow = pytest.mark.slow
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
QUICK = {"data": "sample:line", "epochs": "2"}


@pytest.mark.parametrize("name", recipes.names())
def test_papermill_reads_every_parameter_with_its_type_and_default(name: str, caplog: pytest.LogCaptureFixture) -> None:
    from papermill import inspect_notebook

    found = inspect_notebook(str(ROOT / "notebooks" / f"{name}.ipynb"))
    assert "Unable to parse" not in caplog.text
    fields = recipes.find(name).model_fields
    assert list(found) == list(fields)
    for field, entry in found.items():
        kind = fields[field].annotation
        assert entry["inferred_type_name"] == (kind.__name__ if kind in (bool, int, float) else "str")
        assert eval(entry["default"]) == fields[field].get_default()
        assert entry["help"], field


@pytest.mark.parametrize("name", recipes.names())
def test_the_cell_alone_makes_the_recipes_defaults(name: str) -> None:
    recipe = recipes.find(name)
    space: dict[str, Any] = {}
    exec(parameters_cell(recipe), space)
    assert parameters(recipe, space) == recipe()


def test_an_injected_name_that_the_recipe_lacks_is_one_line() -> None:
    cells = ["", "# Parameters\nepochs = 3\nlerning_rate = 0.5\n"]
    with pytest.raises(InputError, match="no parameter 'lerning_rate'; did you mean 'learning_rate'"):
        parameters(LinearRegression, {"In": cells, "epochs": 3, "lerning_rate": 0.5})
    mine = "lerning_rate = 0.5"  # of a person's own cell: no business of ours
    assert parameters(LinearRegression, {"In": ["", mine], "epochs": 3}) == LinearRegression(epochs=3)


def test_a_type_that_papermill_lets_through_is_refused() -> None:
    with pytest.raises(InputError, match="epochs: 'many' must be a whole number"):
        parameters(LinearRegression, {"epochs": "many"})


@pytest.fixture
def drift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """ci/notebooks.py at work on a copy of the notebooks."""
    spec = importlib.util.spec_from_file_location("ci_notebooks", ROOT / "ci" / "notebooks.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for path in NOTEBOOKS:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    return module


def test_every_recipe_has_a_notebook_that_has_not_drifted(drift: ModuleType) -> None:
    assert [path.stem for path in NOTEBOOKS] == recipes.names()
    assert drift.main(check=True) == 0


def test_a_changed_default_is_drift(
    drift: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(LinearRegression.model_fields["epochs"], "default", 77)
    assert drift.main(check=True) == 1
    assert "linear_regression.ipynb" in capsys.readouterr().out
    assert drift.main(check=False) == 0
    assert "epochs: int = 77" in (drift.FOLDER / "linear_regression.ipynb").read_text("utf-8")
    assert drift.main(check=True) == 0


@pytest.mark.parametrize("change", ["a parameter", "an output", "a kernel", "no parameters cell", "no recipe"])
def test_a_changed_notebook_is_drift(change: str, drift: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    path = drift.FOLDER / "text_classifier.ipynb"
    book = nbformat.read(path, as_version=4)
    cell = next(cell for cell in book.cells if cell.cell_type == "code")
    if change == "a parameter":
        cell.source = cell.source.replace("words: int = 3", "words: int = 2")
    elif change == "an output":
        cell.outputs = [nbformat.v4.new_output("stream", text="3")]
    elif change == "a kernel":
        book.metadata.kernelspec.name = "mine"
    elif change == "no parameters cell":
        cell.metadata.tags = []
    else:
        path = drift.FOLDER / "gone.ipynb"
    nbformat.write(book, path)
    assert drift.main(check=True) == 1
    assert path.name in capsys.readouterr().out


def test_notebooks_are_committed_without_outputs_and_check_their_parameters_first() -> None:
    for path in NOTEBOOKS:
        code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        assert not any(cell.outputs or cell.execution_count for cell in code)
        assert code[0].metadata.tags == ["parameters"]
        assert f"parameters({recipes.find(path.stem).__name__}, globals())" in code[1].source


def test_a_recipe_without_a_notebook_gets_one_drawn() -> None:
    book = draw(LinearRegression)
    nbformat.validate(book)
    assert book.cells[1].source == parameters_cell(LinearRegression)


def test_what_an_earlier_execution_injected_counts_and_is_injected_once(tmp_path: Path) -> None:
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    book = parameterize_notebook(load_notebook_node(str(ROOT / "notebooks" / "linear_regression.ipynb")), {"epochs": 2})
    nbformat.write(book, tmp_path / "executed.ipynb")
    assert from_notebook(LinearRegression, tmp_path / "executed.ipynb", {}).epochs == 2
    assert from_notebook(LinearRegression, tmp_path / "executed.ipynb", {"epochs": "100"}).epochs == 100
    assert "epochs = 2" not in nbformat.writes(draw(LinearRegression, book))


def test_a_recipes_notebook_without_a_parameters_cell_reserves_nothing(tmp_path: Path, runs: Path) -> None:
    book = draw(LinearRegression)
    book.cells[1].metadata.tags = []
    nbformat.write(book, tmp_path / "own.ipynb")
    with pytest.raises(InputError, match=r"own\.ipynb has no cell tagged `parameters`"):
        reserve(str(tmp_path / "own.ipynb"), QUICK)
    assert not runs.exists()


@slow
def test_an_installed_wheel_brings_the_notebooks(tmp_path: Path) -> None:
    """The package alone, unpacked from its wheel, used far from any checkout."""
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--quiet",
        "--wheel-dir",
        str(tmp_path),
        str(ROOT),
    ]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("kerasllm-*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    (tmp_path / "elsewhere").mkdir()
    code = (
        "import kerasllm, sys; from kerasllm.cli import main\n"
        "from kerasllm.notebook import template\n"
        "print(kerasllm.__file__, template('linear_regression'))\n"
        "main('notebook linear_regression -p data sample:line -p epochs 2 --json'.split())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "elsewhere", text=True, capture_output=True,
        env={**users(), "PYTHONPATH": str(tmp_path / "site")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    package, book = done.stdout.splitlines()[0].split()
    assert Path(package).is_relative_to(tmp_path / "site")
    assert Path(book) == tmp_path / "site" / "kerasllm" / "templates" / "linear_regression.ipynb"
    assert last_json(done.stdout)["state"] == "completed"


def test_the_template_of_a_checkout_is_the_notebook_itself() -> None:
    assert template("linear_regression") == ROOT / "notebooks" / "linear_regression.ipynb"
    assert template("no_such") is None
