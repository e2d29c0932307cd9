"""Recipes as notebooks: the parameters cell drawn from the fields, checked runs by papermill.

papermill itself reads types by regular expressions, warns of unknown names and validates nothing, so every name, type
and bound is checked against the recipe: before a kernel starts by `execute`, and in the notebook's first cell by
`parameters`, which also guards a plain `papermill notebooks/x.ipynb out.ipynb -p …`.
"""

from __future__ import annotations

import ast
import json
import os
import sys
import tempfile
import typing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from kerasllm import recipes
from kerasllm.errors import InputError, did_you_mean, needs
from kerasllm.evaluate import flat
from kerasllm.parameters import description
from kerasllm.recipe import Recipe
from kerasllm.run import Run, create, files

INJECTED = "# Parameters\n"  # how papermill begins the cell it injects


def parameters_cell(recipe: type[Recipe]) -> str:
    """The source of the cell tagged `parameters`: bare types, since papermill sees no others."""
    lines = []
    for name, field in recipe.model_fields.items():
        kind = field.annotation if field.annotation in (bool, int, float, str) else str
        choices = typing.get_args(field.annotation)
        note = description(field) + (f": {', '.join(choices)}" if choices else "")
        default = field.get_default()
        lines.append(f"{name}: {kind.__name__} = {json.dumps(default) if isinstance(default, str) else default}  # {note}")
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


def template(recipe: str) -> Path:
    """The recipe's notebook: in the installed package, or in notebooks/ of a checkout."""
    packed = Path(str(resources.files("kerasllm"))) / "templates" / f"{recipe}.ipynb"
    checkout = Path(__file__).parent.parent / "notebooks" / f"{recipe}.ipynb"
    for path in (packed, checkout):
        if path.exists():
            return path
    raise InputError(f"the recipe {recipe!r} has no notebook; train it with `kerasllm train {recipe}`")


def execute(name: str, values: Mapping[str, str], *, runs: str = "", run_name: str = "") -> Run:
    """Check the parameters, reserve a run, and execute the recipe's notebook into the run's folder.

    A cell that fails raises InputError where the cause is the user's, else RuntimeError with the cell's traceback.
    """
    chosen = recipes.find(name)
    # papermill writes the values as Python literals of the types that the recipe made of them.
    recipe = chosen(**values).anchored()
    recipe.fingerprints()
    source = template(name)
    with needs("lab"):
        import papermill

    run = create(recipe, runs, run_name, "notebook")
    given = {key: value for key, value in recipe.model_dump().items() if value != chosen.model_fields[key].get_default()}
    before = os.environ.get("KERASLLM_RUN")
    os.environ["KERASLLM_RUN"] = str(run.path)
    try:
        with this_interpreter() as kernel:
            papermill.execute_notebook(
                str(source), str(run.path / "notebook.ipynb"), given, kernel_name=kernel, progress_bar=False, cwd=os.getcwd()
            )
    except papermill.PapermillExecutionError as error:
        if run.status["state"] == "queued":
            files.replace_json(run.path / "status.json", {"state": "failed", "message": f"{error.ename}: {error.evalue}"})
        if error.ename in ("InputError", "DivergedError"):
            raise InputError(error.evalue) from error
        raise RuntimeError(f"{run.path / 'notebook.ipynb'}: {error}") from error
    finally:
        os.environ.pop("KERASLLM_RUN")
        if before is not None:
            os.environ["KERASLLM_RUN"] = before
    return run


@contextmanager
def this_interpreter() -> Iterator[str]:
    """The name of a kernel that is this very interpreter, whatever kernels are installed."""
    with needs("lab"):
        import ipykernel  # noqa: F401  (the kernel runs it)
    with tempfile.TemporaryDirectory() as folder:
        kernel = Path(folder) / "kernels" / "kerasllm"
        kernel.mkdir(parents=True)
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        (kernel / "kernel.json").write_text(json.dumps({"argv": command, "display_name": "kerasllm", "language": "python"}))
        before = os.environ.get("JUPYTER_PATH")
        os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [folder, before]))
        try:
            yield "kerasllm"
        finally:
            os.environ.pop("JUPYTER_PATH")
            if before is not None:
                os.environ["JUPYTER_PATH"] = before


def draw(recipe: type[Recipe], notebook: Any = None) -> Any:
    """A recipe's notebook with its parameters cell drawn anew, without outputs; a first one where there is none."""
    import nbformat

    notebook = notebook or _first(recipe)
    for place, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{place}"
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = parameters_cell(recipe)
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
            new_code_cell("run = recipe.train(surface=\"notebook\")\nrun"),
            new_code_cell("run.history.tail()"),
            new_code_cell("from kerasllm.notebook import show\n\nshow(run)"),
        ]
    )
