"""Forms that a browser has filled: checked, their files found below the root, and a run reserved."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tornado.web import HTTPError

from kerasllm.recipe import Recipe
from kerasllm.run import Run, create
from kerasllm_widgets.server import paths

PRESET = re.compile(r"([a-z]+://)?\w[\w.@-]*(/\w[\w.@-]*)*")  # a name, or hf://user/model


@dataclass(frozen=True)
class Filled:
    """Values by name, the folder (below the root) that relative paths start from, and a name for the run."""

    values: Mapping[str, Any]
    folder: str
    name: str = ""


def reserve_training(root: Path, runs: Path, recipe: type[Recipe], filled: Filled) -> Run:
    """Check everything, and reserve a run of a recipe."""
    checked = recipe(**anchored(root, recipe, filled))
    checked.fingerprints()
    return create(checked, runs, filled.name, "lab")


def anchored(root: Path, recipe: type[Recipe], filled: Filled) -> dict[str, Any]:
    """The values with absolute paths of files and presets' folders, all below the root."""
    values, folder = dict(filled.values), paths.below(root, filled.folder)
    made = recipe(**values)
    files = made.files(folder)
    for name, value in files.items():
        if not value.startswith("sample:"):
            try:
                values[name] = str(paths.below(root, os.path.relpath(folder / value, root).replace(os.sep, "/")))
            except HTTPError:
                raise HTTPError(404, f"{name}: no such file below the folder that Jupyter serves") from None
    for name, value in made.named("preset").items():
        if name not in files and not PRESET.fullmatch(value):  # a path, which the child would open from elsewhere
            raise HTTPError(404, f"{name}: no such file below the folder that Jupyter serves, and no preset's name")
    return values
