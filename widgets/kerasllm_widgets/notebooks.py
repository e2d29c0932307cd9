"""A panel's settings as a notebook that runs by itself, and back."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from kerasllm import notebook, recipes
from kerasllm.errors import InputError, needs
from kerasllm.recipe import Recipe

PARAMETERS = ("parameters", "injected-parameters")  # the cells' tags; papermill's own comes after and counts


def save(recipe: Recipe, path: Path) -> None:
    """Write the recipe's notebook with exactly these settings in its parameters cell; no file is overwritten."""
    with needs("lab"):
        import nbformat
    if path.suffix != ".ipynb":
        raise InputError(
            f"{path.name}: a notebook's name ends with .ipynb", f"{path.name}：notebook 的名称须以 .ipynb 结尾"
        )
    kind = type(recipe)
    source = notebook.template(kind.name())
    drawn = notebook.draw(kind, nbformat.read(source, as_version=4) if source else None)
    cell = next(cell for cell in drawn.cells if "parameters" in cell.metadata.get("tags", []))
    cell.source = notebook.parameters_cell(kind, recipe.model_dump())
    try:
        with path.open("x", encoding="utf-8") as file:
            nbformat.write(drawn, file)
    except FileExistsError:
        raise InputError(f"{path} exists already; choose another name", f"{path} 已存在；请另选名称") from None
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}", f"无法写入 {path}：{error.strerror}") from error


def load(path: Path) -> Recipe:
    """The recipe and settings of a notebook, executed by papermill or not. Its code is read and never run."""
    with needs("lab"):
        import nbformat
    try:
        cells = nbformat.read(path, as_version=4).cells
    except FileNotFoundError:
        raise InputError(f"no file {path}", f"没有文件 {path}") from None
    except (ValueError, AttributeError, KeyError, nbformat.ValidationError) as error:
        raise InputError(f"{path.name} is no notebook", f"{path.name} 不是 notebook") from error
    code = [cell for cell in cells if cell.cell_type == "code"]
    settings: dict[str, Any] = {}
    for tag in PARAMETERS:
        for cell in code:
            if tag in cell.metadata.get("tags", []):
                settings |= _settings(cell.source, path.name)
    if not settings:
        raise InputError(
            f"{path.name} has no cell tagged `parameters`", f"{path.name} 没有带 `parameters` 标签的单元格"
        )
    kind = _recipe([cell.source for cell in code], path.name)
    return kind(**{name: value for name, value in settings.items() if name in kind.model_fields})


def _settings(source: str, name: str) -> dict[str, Any]:
    """`name: type = value` and `name = value` of literals."""
    found = {}
    for statement in _parsed(source):
        if not isinstance(statement, (ast.Assign, ast.AnnAssign)) or statement.value is None:
            continue
        for target in statement.targets if isinstance(statement, ast.Assign) else [statement.target]:
            if isinstance(target, ast.Name):
                try:
                    found[target.id] = ast.literal_eval(statement.value)
                except ValueError:
                    words = f"{target.id} is {ast.unparse(statement.value)}"
                    raise InputError(
                        f"{name}: {words}, which is no plain value",
                        f"{name}：{target.id} 是 {ast.unparse(statement.value)}，不是直接写出的值",
                    ) from None
    return found


def _recipe(sources: list[str], name: str) -> type[Recipe]:
    """The recipe that the notebook imports."""
    known = {recipes.find(one).__module__: recipes.find(one) for one in recipes.names()}
    for source in sources:
        for statement in _parsed(source):
            if isinstance(statement, ast.ImportFrom) and statement.module in known:
                return known[statement.module]
    raise InputError(
        f"{name} imports no recipe; there are: {', '.join(recipes.names())}",
        f"{name} 没有导入任何配方；有：{'、'.join(recipes.names())}",
    )


def _parsed(source: str) -> list[Any]:
    """A cell's statements; one that is no plain Python (a magic) has none."""
    try:
        return ast.parse(source).body
    except SyntaxError:
        return []
