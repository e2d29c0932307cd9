"""A panel's settings as a notebook that runs by itself, and back."""

from __future__ import annotations

import os
from pathlib import Path

from kerasllm import recipes
from kerasllm.errors import InputError, needs
from kerasllm.notebook import drawn, parameters_cell
from kerasllm.notebook_run import from_notebook, recipe_of
from kerasllm.parameters_cell import tagged
from kerasllm.recipe import Recipe


def save(recipe: Recipe, path: Path) -> None:
    """Write the recipe's notebook with exactly these settings in its parameters cell; no file is overwritten.

    A relative file is named from the notebook's folder, where it is looked for when the notebook runs.
    """
    with needs("lab"):
        import nbformat
    if path.suffix != ".ipynb":
        raise InputError(
            f"{path.name}: a notebook's name ends with .ipynb", f"{path.name}：笔记本的名称须以 .ipynb 结尾"
        )
    kind, here, folder = type(recipe), Path.cwd(), path.parent.resolve()
    back = os.path.relpath(here, folder) if here.drive == folder.drive else here
    files = {name: str(Path(back, file)) for name, file in recipe.files().items() if not file.startswith("sample:")}
    notebook = drawn(kind)
    tagged(notebook)[0].source = parameters_cell(kind, recipe.model_dump() | files)
    try:
        with path.open("x", encoding="utf-8") as file:
            nbformat.write(notebook, file)
    except FileExistsError:
        raise InputError(f"{path} exists already; choose another name", f"{path} 已存在；请另选名称") from None
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}", f"无法写入 {path}：{error.strerror}") from error


def load(path: Path) -> Recipe:
    """The recipe and settings of a notebook, executed by papermill or not. Its code is read and never run."""
    recipe = recipe_of(path)
    if not recipe:
        raise InputError(
            f"{path.name} trains no recipe; there are: {', '.join(recipes.names())}",
            f"{path.name} 没有训练任何配方；有：{'、'.join(recipes.names())}",
        )
    return from_notebook(recipe, path, {})
