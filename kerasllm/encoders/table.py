"""Columns of a table -> numbers and categories."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kerasllm.encoders.cells import category, day, is_missing, is_row, number, pick
from kerasllm.errors import InputError

LARGEST = 1e30  # of a number: what is computed with it must still be one in 32 bits


@dataclass(frozen=True)
class Column:
    """How one input column becomes a number: a number, a date by its layout, or a category's place."""

    name: str
    kind: Literal["number", "date", "category"]
    fill: float = 0.0  # what stands for a missing number: the training rows' mean
    layout: str = ""
    categories: tuple[str, ...] = ()  # from place 1; 0 is what training never saw; "" a missing cell

    def read(self, cell: Any) -> float | None:
        """A cell of a number or a date as a number, None where missing; else InputError says what is wanted."""
        value = day(cell, self.layout) if self.kind == "date" else number(cell)
        if value is not None and abs(value) > LARGEST:
            raise InputError(f"{cell!r} is too large for 32-bit arithmetic", f"{cell!r} 超出 32 位运算的范围")
        if value is None and not is_missing(cell):
            if self.layout:
                raise InputError(
                    f"{cell!r} is not a date like {self.layout}", f"{cell!r} 不是 {self.layout} 这样的日期"
                )
            raise InputError(f"{cell!r} is not a number", f"{cell!r} 不是数字")
        return value


class TableEncoder:
    """Columns -> `numbers` (rows, numbers and dates) float32, and `categories` (rows, categories) int32.

    A network without columns of one sort has no such input, and the dictionary lacks it.
    """

    FILE, TAKES = "columns.json", "table"

    def __init__(self, columns: Iterable[Column]):
        self.columns = tuple(columns)
        self.numbers = [column for column in self.columns if column.kind != "category"]
        self.categories = [column for column in self.columns if column.kind == "category"]

    def rows(self, given: Any) -> dict[str, list[Any]]:
        """A DataFrame, columns, one row, or rows (mappings, or bare values in the columns' order) -> columns.

        A missing column raises InputError with its name.
        """
        if hasattr(given, "columns") and hasattr(given, "isna"):  # a DataFrame, without importing pandas
            given = {str(name): list(given[name]) for name in given.columns}
        if is_row(given):
            given = [given]
        columns = given if isinstance(given, Mapping) else self._by_column(given)
        wanted = {column.name: list(pick(column.name, columns)) for column in self.columns}
        if len({len(cells) for cells in wanted.values()}) > 1:
            lengths = ", ".join(f"{name} {len(cells)}" for name, cells in wanted.items())
            raise InputError(f"columns differ in length: {lengths}", f"各列长度不同：{lengths}")
        return wanted

    def encode(self, columns: Mapping[str, Sequence[Any]]) -> dict[str, np.ndarray]:
        """Encode columns; a cell that is no number where one is needed raises InputError with its place."""
        inputs = {}
        if self.numbers:
            arrays = [self._numbers(column, columns[column.name]) for column in self.numbers]
            inputs["numbers"] = np.stack(arrays, axis=1).astype("float32")
        if self.categories:
            places = [self._places(column, columns[column.name]) for column in self.categories]
            inputs["categories"] = np.stack(places, axis=1)
        return inputs

    def unseen(self, columns: Mapping[str, Sequence[Any]]) -> dict[str, list[str]]:
        """By column the categories in it that training never saw: to the network they are one."""
        found = {}
        for column in self.categories:
            known = set(map(category, column.categories))
            names = dict.fromkeys(category(cell) for cell in columns[column.name] if not is_missing(cell))
            if new := [name for name in names if name not in known]:
                found[column.name] = new
        return found

    def _by_column(self, rows: Sequence[Any]) -> dict[str, list[Any]]:
        names = [column.name for column in self.columns]
        columns: dict[str, list[Any]] = {name: [] for name in names}
        for place, row in enumerate(rows, 1):
            if not isinstance(row, Mapping):
                cells = list(row) if isinstance(row, (list, tuple, np.ndarray)) else [row]
                if len(cells) != len(names):
                    known = ", ".join(names)
                    raise InputError(
                        f"row {place} has {len(cells)} values; the columns are: {known}",
                        f"第 {place} 行有 {len(cells)} 个值；各列为：{known}",
                    )
                row = dict(zip(names, cells, strict=True))
            for name in names:
                columns[name].append(pick(name, row, place))
        return columns

    @staticmethod
    def _numbers(column: Column, cells: Sequence[Any]) -> np.ndarray:
        values = np.empty(len(cells))
        for row, cell in enumerate(cells):
            try:
                value = column.read(cell)
            except InputError as error:
                raise InputError(
                    f"row {row + 1}, column {column.name!r}: {error}",
                    f"第 {row + 1} 行，列 {column.name!r}：{error.zh}",
                ) from None
            values[row] = column.fill if value is None else value
        return values

    @staticmethod
    def _places(column: Column, cells: Sequence[Any]) -> np.ndarray:
        place = {category(name): index for index, name in enumerate(column.categories, 1)}
        names = ("" if is_missing(cell) else category(cell) for cell in cells)
        return np.array([place.get(name, 0) for name in names], "int32")

    def files(self) -> dict[str, str]:
        """What to save, by file name."""
        return {self.FILE: json.dumps([asdict(column) for column in self.columns], ensure_ascii=False, indent=1)}

    @classmethod
    def load(cls, folder: Path) -> TableEncoder:
        """Read columns.json."""
        rows = json.loads((folder / cls.FILE).read_text("utf-8"))
        return cls(Column(**{**row, "categories": tuple(row["categories"])}) for row in rows)
