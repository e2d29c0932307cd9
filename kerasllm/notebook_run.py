"""A recipe's notebook as a run: checked before a kernel starts, executed by papermill, its training a run like any.

What is executed is the recipe's own notebook, or one of the user's that trains it; `own_notebook` has all others.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kerasllm import own_notebook, recipes, session
from kerasllm.errors import InputError, needs
from kerasllm.kernels import Kernels, environment, this_interpreter
from kerasllm.notebook import draw, drawn
from kerasllm.notebook_engine import braces, engine
from kerasllm.own_notebook import SOURCE, reserve_notebook
from kerasllm.parameters_cell import declared, is_notebook, load, plain, tagged
from kerasllm.recipe import Recipe
from kerasllm.run import Run, create, files
from kerasllm.run.folder import ENDED
from kerasllm.run.process import interrupts, myself
from kerasllm.run.writer import fail, tell, trained_already

USERS = ("InputError", "DivergedError", "OSError", "PermissionError")  # a cell's errors; the last: a full disk


def reserve(
    recipe: str,
    values: Mapping[str, Any],
    *,
    runs: str = "",
    name: str = "",
    data: Mapping[str, str] = MappingProxyType({}),
    are_words: bool = True,
) -> Run:
    """Check names, types, bounds and files, and reserve a run: for a wrong one no kernel starts.

    `recipe` is a recipe's name, or the path of a notebook of one's own (.ipynb); `data` as of `create`, and
    `are_words` as of `checked`, which reads the values of such a notebook.
    """
    path = Path(recipe).absolute() if is_notebook(recipe) else None
    trained = recipe_of(path) if path else recipes.find(recipe)
    if path and not trained:
        return reserve_notebook(path, values, runs=runs, name=name, are_words=are_words)
    assert trained
    checked = (from_notebook(trained, path, values) if path else trained(**values)).anchored()
    if not data:
        checked.fingerprints()
    with needs("lab"):
        import ipykernel  # noqa: F401  (the kernel runs it)
        import nbformat
        import papermill  # noqa: F401
    if path:
        own = {SOURCE: nbformat.writes(load(path))}
        return create(checked, runs, name, "notebook", notebook=str(path), texts=own, data=data)
    return session.reserved(checked) or create(checked, runs, name, "notebook", data=data)


def recipe_of(path: Path) -> type[Recipe] | None:
    """The recipe that a notebook trains, which is the one its code hands to `parameters`; None of any other."""
    code = "\n".join(cell.source for cell in load(path).cells if cell.cell_type == "code")
    found = re.search(r"\bparameters\((?:\w+\.)*(\w+), globals\(\)\)", code)
    classes = (recipes.find(name) for name in recipes.names()) if found else ()
    return next((recipe for recipe in classes if found and recipe.__name__ == found[1]), None)


def from_notebook(recipe: type[Recipe], path: Path, given: Mapping[str, Any]) -> Recipe:
    """The recipe with the given values, and else those of the notebook's own cells.

    Files that the cells name lie beside the notebook.
    """
    if not tagged(load(path)):
        raise InputError(
            f"{path.name} has no cell tagged `parameters`", f"{path.name} 没有带 `parameters` 标签的单元格"
        )
    own = {name: one for name, one in declared(path).items() if name in recipe.model_fields and name not in given}
    values = {name: plain(path, one) for name, one in own.items()} | dict(given)
    named = {name: file for name, file in recipe(**values).files(path.parent).items() if name not in given}
    beside = {name: _beside(path, file) for name, file in named.items() if not file.startswith("sample:")}
    return recipe(**{**values, **beside})


def _beside(path: Path, file: str) -> str:
    """A file as it is named from here, which the notebook at `path` names from its own folder."""
    whole = str(path.parent / file)
    short = os.path.normpath(whole)  # sub/../x.csv is x.csv, unless sub is a link
    return short if os.path.realpath(short) == os.path.realpath(whole) else whole


def execute(run: Run, kernels: Kernels | None = None) -> Run:
    """Execute a reserved run's notebook into the run's folder. The first Ctrl-C stops the run.

    It is the recipe's, or the one that lies in the run's folder since it was reserved (source.ipynb). A cell that
    fails raises InputError where the cause is the user's, else RuntimeError with its traceback. A process that executes
    many has `kernels` that need not import Keras.
    """
    if not run.asked["recipe"]:
        return own_notebook.execute(run)
    with needs("lab"):
        import nbformat
        import papermill

    if run.state == "completed":
        return run
    if run.status["state"] == "running" and run.state != "gone":  # the notebook would train a new run beside it
        raise trained_already(run)
    if run.state in ("stopped", "failed", "gone"):
        _let_wait(run)
    recipe = type(run.recipe)
    own, target = run.path / SOURCE, run.path / "notebook.ipynb"
    # Drawn anew: a default that has drifted would make the notebook train another run than this one.
    notebook = draw(recipe, load(own)) if own.exists() else drawn(recipe)
    nbformat.write(notebook, target)
    path = braces(target)
    cells = _Cells(run)
    papermill.engines.papermill_engines.register(
        "kerasllm", engine(kernels if _may_find_keras(notebook, recipe) else None)
    )
    try:
        with this_interpreter() as kernel, environment(KERASLLM_RUN=str(run.path)), interrupts(partial(_stop, run)):
            papermill.execute_notebook(
                path, path, _given(run), engine_name="kerasllm", kernel_name=kernel, progress_bar=False, writer=cells
            )
    except papermill.PapermillExecutionError as error:
        _tell(run, f"notebook: {error.ename}: {error.evalue}")
        if error.ename in USERS:
            raise InputError(error.evalue, error.evalue) from error  # a kernel tells the English line only
        raise RuntimeError(f"{target}: {error}") from error
    except RuntimeError as error:  # nbclient's dead kernel
        if run.state in ENDED:  # else it reads as gone, and can be resumed
            _tell(run, f"notebook: {error}")
        raise
    finally:
        cells.update()
        if run.status["state"] == "queued":
            fail(run, "the notebook ended before the training began", "笔记本在训练开始之前就结束了")
    return run


def _let_wait(run: Run) -> None:
    """Queue a run again, whose notebook's training then goes on from the checkpoint."""
    session.replayed(run)
    (run.path / "stop").unlink(missing_ok=True)
    waiting = {"state": "queued", "heartbeat": time.time(), "before": run.seconds, **myself()}
    files.replace_json(run.path / "status.json", waiting)


def _given(run: Run) -> dict[str, Any]:
    """What papermill injects: the values that are no defaults, of the types that the recipe made of them."""
    fields = type(run.recipe).model_fields
    return {name: value for name, value in run.asked["parameters"].items() if value != fields[name].get_default()}


def _may_find_keras(notebook: Any, recipe: type[Recipe]) -> bool:
    """Whether a notebook may begin with Keras imported: its code up to the training is the recipe's own.

    Other code may choose a backend, or set what is read but once.
    """
    return _before_training(notebook) == _before_training(drawn(recipe))


def _before_training(notebook: Any) -> list[str]:
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    last = next((place for place, cell in enumerate(code) if ".train(" in cell.source), len(code))
    parameters = tagged(notebook)
    return [cell.source for cell in code[: last + 1] if cell not in parameters]


class _Cells:
    """What the engine takes for a Writer, of a run whose trainer in the kernel is the real one."""

    def __init__(self, run: Run):
        self._run = run

    def update(self, phase: str = "", **more: Any) -> None:
        """Tell the cell that begins; the trainer does while it trains."""
        status = self._run.status
        if status["state"] != "running" and status.get("phase", "") != phase:
            tell(self._run, phase=phase)

    def stop_asked(self) -> bool:
        """No: the trainer heeds a stop, and the cells after it show what there is."""
        return False


def _tell(run: Run, message: str) -> None:
    """Tell of a cell that failed: a trained run keeps its state, and one that failed its own reason."""
    state = run.status["state"]
    if state in ("completed", "stopped"):
        tell(run, message=message, message_zh="")
    elif state != "failed":
        fail(run, message)


def _stop(run: Run) -> None:
    """Ask a run to stop, if it is one that can be asked."""
    if run.state in ("queued", "running"):
        run.stop()
