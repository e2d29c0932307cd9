"""Points: every combination of a grid, or every row of a table, for each seed; checked before any of them starts."""

from __future__ import annotations

import csv
import itertools
import json
import math
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kerasllm import recipes
from kerasllm.data.files import fingerprint, read
from kerasllm.errors import InputError, did_you_mean
from kerasllm.notebook_run import from_notebook, recipe_of, reserve
from kerasllm.parameters import drawing
from kerasllm.parameters_cell import checked, declared, is_notebook
from kerasllm.recipe import Recipe
from kerasllm.run import Run, create

MOST = 10_000  # points in a batch: more is a slip of the keyboard


@dataclass(frozen=True)
class Point:
    """One set of words for parameters, and the place they come from, for errors in English and Chinese."""

    words: dict[str, str]
    place: str = ""
    zh: str = ""


def from_grid(grid: Sequence[str], fixed: Mapping[str, str]) -> list[Point]:
    """Every combination of `name=value,value` words; a value that holds a comma stands in double quotes."""
    axes: dict[str, list[str]] = {}
    for word in grid:
        name, found, values = word.partition("=")
        if not found or not name:
            raise InputError(f"--grid {word}: write NAME=VALUE,VALUE", f"--grid {word}：请写作 名称=值,值")
        if name in axes or name in fixed:
            raise InputError(f"{name} is given twice", f"{name} 给出了两次")
        try:
            axes[name] = next(csv.reader([values]))
        except csv.Error as error:
            raise InputError(f"--grid {name}: {error}", f"--grid {name}：{error}") from error
        if not axes[name]:
            raise InputError(f'--grid {word}: it has no value; "" is an empty one', f'--grid {word}：没有值；"" 是空值')
    _check_count(math.prod(map(len, axes.values())))
    return [Point({**fixed, **dict(zip(axes, values, strict=True))}) for values in itertools.product(*axes.values())]


def from_table(path: str, fixed: Mapping[str, str]) -> list[Point]:
    """A point per row of a CSV file whose header names parameters; an empty cell is the parameter's default."""
    table = read(path)
    _check_count(len(table))
    for name in table.columns:
        if name in fixed:
            raise InputError(
                f"{name} is given twice: by -p and as a column of {table.source}",
                f"{name} 给出了两次：用 -p，又作为 {table.source} 的一列",
            )
    return [
        Point(
            {
                **fixed,
                **{name: str(cells[row]) for name, cells in table.columns.items() if cells[row] not in ("", None)},
            },
            table.place(row),
            table.place(row, language="zh"),
        )
        for row in range(len(table))
    ]


def seeded(points: Sequence[Point], seeds: int) -> list[Point]:
    """Each point for `seeds` seeds: its own, or 0, and those that follow it."""
    if seeds < 1:
        raise InputError(f"--seeds {seeds}: 1 or more", f"--seeds {seeds}：至少为 1")
    _check_count(len(points) * seeds)
    found = []
    for point in points:
        if seeds == 1:
            found.append(point)
            continue
        word = point.words.get("seed", "0")
        try:
            first = int(word)
        except ValueError:
            raise InputError(
                f"{point.place}: seed {word!r} is no whole number".removeprefix(": "),
                f"{point.zh}：seed {word!r} 不是整数".removeprefix("："),
            ) from None
        found += [replace(point, words={**point.words, "seed": str(seed)}) for seed in range(first, first + seeds)]
    return found


def _check_count(count: int) -> None:
    """Refuse too many points before they fill the memory."""
    if count > MOST:
        raise InputError(f"{count} points are too many; {MOST} at most", f"{count} 组参数太多；最多 {MOST} 组")


class Source:
    """What the points run: a recipe, or a notebook. Checks a point's words, and reserves its run."""

    def __init__(self, name: str) -> None:
        """`name` is a recipe's, or a notebook's path."""
        self._notebook = Path(name).absolute() if is_notebook(name) else None
        self._recipe = recipe_of(self._notebook) if self._notebook else recipes.find(name)
        self.name, self.stem = (str(self._notebook), self._notebook.stem) if self._notebook else (name, name)
        self.data = {"notebook": fingerprint(self._notebook)} if self._notebook else {}
        if self._recipe:
            self.parameters = list(self._recipe.model_fields)
        elif self._notebook:
            self.parameters = list(declared(self._notebook))

    def check(self, points: Sequence[Point]) -> list[dict[str, Any]]:
        """The parameters of every point; the first wrong word raises InputError with its place."""
        found: list[dict[str, Any]] = []
        places: dict[str, int] = {}
        alike: dict[str, list[tuple[Point, Recipe]]] = {}  # those that read the same data in the same way
        for number, point in enumerate(points, 1):
            with _told(point):
                values, recipe = self._values(point.words)
            if recipe:
                alike.setdefault(_read_by(recipe), []).append((point, recipe))
            twin = places.setdefault(repr(sorted(values.items())), number)
            if twin != number:
                raise InputError(
                    f"{point.place or f'point {number}'}: the same parameters as point {twin}: {point.words}",
                    f"{point.zh or f'第 {number} 组参数'}：与第 {twin} 组参数相同：{point.words}",
                )
            found.append(values)
        _check_devices(itertools.chain(*alike.values()))
        for same in alike.values():
            self._look(same)
        return found

    def _values(self, words: Mapping[str, str]) -> tuple[dict[str, Any], Recipe | None]:
        for name in words:
            if name not in self.parameters:
                raise InputError(
                    f"no parameter {name!r}{did_you_mean(name, self.parameters)}",
                    f"没有参数 {name!r}{did_you_mean(name, self.parameters, 'zh')}",
                )
        notebook = self._notebook
        if not self._recipe:
            assert notebook
            return checked(notebook, words), None
        recipe = (from_notebook(self._recipe, notebook, words) if notebook else self._recipe(**words)).anchored()
        return recipe.model_dump(), recipe

    def _look(self, points: Sequence[tuple[Point, Recipe]]) -> None:
        """Read the data, once for all of these points: wrong columns, files and presets are told now.

        What else a parameter needs of the data is asked of every point; of seeds that divide it differently, one.
        """
        data: Any = None
        for number, (point, recipe) in enumerate(points):
            with _told(point):
                if number == 0:
                    with _named(recipe):
                        files = recipe.files()
                        self.data |= {files[name]: content for name, content in recipe.fingerprints().items()}
                        data = recipe.read()
                recipe.check(data)

    def reserve(self, values: Mapping[str, Any], runs: str, name: str) -> Run:
        """A run of checked parameters."""
        if not self._recipe:
            return reserve(self.name, values, runs=runs, name=name, are_words=False)
        recipe = self._recipe(**values)
        data = {name: self.data[file] for name, file in recipe.files().items()}
        if self._notebook:
            return reserve(self.name, values, runs=runs, name=name, data=data)
        return create(recipe, runs, name, "batch", data=data)


def _read_by(recipe: Recipe) -> str:
    """What the reading of the data depends on."""
    fields, named = type(recipe).model_fields, recipe.files() | recipe.named("preset")
    values = {
        name: value
        for name, value in recipe.model_dump().items()
        if name in named or drawing(fields[name])["group"] == "data"
    }
    return repr(values)


@contextmanager
def _told(point: Point) -> Iterator[None]:
    """Put a point's place before what is wrong with it."""
    try:
        yield
    except InputError as error:
        if not point.place:
            raise
        name = str(error).split(":", 1)[0]
        if name not in point.words:
            raise InputError(f"{point.place}: {error}", f"{point.zh}：{error.zh}") from error
        raise InputError(
            f"{point.place}, column {name!r}: {str(error).removeprefix(f'{name}: ')}",
            f"{point.zh}，列 {name!r}：{error.zh.removeprefix(f'{name}：')}",
        ) from error


@contextmanager
def _named(recipe: Recipe) -> Iterator[None]:
    """Put the parameter that names a file before what is wrong with the file."""
    try:
        yield
    except InputError as error:
        files = sorted(recipe.files().items(), key=lambda pair: -len(pair[1]))
        name = next((name for name, file in files if file in str(error)), "")
        if not name or str(error).startswith(f"{name}:"):
            raise
        raise InputError(f"{name}: {error}", f"{name}：{error.zh}") from error


def _check_devices(points: Iterable[tuple[Point, Recipe]]) -> None:
    """Ask for the devices that are named, in a process that may import Keras."""
    wanted: dict[str, Point] = {}
    for point, recipe in points:
        wanted.setdefault(recipe.device, point)
    for device, point in wanted.items():
        if device in ("auto", "cpu"):
            continue
        asked = [sys.executable, "-P", "-m", "kerasllm.batch.device", device]
        done = subprocess.run(asked, text=True, capture_output=True)
        with _told(point):
            if done.returncode:
                last = (done.stdout or done.stderr).strip().splitlines()[-1]
                raise InputError(*(json.loads(last) if done.stdout else (last, last)))
