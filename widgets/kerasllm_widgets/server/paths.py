"""Paths that come from a browser: below the root or nowhere.

tornado has decoded them once; they are never decoded again. A path that leads out and one that does not exist get the
same 404, which says nothing of either.
"""

from __future__ import annotations

from pathlib import Path

from tornado.web import HTTPError

from kerasllm.run import Run


def below(root: Path, path: str) -> Path:
    """The existing file or folder at `path` (with forward slashes, relative to `root`, which is canonical)."""
    parts = path.strip("/").split("/")
    if ".." in parts or any(sign in path for sign in "\0\\"):
        raise HTTPError(404)
    found = root.joinpath(*parts).resolve()
    if not found.is_relative_to(root) or not found.exists():
        raise HTTPError(404)
    return found


def relative(root: Path, file: Path) -> str | None:
    """An existing file's path below the root, with forward slashes; None where it lies elsewhere."""
    found = file.resolve()
    return found.relative_to(root).as_posix() if found.is_file() and found.is_relative_to(root) else None


def run(runs: Path, name: str) -> Run:
    """The run of that name: a folder that lies directly in the folder of runs."""
    if not name or name.startswith(".") or any(sign in name for sign in "\0\\/"):
        raise HTTPError(404)
    folder = runs / name
    if folder.is_symlink() or not (folder / "run.json").is_file():
        raise HTTPError(404)
    return Run(folder)
