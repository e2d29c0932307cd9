"""A recipe's form as plain data: its fields, what is wrong with what was typed, and a first look at its file.

Nothing here imports Keras or a widget library.
"""

from __future__ import annotations

import os
import typing
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from kerasllm.data.files import Table, no_file, read
from kerasllm.data.samples import HOLDS, SAMPLES, sample
from kerasllm.errors import InputError, did_you_mean
from kerasllm.parameters import GROUPS, bounds, drawing, reason, unit
from kerasllm.recipe import Recipe

Said = dict[str, str]  # {"en": …, "zh": …}
ROWS = 20  # of a file that are shown
TEXTS = (".txt", ".md")
SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".pq", ".gz")
LONGEST = 200  # characters of a cell that are shown


def schema(recipe: type[Recipe]) -> dict[str, Any]:
    """Everything a surface needs to draw the form: groups in order, and of each its fields."""
    groups: dict[str, list[dict[str, Any]]] = {group: [] for group in GROUPS}
    for name, field in recipe.model_fields.items():
        groups[drawing(field)["group"]].append(control(name, field))
    return {
        "recipe": recipe.name(),
        "summary": {"en": recipe.summary(), "zh": recipe.summary("zh")},
        "groups": [
            {"name": name, "title": {"en": GROUPS[name][0], "zh": GROUPS[name][1]}, "fields": fields}
            for name, fields in groups.items()
            if fields
        ],
    }


def control(name: str, field: FieldInfo) -> dict[str, Any]:
    """Everything a surface needs to draw one field."""
    drawn, choices = drawing(field), list(typing.get_args(field.annotation))
    return {
        "name": name,
        "type": "choice" if choices else typing.cast(type, field.annotation).__name__,
        "choices": choices,
        "default": field.get_default(),
        "kind": drawn["kind"],
        "unit": {"en": unit(field), "zh": unit(field, "zh")},
        "bounds": bounds(field),
        "advanced": drawn["advanced"],
        "help": {"en": field.description, "zh": drawn["zh"]},
    }


def given(recipe: type[Recipe], typed: Mapping[str, Any]) -> dict[str, Any]:
    """What was typed without the blanks around it; a column's name may begin with one."""
    columns = {name for name, field in recipe.model_fields.items() if drawing(field)["kind"].startswith("column")}
    return {
        name: value.strip() if isinstance(value, str) and name not in columns else value
        for name, value in typed.items()
    }


def mistakes(recipe: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Said]:
    """Why values are refused, by the parameter's name ("" what concerns several together); {} where all is well."""
    try:
        BaseModel.__init__(recipe.__new__(recipe), **values)
    except ValidationError as error:
        found = {".".join(map(str, part["loc"])): reason(part) for part in error.errors(include_url=False)}
        return {name: {"en": english, "zh": chinese} for name, (english, chinese) in found.items()}
    return {}


def told(error: InputError) -> Said:
    """An error in both languages."""
    return {"en": str(error), "zh": error.zh}


def places(recipe: type[Recipe], values: Mapping[str, Any], columns: list[str] | None) -> dict[str, Said]:
    """What is wrong with files, shares, presets and, once the file was read, with columns that it lacks."""
    found = _leave_nothing(*(str(values.get(name, "")) for name in ("validation", "test")))
    for name, field in recipe.model_fields.items():
        value, kind = str(values.get(name, "")).strip(), drawing(field)["kind"]
        if kind == "file" and name != "data" and value:
            found |= _file(recipe, name, value)
        if kind == "preset" and "://" not in value and "/" in value and not Path(value).is_dir():
            found[name] = {
                "en": f"{value!r} is no folder; for one of huggingface.co write hf://{value}",
                "zh": f"{value!r} 不是文件夹；huggingface.co 上的模型请写作 hf://{value}",
            }
        if columns is None or not value or kind not in ("column", "columns"):
            continue
        for column in [value] if kind == "column" else map(str.strip, value.split(",")):
            if column and column not in columns:
                found[name] = {
                    "en": f"the file has no column {column!r}{did_you_mean(column, columns)}",
                    "zh": f"文件没有 {column!r} 这一列{did_you_mean(column, columns, 'zh')}",
                }
    return found


def _leave_nothing(validation: str, test: str) -> dict[str, Said]:
    """What is wrong with two shares that are all of the rows, each of which would do."""
    try:
        parts = {"validation": float(validation or 0), "test": float(test or 0)}
    except ValueError:  # a file
        return {}
    if not all(0 <= part < 1 for part in parts.values()) or sum(parts.values()) < 1:
        return {}
    words = f"validation {parts['validation']:g}", f"test {parts['test']:g}"
    told = {
        "en": f"{words[0]} and {words[1]} leave no rows to train on",
        "zh": f"{'、'.join(words)} 没有留下训练用的行",
    }
    return dict.fromkeys(parts, told)


def _file(recipe: type[Recipe], name: str, value: str) -> dict[str, Said]:
    from kerasllm.data.splits import share

    try:
        if share(value, name) is None:
            _check_kind(recipe, value)
    except InputError as error:
        return {name: {"en": str(error).removeprefix(f"{name}: "), "zh": error.zh.removeprefix(f"{name}：")}}
    return {}


def _holds(recipe: type[Recipe]) -> set[str]:
    """What the recipe learns from, as its own sample tells; nothing is known of one that has none."""
    return HOLDS.get(str(recipe.model_fields["data"].default).removeprefix("sample:"), set())


def _check_kind(recipe: type[Recipe], source: str) -> None:
    """Raise InputError for a sample that there is not, for a file where a folder belongs, and the other way round."""
    name, path, holds = source.removeprefix("sample:"), Path(source), _holds(recipe)
    if source.startswith("sample:"):
        if name not in SAMPLES:
            sample(name)
        if holds and ("pictures" in holds) != ("pictures" in HOLDS[name]):
            known = ", ".join(samples(recipe))
            raise InputError(
                f"{source} is nothing that {recipe.name()} learns from; there are: {known}",
                f"{recipe.name()} 不能从 {source} 学习；有：{known}",
            )
    elif "pictures" in holds and path.is_file():
        raise InputError(
            f"{path} is a file; pictures are given as a folder that holds a folder per class",
            f"{path} 是文件；图片要以文件夹给出，其中每个类别一个文件夹",
        )
    elif holds and "pictures" not in holds and path.is_dir():
        raise InputError(f"{path} is a folder, not a file", f"{path} 是文件夹，不是文件")


def place(recipe: Recipe, error: InputError) -> str:
    """The parameter whose file an error is about."""
    files = {name: Path(file.removeprefix("sample:")).name for name, file in recipe.files().items()}
    return next((name for name, file in files.items() if name != "data" and file in str(error)), "data")


def preview(recipe: type[Recipe], source: str) -> dict[str, Any]:
    """The columns and first rows of a table, the first lines of a text, or what a folder holds; `error` where none is.

    A recipe without columns to choose reads its files in its own way: of those only the kind is looked at.
    """
    nothing = {"source": source, "columns": [], "rows": [], "count": 0, "error": {}}
    tabular = any(drawing(field)["kind"].startswith("column") for field in recipe.model_fields.values())
    path = Path(source)
    try:
        _check_kind(recipe, source)
        if source.startswith("sample:") and not tabular:
            return nothing
        if "pictures" in _holds(recipe):
            from kerasllm.data.card import Notes
            from kerasllm.data.picture_folder import find

            find(source, Notes())
        if tabular and not path.is_dir() and path.suffix.lower() not in TEXTS:
            table = read(source)
            return nothing | {"columns": list(table.columns), "rows": _head(table), "count": len(table), "table": True}
        if path.is_dir():
            found = sorted(path.iterdir())
            kinds = [[one.name, str(sum(1 for _ in one.iterdir())) if one.is_dir() else ""] for one in found[:ROWS]]
            return nothing | {"columns": [path.name, "files"], "rows": kinds, "count": len(found)}
        if not path.exists():
            raise no_file(path)
        if path.suffix.lower() in TEXTS:
            with path.open(encoding="utf-8", errors="replace") as lines:
                rows = [[line.rstrip("\n")[:LONGEST]] for line in islice(lines, ROWS)]
            return nothing | {"columns": [path.name], "rows": rows, "count": len(rows)}
    except InputError as error:
        return nothing | {"error": told(error)}
    except OSError as error:
        return nothing | {"error": {"en": str(error), "zh": str(error)}}
    return nothing


def stamp(source: str) -> Any:
    """Another one once a file was written, or a folder or one right in it lost or gained a file; None where none is."""
    path = Path(source)
    try:
        entries = os.scandir(path) if path.is_dir() else ()
        folders = sorted((one.name, one.stat().st_mtime_ns) for one in entries if one.is_dir())
        return path.stat().st_mtime_ns, path.stat().st_size, folders
    except (OSError, ValueError):  # the latter: no name of a file
        return None


def card(recipe: Recipe) -> str:
    """The data card as lines of text: what reading the file for this recipe finds."""
    from kerasllm.data.card import render

    return render(recipe.read().card)


def _head(table: Table) -> list[list[str]]:
    rows = islice(zip(*table.columns.values(), strict=True), ROWS)
    return [["" if cell is None else str(cell)[:LONGEST] for cell in row] for row in rows]


def samples(recipe: type[Recipe]) -> list[str]:
    """The samples that hold what the recipe learns from."""
    return [f"sample:{name}" for name in SAMPLES if HOLDS[name] >= _holds(recipe)]


def files_nearby(folder: Path, recipe: type[Recipe]) -> list[str]:
    """What a person may mean by the recipe's data: samples, and the folder's tables, or its folders of folders."""
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    if "pictures" in _holds(recipe):
        found = [path.name for path in entries if path.is_dir() and next(os.walk(path), ("", [], []))[1]]
    else:
        found = [path.name for path in entries if path.suffix.lower() in SUFFIXES and path.is_file()]
    return samples(recipe) + found[:100]
