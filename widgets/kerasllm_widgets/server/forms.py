"""Forms that a browser fills: drawn for a file, checked, their files found below the root, and a run reserved."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tornado.web import HTTPError

from kerasllm.data import picture_folder
from kerasllm.data.files import head
from kerasllm.data.notes import Notes
from kerasllm.errors import InputError
from kerasllm.parameters import drawing, schema
from kerasllm.recipe import Recipe
from kerasllm.run import Run, create
from kerasllm_widgets.form import places, reads_as
from kerasllm_widgets.server import paths

PRESET = re.compile(r"([a-z]+://)?\w[\w.@-]*(/\w[\w.@-]*)*")  # a name, or hf://user/model


class Elsewhere(HTTPError):
    """404 for a file outside the root as for none at all, in the same words."""

    def __init__(self, name: str, is_preset: bool):
        more = (", and no preset's name", "，也没有这个名称的预置模型") if is_preset else ("", "")
        super().__init__(404, f"{name}: no such file below the folder that Jupyter serves{more[0]}")
        self.zh = f"{name}：Jupyter 所服务的文件夹下没有这个文件{more[1]}"


@dataclass(frozen=True)
class Filled:
    """Values by name, the folder (below the root) that relative paths start from, and a name for the run."""

    values: Mapping[str, Any]
    folder: str
    name: str = ""


def form_for(recipe: type[Recipe], path: Path, language: str) -> dict[str, Any]:
    """A recipe's form for one file or folder: its columns to choose from, the likely ones chosen in `values`."""
    drawn, values = schema(recipe, language), {"data": path.name}
    drawn["properties"]["data"]["readOnly"] = True  # of another file the columns are others
    columns = [name for name, field in recipe.model_fields.items() if drawing(field)["kind"] == "column"]
    is_table = not path.is_dir() and reads_as(recipe, str(path)) == "table"
    cells = head(str(path)) if columns and is_table else {}
    free = dict(cells)
    for name in columns if cells else ():
        wanted = recipe.model_fields[name].get_default()
        drawn["properties"][name]["enum"] = [*cells] if wanted else ["", *cells]
        if wanted and free:
            values[name] = _likely(wanted, free)
            del free[values[name]]
    return {"recipe": recipe.name(), "schema": drawn, "values": values}


def _likely(wanted: str, cells: dict[str, list[Any]]) -> str:
    """The column that is called so; else that of the longest texts, or of the fewest different labels, the last one."""
    if wanted in cells:
        return wanted
    if wanted == "text":
        return max(cells, key=lambda name: sum(len(str(cell)) for cell in cells[name]))
    return min(reversed(cells), key=lambda name: len(set(cells[name])))


def reserve_training(root: Path, runs: Path, recipe: type[Recipe], filled: Filled) -> Run:
    """Check everything, and reserve a run of a recipe."""
    checked = recipe(**anchored(root, recipe, filled))
    checked.fingerprints()
    return create(checked, runs, filled.name, "lab")


def anchored(root: Path, recipe: type[Recipe], filled: Filled) -> dict[str, Any]:
    """The values as the recipe reads them, with absolute paths of files and presets' folders, all below the root.

    What a child could not train on is refused: columns that the file lacks, folders that hold no pictures.
    """
    folder, made = paths.below(root, filled.folder), recipe(**filled.values)
    values = {name: getattr(made, name) for name in filled.values}
    files, presets = made.files(folder), made.named("preset")
    if made.data:
        files["data"] = made.data  # also where a folder is called 2024, which may be a share of rows elsewhere
    for name, value in files.items():
        if not value.startswith("sample:"):
            try:
                values[name] = str(paths.below(root, os.path.relpath(folder / value, root).replace(os.sep, "/")))
            except HTTPError:
                raise Elsewhere(name, name in presets) from None
    for name, value in presets.items():
        if name not in files and not PRESET.fullmatch(value):  # a path, which the child would open from elsewhere
            raise Elsewhere(name, is_preset=True)
    whole = {**made.model_dump(), **values}
    _check_columns(recipe, whole)
    for name in files.keys() - presets.keys():
        _check_pictures(recipe, name, whole[name], files[name])
    return values


def _check_columns(recipe: type[Recipe], values: dict[str, Any]) -> None:
    """Refuse columns that the file lacks, before a child has to."""
    data = values["data"]
    is_read = any(drawing(field)["kind"].startswith("column") for field in recipe.model_fields.values())
    if not data or not is_read or reads_as(recipe, data) != "table":
        return
    for name, said in places(recipe, values, list(head(data))).items():
        raise InputError(f"{name}: {said['en']}", f"{name}：{said['zh']}")


def _check_pictures(recipe: type[Recipe], name: str, path: str, shown: str) -> None:
    """Refuse a folder without classes of pictures, by the files' names alone; the root's own place is not told."""
    if path.startswith("sample:") or reads_as(recipe, path) != "folder":
        return
    try:
        picture_folder.find(path, Notes())
    except InputError as error:
        english, chinese = (one.replace(path, shown) for one in (str(error), error.zh))
        raise InputError(f"{name}: {english}", f"{name}：{chinese}") from None
