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

from kerasllm.data import files, picture_folder
from kerasllm.data.card import render
from kerasllm.data.look import kind
from kerasllm.data.memory import Table
from kerasllm.data.notes import Notes
from kerasllm.data.samples import SAMPLES
from kerasllm.data.splits import share, shares_and_files
from kerasllm.errors import InputError, did_you_mean, may_read
from kerasllm.parameters import GROUPS, bounds, drawing, reason, unit
from kerasllm.recipe import Recipe

Said = dict[str, str]  # {"en": …, "zh": …}
ROWS, COLUMNS = 20, 50  # of a file that are shown
FILES = {"en": "files", "zh": "文件数"}  # the head of a column
SUFFIXES = (".csv", ".tsv", ".parquet", ".pq", ".txt", ".md")  # of files that are suggested, .gz after it or not
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
    found: dict[str, Said] = {}
    for name, field in recipe.model_fields.items():
        value, meant = str(values.get(name, "")).strip(), drawing(field)["kind"]
        try:
            if meant == "file" and name != "data" and value and share(value, name) is None:
                _check_kind(recipe, value)
            if meant == "preset":
                _check_preset(value)
        except InputError as error:
            found[name] = {"en": str(error).removeprefix(f"{name}: "), "zh": error.zh.removeprefix(f"{name}：")}
        if columns is None or not value or meant not in ("column", "columns"):
            continue
        for column in [value] if meant == "column" else map(str.strip, value.split(",")):
            if column and column not in columns:
                found[name] = {
                    "en": f"the file has no column {column!r}{did_you_mean(column, columns)}",
                    "zh": f"文件没有 {column!r} 这一列{did_you_mean(column, columns, 'zh')}",
                }
    splits = {name: str(values.get(name, "")).strip() for name in ("validation", "test")}
    if not splits.keys() & found.keys():  # each would do: is anything left beside both?
        try:
            shares_and_files(**splits)
        except InputError as error:
            found |= dict.fromkeys(splits, told(error))
    return found


def reads_as(recipe: type[Recipe], source: str) -> str:
    """What the recipe takes a source for: the kind that it is; of another kind than it takes, its first one."""
    found = kind(source)
    return found if found in recipe.takes else recipe.takes[0]


def _check_kind(recipe: type[Recipe], source: str) -> None:
    """Raise InputError where there is no such file, folder or sample, or the recipe learns nothing from such a one."""
    if source.startswith("sample:"):
        if kind(source) not in recipe.takes:
            known = ", ".join(samples(recipe))
            raise InputError(
                f"{source} is nothing that {recipe.name()} learns from; there are: {known}",
                f"{recipe.name()} 不能从 {source} 学习；有：{known}",
            )
    elif reads_as(recipe, source) == "folder":
        picture_folder.existing_folder(Path(source))
    else:
        files.existing(Path(source))


def _check_preset(value: str) -> None:
    """Raise InputError for a path where no folder is."""
    with may_read():
        is_no_folder = "://" not in value and "/" in value and not Path(value).is_dir()
    if is_no_folder:
        raise InputError(
            f"{value!r} is no folder; for one of huggingface.co write hf://{value}",
            f"{value!r} 不是文件夹；huggingface.co 上的模型请写作 hf://{value}",
        )


def place(recipe: Recipe, error: InputError) -> str:
    """The parameter whose file an error is about."""
    names = {name: Path(file.removeprefix("sample:")).name for name, file in recipe.files().items()}
    return next((name for name, file in names.items() if name != "data" and file in str(error)), "data")


def preview(recipe: type[Recipe], source: str) -> dict[str, Any]:
    """A table's columns and first rows, a text's first lines, or what a folder holds; `error`: why none is shown."""
    nothing = {"source": source, "columns": [], "rows": [], "count": 0, "error": {}}
    path = Path(source)
    try:
        _check_kind(recipe, source)
        shape = reads_as(recipe, source)
        if shape == "table":
            table = files.read(source)
            return nothing | {"columns": list(table.columns), "rows": _head(table), "count": len(table), "table": True}
        if shape == "text":
            rows = [[line[:LONGEST]] for line in files.first_lines(path, ROWS)]
            return nothing | {"columns": [path.name], "rows": rows, "count": len(rows)}
        if not source.startswith("sample:"):
            if not picture_folder.classes(path):
                picture_folder.find(source, Notes())  # says why; a folder of folders may be a whole disk
            found = sorted(path.iterdir())
            kinds = [[one.name, str(sum(1 for _ in one.iterdir())) if one.is_dir() else ""] for one in found[:ROWS]]
            return nothing | {"columns": [path.name, FILES], "rows": kinds, "count": len(found)}
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


def card(recipe: Recipe) -> Said:
    """The data card as lines of text: what reading the file for this recipe finds."""
    found = recipe.read().card
    return {language: render(found, language) for language in ("en", "zh")}


def _head(table: Table) -> list[list[str]]:
    rows = islice(zip(*islice(table.columns.values(), COLUMNS), strict=True), ROWS)
    return [["" if cell is None else str(cell)[:LONGEST] for cell in row] for row in rows]


def samples(recipe: type[Recipe]) -> list[str]:
    """The samples that hold what the recipe learns from, as far as its own sample tells."""
    own = str(recipe.model_fields["data"].default).removeprefix("sample:")
    holds = SAMPLES[own].holds if own in SAMPLES else set()
    found = {f"sample:{name}": sample for name, sample in SAMPLES.items()}
    return [name for name, sample in found.items() if sample.holds >= holds and kind(name) in recipe.takes]


def files_nearby(folder: Path, recipe: type[Recipe]) -> list[str]:
    """What a person may mean by the recipe's data: samples, and the folder's tables, texts or folders of folders."""
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    found = [path.name for path in entries if _may_be_meant(path) and kind(path) in recipe.takes]
    return samples(recipe) + found[:100]


def _may_be_meant(path: Path) -> bool:
    if path.is_dir():
        return bool(next(os.walk(path), ("", [], []))[1])
    return path.is_file() and path.name.lower().removesuffix(".gz").endswith(SUFFIXES)
