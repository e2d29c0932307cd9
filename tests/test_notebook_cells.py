"""What a recipe's notebook tells of its cells before and after the training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from kerasllm import notebook
from kerasllm.notebook import draw
from kerasllm.notebook_run import execute, reserve
from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.run import files

QUICK = {"data": "sample:line", "epochs": "2"}


@pytest.mark.parametrize(
    ("state", "before", "after"),
    [
        ("completed", "", "notebook: ZeroDivisionError: division by zero"),
        ("failed", "bad.csv, line 2", "bad.csv, line 2"),
    ],
)
def test_a_cell_that_fails_after_the_training_is_told_in_the_runs_message(
    state: str, before: str, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from papermill import PapermillExecutionError

    run = reserve("linear_regression", QUICK)

    def executed(*words: Any, **more: Any) -> None:
        files.replace_json(run.path / "status.json", {"state": state, "message": before})
        raise PapermillExecutionError(5, 6, "1 / 0", "ZeroDivisionError", "division by zero", [])

    monkeypatch.setattr("papermill.execute_notebook", executed)
    with pytest.raises(RuntimeError, match=r"In \[6\]"):
        execute(run)
    assert (run.state, run.status["message"]) == (state, after)


@pytest.mark.slow
def test_each_cell_around_the_training_is_the_runs_phase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second cell stands for the training; it and the next keep what they find in the run's folder."""
    look = "import json, os, pathlib\nstatus = pathlib.Path(os.environ['KERASLLM_RUN']) / 'status.json'\n"
    book = draw(LinearRegression)
    book.cells = [book.cells[1], *(nbformat.v4.new_code_cell(look + "print(status.read_text())") for _ in range(2))]
    book.cells[1].source += "\nstatus.write_text(json.dumps({'state': 'completed'}))"
    nbformat.write(book, tmp_path / "short.ipynb")
    monkeypatch.setattr(notebook, "template", lambda recipe: tmp_path / "short.ipynb")
    run = execute(reserve("linear_regression", QUICK))
    cells = [one for one in nbformat.read(run.path / "notebook.ipynb", as_version=4).cells if "status" in one.source]
    told = [json.loads(cell.outputs[0].text) for cell in cells]
    # papermill puts one more cell in, with the values.
    assert [(one["state"], one["phase"]) for one in told] == [("queued", "cell 3/4"), ("completed", "cell 4/4")]
    assert (run.state, run.status["phase"]) == ("completed", "")
