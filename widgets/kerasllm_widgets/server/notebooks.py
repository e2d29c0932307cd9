"""Notebooks: a recipe's with its panel on top, and the forms and runs of those that have a `parameters` cell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat

from kerasllm import recipes
from kerasllm.errors import InputError
from kerasllm.notebook import drawn
from kerasllm.notebook_run import from_notebook, recipe_of, reserve
from kerasllm.own_notebook import SOURCE
from kerasllm.parameters import schema
from kerasllm.parameters_cell import Declared, declared, load, tagged
from kerasllm.run import Run, files
from kerasllm_widgets.server.forms import Filled, anchored

PANEL = "kerasllm-panel"  # the tag of the cell that the Lab extension runs at once
TYPES = {"bool": "boolean", "int": "integer", "float": "number", "str": "string"}


def panel_notebook(recipe: str) -> Any:
    """The recipe's template, drawn anew, with its panel below the title."""
    notebook = drawn(recipes.find(recipe))
    source = f'from kerasllm_widgets import Panel\n\nPanel("{recipe}")'
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": [PANEL]})
    titles = 1 if notebook.cells and notebook.cells[0].cell_type == "markdown" else 0
    notebook.cells.insert(titles, cell)
    return notebook


def form(path: Path, language: str) -> dict[str, Any]:
    """A notebook's form as JSON schema: of the recipe it runs, else of what its parameters cell declares.

    The defaults are the cell's values. A computed one is not known: its field is empty, and not sent while it is.
    """
    if recipe := recipe_of(path):
        shown, own = schema(recipe, language), declared(path)
        for name in own.keys() & shown["properties"].keys():
            del shown["properties"][name]["default"]
            shown["properties"][name] |= _default(own[name])
        return {"recipe": recipe.name(), "schema": shown, "values": {}}
    known = declared(path)
    if not known and tagged(load(path)):
        raise InputError(
            f"{path.name}: its cell tagged `parameters` declares nothing: write a line such as n = 3 into it",
            f"{path.name}：带 `parameters` 标签的单元格没有声明任何参数：请在其中写一行，例如 n = 3",
        )
    if not known:
        raise InputError(
            f"{path.name} has no cell tagged `parameters`: tag one in the notebook's property inspector",
            f"{path.name} 没有带 `parameters` 标签的单元格：请在笔记本的属性检查器中给一个加上",
        )
    properties = {name: _property(parameter) for name, parameter in known.items()}
    groups = [{"name": "parameters", "title": "参数" if language == "zh" else "Parameters"}]
    return {"recipe": "", "schema": {"type": "object", "properties": properties, "groups": groups}, "values": {}}


def reserve_notebook(root: Path, runs: Path, path: Path, filled: Filled) -> Run:
    """Check everything, and reserve a run of a notebook as it is now, whatever becomes of the file."""
    recipe, values = recipe_of(path), filled.values
    if recipe:
        whole = from_notebook(recipe, path, values).model_dump()
        values = anchored(root, recipe, replace(filled, values=whole))
    run = reserve(str(path), values, runs=str(runs), name=filled.name)
    notebook = load(run.path / SOURCE)
    for cell in tagged(notebook, PANEL):
        notebook.cells.remove(cell)
    files.replace_text(run.path / SOURCE, nbformat.writes(notebook))
    return run


def _property(parameter: Declared) -> dict[str, Any]:
    """A parameter of a stranger's notebook; one without a plain type is written as Python does."""
    is_plain = parameter.kind in TYPES and not parameter.or_none
    written = {} if parameter.is_computed else {"default": repr(parameter.default)}
    return {
        "type": TYPES[parameter.kind] if is_plain else "string",
        "title": parameter.name,
        **({"enum": list(parameter.choices)} if parameter.choices and is_plain else {}),
        **(_default(parameter) if is_plain else written),
        "description": parameter.help,
        "group": "parameters",
        "advanced": False,
        "kind": "",
    }


def _default(parameter: Declared) -> dict[str, Any]:
    return {} if parameter.default is None else {"default": parameter.default}
