"""Which run a panel takes for its own, whatever became of its notebook."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from kerasllm_widgets import mark

from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.run import Run, create, files


def save(notebook: Path, *cells: str) -> None:
    """A saved notebook whose cells have these ids; "" of one older than format 4.5."""
    notebook.write_text(json.dumps({"cells": [{"id": cell} if cell else {} for cell in cells]}))


@pytest.fixture
def began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run that the panel in cell `one` of Untitled.ipynb began, and that has ended."""
    save(tmp_path / "Untitled.ipynb", "one", "two")
    run = create(LinearRegression(), surface="panel")
    kernel(monkeypatch, tmp_path / "Untitled.ipynb")
    mark.leave(run, "one")
    files.replace_json(run.path / "status.json", {"state": "completed"})
    return run


def kernel(monkeypatch: pytest.MonkeyPatch, notebook: Path) -> None:
    """From here on this is a kernel of that notebook."""
    monkeypatch.setenv("JPY_SESSION_NAME", str(notebook))


def found(cell: str, recipe: str = "linear_regression") -> str | None:
    run = mark.find(recipe, None, cell)
    return run.name if run else None


def test_every_panel_of_the_notebook_shows_it(began: Run) -> None:
    assert found("one") == found("two") == found("") == began.name
    assert found("one", "text_classifier") is None


def test_a_notebook_that_was_renamed_shows_it_also_when_another_took_its_name(
    began: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Untitled.ipynb").rename(tmp_path / "mine.ipynb")
    assert found("one") == began.name  # the kernel that went on, or was restarted, has the name of its start
    kernel(monkeypatch, tmp_path / "mine.ipynb")
    assert found("one") == began.name
    save(tmp_path / "Untitled.ipynb", "three")
    assert found("one") == began.name
    kernel(monkeypatch, tmp_path / "Untitled.ipynb")
    assert found("three") is None


def test_a_copy_shows_none_as_long_as_its_original_is_there(
    began: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "Untitled-Copy1.ipynb", "one", "two")
    kernel(monkeypatch, tmp_path / "Untitled-Copy1.ipynb")
    assert found("one") is None
    (tmp_path / "Untitled.ipynb").unlink()
    assert found("one") == began.name


def test_without_ids_that_last_the_path_alone_tells(
    began: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "Untitled.ipynb", "")  # its cells have another id each time it is opened
    assert found("another") == began.name
    files.replace_json(began.path / mark.MARK, {"notebook": str(tmp_path / "Untitled.ipynb")})  # an earlier version's
    assert found("one") == began.name
    kernel(monkeypatch, tmp_path / "other.ipynb")
    assert found("one") is None


def test_outside_a_notebook_a_run_that_goes_on_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    run = create(LinearRegression(), surface="panel")
    mark.leave(run, "one")
    assert found("") == found("two") == run.name
    files.replace_json(run.path / "status.json", {"state": "completed"})
    assert found("one") is None


def test_a_run_whose_status_cannot_be_read_hides_no_other_one(began: Run, tmp_path: Path) -> None:
    torn = create(LinearRegression(), name="torn", surface="panel")
    (torn.path / "status.json").write_text("[]")
    for notebook in ("other.ipynb", "Untitled.ipynb"):  # another one's, and our own
        files.replace_json(torn.path / mark.MARK, {"notebook": str(tmp_path / notebook), "cell": "two"})
        assert found("one") == began.name


@pytest.mark.parametrize("text", ["# %%\nPanel()\n", "[]", '{"Panel": 1}'])
def test_a_notebook_that_is_no_json_may_hold_the_cell(
    began: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "Untitled.ipynb").write_text(text)
    assert found("another") == began.name  # its cells have another id each time it is opened
    kernel(monkeypatch, tmp_path / "copy.py")
    assert found("one") is None
    assert found("another") is None
