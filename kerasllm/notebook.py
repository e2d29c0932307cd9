"""Recipes as notebooks: drawn from the fields, and what their cells call.

papermill itself reads types by regular expressions, warns of unknown names and validates nothing. So the notebook's
first cell checks every name, type and bound by `parameters`: a plain `papermill notebooks/x.ipynb out.ipynb -p …` too.
"""

from __future__ import annotations

import ast
import json
import typing
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kerasllm.errors import InputError, did_you_mean
from kerasllm.evaluate import flat
from kerasllm.parameters import description
from kerasllm.parameters_cell import INJECTED, load, tagged
from kerasllm.recipe import Recipe
from kerasllm.run import Run

BEGINS = "# Parameters\n"  # the cell that papermill injects


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
        if cell.startswith(BEGINS):
            for statement in ast.parse(cell).body:
                for target in statement.targets if isinstance(statement, ast.Assign) else ():
                    if isinstance(target, ast.Name) and target.id not in recipe.model_fields:
                        raise InputError(
                            f"no parameter {target.id!r}{did_you_mean(target.id, recipe.model_fields)}",
                            f"没有参数 {target.id!r}{did_you_mean(target.id, recipe.model_fields, 'zh')}",
                        )
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


def drawn(recipe: type[Recipe]) -> Any:
    """The recipe's own notebook, drawn anew."""
    path = template(recipe.name())
    return draw(recipe, load(path) if path else None)


def draw(recipe: type[Recipe], notebook: Any = None) -> Any:
    """A recipe's notebook with its parameters cell drawn anew, nothing injected, no outputs; a first one if none."""
    import nbformat

    notebook = notebook or _first(recipe)
    found = tagged(notebook)
    if len(found) != 1:
        raise InputError(
            f"{recipe.name()}.ipynb: {len(found)} cells are tagged `parameters`; it needs one",
            f"{recipe.name()}.ipynb：有 {len(found)} 个单元格带 `parameters` 标签；应当只有一个",
        )
    found[0].source = parameters_cell(recipe)
    for cell in tagged(notebook, INJECTED):  # by an earlier run
        notebook.cells.remove(cell)
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
