"""Notebooks: a recipe's with its panel on top, and the forms and runs of those that have a `parameters` cell."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import nbformat

from kerasllm import recipes
from kerasllm.errors import InputError
from kerasllm.notebook import draw, reserve, template
from kerasllm.own_notebook import SOURCE, Declared, declared, load
from kerasllm.parameters import schema
from kerasllm.recipe import Recipe
from kerasllm.run import Run, files
from kerasllm_widgets.server.forms import Filled, anchored

PANEL = "kerasllm-panel"  # the tag of the cell that the Lab extension runs at once
TYPES = {"bool": "boolean", "int": "integer", "float": "number", "str": "string", "": "string"}


def panel_notebook(recipe: str) -> Any:
    """The recipe's template, drawn anew, with its panel below the title."""
    path = template(recipe)
    notebook = draw(recipes.find(recipe), nbformat.read(path, as_version=4) if path else None)
    source = f'from kerasllm_widgets import Panel\n\nPanel("{recipe}")'
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": [PANEL]}, id="panel")
    titles = 1 if notebook.cells and notebook.cells[0].cell_type == "markdown" else 0
    notebook.cells.insert(titles, cell)
    return notebook


def form(path: Path, language: str) -> dict[str, Any]:
    """A notebook's form as JSON schema: the recipe's where it runs one, else what its parameters cell declares."""
    recipe = _recipe(path)
    if recipe:
        return {"recipe": recipe.name(), "schema": schema(recipe, language)}
    known = declared(path)
    if not known:
        raise InputError(f"{path.name} has no cell tagged `parameters`: tag one in the notebook's property inspector")
    drawn = {name: _property(parameter) for name, parameter in known.items()}
    groups = [{"name": "parameters", "title": "参数" if language == "zh" else "Parameters"}]
    return {"recipe": "", "schema": {"type": "object", "properties": drawn, "groups": groups}}


def reserve_notebook(root: Path, runs: Path, path: Path, filled: Filled) -> Run:
    """Check everything, and reserve a run of a notebook as it is now, whatever becomes of the file."""
    recipe = _recipe(path)
    if not recipe:
        return reserve(str(path), filled.values, runs=str(runs), name=filled.name)
    run = reserve(recipe.name(), anchored(root, recipe, filled), runs=str(runs), name=filled.name)
    notebook = load(path)
    notebook.cells = [cell for cell in notebook.cells if PANEL not in cell.metadata.get("tags", [])]
    files.replace_text(run.path / SOURCE, nbformat.writes(notebook))
    return run


def _recipe(path: Path) -> type[Recipe] | None:
    """The recipe that a notebook runs: the one whose parameters it takes by `parameters(TheRecipe, globals())`."""
    classes = {found.__name__: found for found in map(recipes.find, recipes.names())}
    for cell in load(path).cells:
        if cell.cell_type != "code" or "globals()" not in cell.source:
            continue
        try:
            tree = ast.parse(cell.source)
        except SyntaxError:  # IPython's own syntax
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "parameters" and node.args:
                found = classes.get(ast.unparse(node.args[0]))
                if found:
                    return found
    return None


def _property(parameter: Declared) -> dict[str, Any]:
    """A parameter of a stranger's notebook; one without a plain type is written as Python does."""
    return {
        "type": TYPES[parameter.kind],
        "title": parameter.name,
        "default": parameter.default if parameter.kind else repr(parameter.default),
        "description": parameter.help,
        "group": "parameters",
        "advanced": False,
        "kind": "",
    }
