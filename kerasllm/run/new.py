"""Make a run: reserve its folder and write down what is asked, before Keras or the data is looked at."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from kerasllm.errors import InputError
from kerasllm.run import files
from kerasllm.run.folder import FORMAT, Run, runs_folder
from kerasllm.run.process import myself

if TYPE_CHECKING:
    from kerasllm.recipe import Recipe


def create(
    recipe: Recipe,
    folder: str | Path | None = None,
    name: str = "",
    surface: str = "python",
    replayable: bool = True,
    notebook: str = "",
    texts: Mapping[str, str] = MappingProxyType({}),
    data: Mapping[str, str] = MappingProxyType({}),
) -> Run:
    """Reserve a run of a recipe: its folder with run.json, in state queued. It needs neither Keras nor the data.

    `notebook` is the path of one's own that trains it; `texts` as of `reserve`; `data` the SHA-256 by parameter of
    files that were looked at already: the run trains on them or not at all.
    """
    asked = {
        "recipe": recipe.name(),
        "parameters": recipe.model_dump(),
        "seed": recipe.seed,
        "surface": surface,
        "replayable": replayable,
        **({"notebook": notebook} if notebook else {}),
        **({"data": dict(data)} if data else {}),
    }
    return reserve(asked, recipe.name(), folder, name, texts)


@contextmanager
def may_write(place: Path) -> Iterator[None]:
    """Say in one line why nothing can be made in a folder of runs."""
    try:
        yield
    except FileExistsError:
        if place.is_dir():
            raise
        raise InputError(f"{place} is no folder", f"{place} 不是文件夹") from None
    except OSError as error:
        raise InputError(
            f"cannot write runs to {place}: {error.strerror}; choose another folder with --runs",
            f"无法把运行写入 {place}：{error.strerror}；请用 --runs 另选文件夹",
        ) from error


def reserve(
    asked: Mapping[str, Any],
    stem: str,
    folder: str | Path | None = None,
    name: str = "",
    texts: Mapping[str, str] = MappingProxyType({}),
) -> Run:
    """Reserve a run called `name`, or else `stem` and the time; `texts` are files that lie in it from the start."""
    place = runs_folder(folder)
    is_whole = name.encode("utf-8", "ignore").decode() == name  # else it holds half a character
    if Path(name).name != name or name.startswith(".") or not is_whole:
        raise InputError(
            f"a run's name is one folder's name, not {name!r}", f"运行的名称是单个文件夹的名称，不能是 {name!r}"
        )
    stem = name or f"{stem}-{datetime.now():%Y%m%d-%H%M%S}"
    path = place / stem
    attempt = 1
    while True:
        try:
            with may_write(place):
                path.mkdir(parents=True)
            break
        except FileExistsError:
            if name:
                raise InputError(f"{path} exists already; choose another name", f"{path} 已存在；请另选名称") from None
            attempt += 1
            path = place / f"{stem}-{attempt}"
    for file, text in texts.items():
        files.replace_text(path / file, text)
    files.replace_json(path / "status.json", {"state": "queued", "heartbeat": time.time(), **myself()})
    asked = {"format": FORMAT, "name": path.name, "created": time.time(), **asked}
    files.replace_json(path / "run.json", asked)  # last: it makes the folder a run
    return Run(path)
