"""Recipes as notebooks: the parameters cell drawn from the fields, checked runs by papermill.

papermill itself reads types by regular expressions, warns of unknown names and validates nothing, so every
name, type and bound is checked against the recipe: before a kernel starts by `reserve`, and in the notebook's
first cell by `parameters`, which also guards a plain `papermill notebooks/x.ipynb out.ipynb -p …`.
"""

from __future__ import annotations

import ast
import json
import re
import signal
import threading
import time
import typing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from types import FrameType, MappingProxyType
from typing import Any

from kerasllm import own_notebook, recipes, session
from kerasllm.errors import InputError, did_you_mean, needs
from kerasllm.evaluate import flat
from kerasllm.forked_kernel import Kernels
from kerasllm.kernels import environment, this_interpreter
from kerasllm.own_notebook import SOURCE, declared, is_notebook, load, reserve_notebook
from kerasllm.parameters import description
from kerasllm.recipe import Recipe
from kerasllm.run import Run, create, files
from kerasllm.run.folder import ENDED
from kerasllm.run.process import myself

USERS = ("InputError", "DivergedError", "OSError", "PermissionError")  # a cell's errors; the last: a full disk
INJECTED = "# Parameters\n"  # how papermill begins the cell it injects


def parameters_cell(recipe: type[Recipe], values: Mapping[str, Any] = MappingProxyType({})) -> str:
    """The source of the cell tagged `parameters`, by default with the recipe's defaults.

    Its types are bare, since papermill sees no others.
    """
    lines = []
    for name, field in recipe.model_fields.items():
        kind = field.annotation if field.annotation in (bool, int, float, str) else str
        choices = typing.get_args(field.annotation)
        note = description(field) + (f": {', '.join(choices)}" if choices else "")
        default = values.get(name, field.get_default())
        shown = json.dumps(default) if isinstance(default, str) else default
        lines.append(f"{name}: {kind.__name__} = {shown}  # {note}")
    return "\n".join(lines)


def parameters(recipe: type[Recipe], namespace: Mapping[str, Any]) -> Recipe:
    """The recipe with the parameters that stand in a notebook's namespace (`globals()`), checked.

    A name that papermill injected and the recipe lacks raises InputError with the nearest one.
    """
    for cell in namespace.get("In", ()):
        if cell.startswith(INJECTED):
            for statement in ast.parse(cell).body:
                for target in statement.targets if isinstance(statement, ast.Assign) else ():
                    if isinstance(target, ast.Name) and target.id not in recipe.model_fields:
                        raise InputError(f"no parameter {target.id!r}{did_you_mean(target.id, recipe.model_fields)}")
    return recipe(**{name: namespace[name] for name in recipe.model_fields if name in namespace})


def show(run: Run) -> None:
    """Display a run's scores and figures in the notebook, and keep them in it."""
    import pandas as pd
    from IPython.display import Image, display

    splits = {name: flat(scores) for name, scores in run.report.get("splits", {}).items()}
    if splits:
        display(pd.DataFrame(splits).drop(index="main"))
    for figure in sorted((run.path / "figures").glob("*.png")):
        display(Image(filename=str(figure)))


def template(recipe: str) -> Path | None:
    """The recipe's notebook: in the installed package, or in a checkout's notebooks/; None if it has none."""
    packed = Path(str(resources.files("kerasllm"))) / "templates" / f"{recipe}.ipynb"
    checkout = Path(__file__).parent.parent / "notebooks" / f"{recipe}.ipynb"
    return next((path for path in (packed, checkout) if path.exists()), None)


def reserve(recipe: str, values: Mapping[str, str], *, runs: str = "", name: str = "") -> Run:
    """Check names, types, bounds and files, and reserve a run: for a wrong one no kernel starts.

    `recipe` is a recipe's name, or the path of a notebook of one's own (.ipynb).
    """
    path = Path(recipe).absolute() if is_notebook(recipe) else None
    trained = recipe_of(path) if path else recipes.find(recipe)
    if path and not trained:
        return reserve_notebook(path, values, runs=runs, name=name)
    assert trained
    checked = (from_notebook(trained, path, values) if path else trained(**values)).anchored()
    checked.fingerprints()
    with needs("lab"):
        import ipykernel  # noqa: F401  (the kernel runs it)
        import nbformat
        import papermill  # noqa: F401
    if path:
        own = {SOURCE: nbformat.writes(load(path))}
        return create(checked, runs, name, "notebook", notebook=str(path), texts=own)
    return session.reserved(checked) or create(checked, runs, name, "notebook")


def recipe_of(path: Path) -> type[Recipe] | None:
    """The recipe that a notebook trains, which is the one its code hands to `parameters`; None of any other."""
    code = "\n".join(cell.source for cell in load(path).cells if cell.cell_type == "code")
    found = re.search(r"\bparameters\((\w+), globals\(\)\)", code)
    classes = (recipes.find(name) for name in recipes.names()) if found else ()
    return next((recipe for recipe in classes if found and recipe.__name__ == found[1]), None)


def from_notebook(recipe: type[Recipe], path: Path, given: Mapping[str, Any]) -> Recipe:
    """The recipe with the given values, and else those of the notebook's own parameters cell.

    Files that the cell names lie beside the notebook.
    """
    own = {name: one.default for name, one in declared(path).items() if name in recipe.model_fields}
    for name in own.keys() - given.keys():
        if own[name] is None:
            raise InputError(f"{path.name}: {name} is computed in its parameters cell; give it a plain value")
    values = {**own, **given}
    named = {name: file for name, file in recipe(**values).files(path.parent).items() if name not in given}
    beside = {name: str(path.parent / file) for name, file in named.items() if not file.startswith("sample:")}
    return recipe(**{**values, **beside})


def execute(run: Run, kernels: Kernels | None = None) -> Run:
    """Execute a reserved run's notebook into the run's folder. The first Ctrl-C stops the run.

    It is the recipe's, or the one that lies in the run's folder since it was reserved (source.ipynb). A cell that
    fails raises InputError where the cause is the user's, else RuntimeError with its traceback. A process that executes
    many has `kernels` that need not import Keras.
    """
    if not run.asked["recipe"]:
        return own_notebook.execute(run)
    import nbformat
    import papermill

    if run.state == "completed":
        return run
    if run.state in ("stopped", "failed", "gone"):  # the notebook's training goes on from the checkpoint
        session.replayed(run)
        (run.path / "stop").unlink(missing_ok=True)
        waiting = {"state": "queued", "heartbeat": time.time(), "before": run.seconds, **myself()}
        files.replace_json(run.path / "status.json", waiting)
    recipe = type(run.recipe)
    # papermill writes the values as Python literals of the types that the recipe made of them.
    given = {
        name: value
        for name, value in run.asked["parameters"].items()
        if value != recipe.model_fields[name].get_default()
    }
    own, target = run.path / SOURCE, run.path / "notebook.ipynb"
    source = own if own.exists() else template(recipe.name())
    # Drawn anew: a default that has drifted would make the notebook train another run than this one.
    drawn = draw(recipe, nbformat.read(source, as_version=4) if source else None)
    nbformat.write(drawn, target)
    path = str(target).replace("{", "{{").replace("}", "}}")  # papermill fills parameters into a path's braces
    cells = _Cells(run)
    papermill.engines.papermill_engines.register(
        "kerasllm", own_notebook.engine(kernels if _may_find_keras(drawn, recipe) else None)
    )
    try:
        with this_interpreter() as kernel, environment(KERASLLM_RUN=str(run.path)), _interrupts(run):
            papermill.execute_notebook(
                path, path, given, engine_name="kerasllm", kernel_name=kernel, progress_bar=False, writer=cells
            )
    except papermill.PapermillExecutionError as error:
        _tell(run, f"notebook: {error.ename}: {error.evalue}")
        if error.ename in USERS:
            raise InputError(error.evalue) from error
        raise RuntimeError(f"{target}: {error}") from error
    except RuntimeError as error:  # nbclient's dead kernel
        if run.state in ENDED:  # else it reads as gone, and can be resumed
            _tell(run, f"notebook: {error}")
        raise
    finally:
        cells.update()
        if run.status["state"] == "queued":
            _fail(run, "the notebook ended before the training began")
    return run


def _may_find_keras(notebook: Any, recipe: type[Recipe]) -> bool:
    """Whether a notebook may begin with Keras imported: its code up to the training is the recipe's own.

    Other code may choose a backend, or set what is read but once.
    """
    path = template(recipe.name())
    return _before_training(notebook) == _before_training(load(path) if path else _first(recipe))


def _before_training(notebook: Any) -> list[str]:
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    last = next((place for place, cell in enumerate(code) if ".train(" in cell.source), len(code))
    return [cell.source for cell in code[: last + 1] if "parameters" not in cell.metadata.get("tags", [])]


class _Cells:
    """What the engine takes for a Writer, of a run whose trainer in the kernel is the real one."""

    def __init__(self, run: Run):
        self._run = run

    def update(self, phase: str = "", **more: Any) -> None:
        """Tell the cell that begins; the trainer does while it trains."""
        status = self._run.status
        if status["state"] != "running" and status.get("phase", "") != phase:
            files.replace_json(self._run.path / "status.json", {**status, "phase": phase})

    def stop_asked(self) -> bool:
        """No: the trainer heeds a stop, and the cells after it show what there is."""
        return False


def _tell(run: Run, message: str) -> None:
    """Tell of a cell that failed: a trained run keeps its state, and one that failed its own reason."""
    state = run.status["state"]
    if state in ("completed", "stopped"):
        files.replace_json(run.path / "status.json", {**run.status, "message": message})
    elif state != "failed":
        _fail(run, message)


def _fail(run: Run, message: str) -> None:
    files.replace_json(run.path / "status.json", {**run.status, "state": "failed", "message": message})


@contextmanager
def _interrupts(run: Run) -> Iterator[None]:
    """Take the first Ctrl-C or SIGTERM as a wish to stop the run; a second one acts at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, frame: FrameType | None) -> None:
        signal.signal(number, before[signal.Signals(number)])
        if run.state in ("queued", "running"):
            run.stop()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def draw(recipe: type[Recipe], notebook: Any = None) -> Any:
    """A recipe's notebook with its parameters cell drawn anew, no outputs; a first one if there is none."""
    import nbformat

    notebook = notebook or _first(recipe)
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise InputError(f"{recipe.name()}.ipynb: {len(tagged)} cells are tagged `parameters`; it needs one")
    tagged[0].source = parameters_cell(recipe)
    for place, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{place}"
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    return notebook


def _first(recipe: type[Recipe]) -> Any:
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    module, name = recipe.__module__, recipe.__name__
    return new_notebook(
        cells=[
            new_markdown_cell(f"# {recipe.name()}\n\n{recipe.summary()}\n\n{recipe.summary('zh')}"),
            new_code_cell(parameters_cell(recipe), metadata={"tags": ["parameters"]}),
            new_code_cell(
                f"from kerasllm.notebook import parameters\nfrom {module} import {name}\n\n"
                f"recipe = parameters({name}, globals())\nrecipe"
            ),
            new_code_cell('run = recipe.train(surface="notebook")\nrun'),
            new_code_cell("run.history.tail()"),
            new_code_cell("from kerasllm.notebook import show\n\nshow(run)"),
        ]
    )
