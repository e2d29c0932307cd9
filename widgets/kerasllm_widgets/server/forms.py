"""Forms that a browser has filled: checked, their files found below the root, and a run reserved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tornado.web import HTTPError

from kerasllm.recipe import Recipe
from kerasllm.run import Run, create
from kerasllm_widgets.server import paths


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
    """The values with absolute paths of files, all below the root."""
    values = dict(filled.values)
    for name, value in recipe(**values).files().items():
        if not value.startswith("sample:"):
            inside = value.removeprefix(f"{root}/")
            try:
                values[name] = str(paths.below(root, inside if inside != value else f"{filled.folder}/{value}"))
            except HTTPError:
                raise HTTPError(404, f"{name}: no such file below the folder that Jupyter serves") from None
    return values
