"""The mark that a panel leaves on its run, by which the panel finds it again: its notebook and its cell."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from kerasllm.errors import InputError
from kerasllm.run import Run, files, runs
from kerasllm.run.folder import LIVE

MARK = "panel.json"  # in the run folder


def leave(run: Run, cell: str) -> None:
    """Note where the panel stands that began a run; `cell` is its cell's id, "" where nobody tells."""
    files.replace_json(run.path / MARK, {"notebook": _notebook(), "cell": cell})


def find(recipe: str, folder: str | Path | None, cell: str) -> Run | None:
    """The newest run of a recipe that this notebook's panel began; outside a notebook, one that still goes on."""
    here, may_hold = _notebook(), cache(_may_hold)

    def is_ours(there: str, its_cell: str) -> bool:
        if not (here and there and cell and its_cell):
            return there == here
        if cell == its_cell:  # this notebook, by whatever name, but no copy of one that is still there
            return there == here or not may_hold(there, cell)
        return there == here and may_hold(there, its_cell)  # another cell, but not of another notebook of that name

    for run in runs(folder):
        if run.asked["recipe"] == recipe and run.asked.get("surface") == "panel":
            mark: dict[str, Any] = files.read_json(run.path / MARK) or {}
            if is_ours(mark.get("notebook", ""), mark.get("cell", "")):
                with suppress(InputError):  # of a status that no view could show
                    if run.state in LIVE or here:
                        return run
    return None


def _may_hold(notebook: str, cell: str) -> bool:
    """Whether a notebook, as it is saved, may have a cell of this id: one that is no JSON, or has no ids, may."""
    try:
        content = files.read_json(Path(notebook))
        return content is not None and any(one.get("id", cell) == cell for one in content["cells"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return True


def _notebook() -> str:
    """The notebook of this kernel, as far as Jupyter tells it: by the name that it had when the kernel started."""
    return os.environ.get("JPY_SESSION_NAME", "")
