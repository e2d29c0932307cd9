"""Table: named columns of raw cells, each row with its line number; from a DataFrame, columns, rows or arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from kerasllm.errors import InputError, did_you_mean


@dataclass(frozen=True)
class Table:
    """Columns of raw cells (str, int, float, bool or None), all of one length, and where they came from."""

    columns: dict[str, list[Any]]
    lines: Sequence[int]  # the line each row starts on; without a text file its position, from 1
    source: str
    found: dict[str, Any] = field(default_factory=dict)  # encoding, delimiter: for the data card
    unit: str = "row"  # what `lines` counts: "line" of a text file, or "row"

    def __len__(self) -> int:
        return len(self.lines)

    def column(self, name: str, parameter: str = "") -> list[Any]:
        """The cells of one column; an unknown name raises InputError with the nearest one, and what to set."""
        if name not in self.columns:
            cure = zh = ""
            if parameter:
                cure, zh = f" (the parameter {parameter!r} names it)", f"（由参数 {parameter!r} 指定）"
            raise InputError(
                f"{self.source}: no column {name!r}{did_you_mean(name, self.columns)}{cure}",
                f"{self.source}：没有 {name!r} 这一列{did_you_mean(name, self.columns, 'zh')}{zh}",
            )
        return self.columns[name]

    def place(self, row: int, column: str = "", language: str = "en") -> str:
        """Where a cell stands, for an error: `reviews.csv, line 7, column 'stars'`."""
        if language == "zh":
            return f"{self.source} 第 {self.lines[row]} 行" + (f"，列 {column!r}" if column else "")
        name = f", column {column!r}" if column else ""
        return f"{self.source}, {self.unit} {self.lines[row]}{name}"

    def take(self, rows: Iterable[int]) -> Table:
        """The same table with only these rows, in this order."""
        chosen = list(rows)
        columns = {name: [cells[row] for row in chosen] for name, cells in self.columns.items()}
        return Table(columns, [self.lines[row] for row in chosen], self.source, self.found, self.unit)


def from_memory(source: Any) -> Table:
    """A DataFrame, mapping of columns, (X, y) arrays or list of row mappings as a table."""
    if _is_frame(source):
        return from_frame(source, "the DataFrame", {})
    if isinstance(source, Mapping):
        return _from_columns(list(source.items()), "the data")
    if isinstance(source, Sequence) and source and all(isinstance(row, Mapping) for row in source):
        for number, row in enumerate(source, 1):
            if row.keys() != source[0].keys():
                raise InputError(
                    f"the data, row {number}: its columns differ from the first row's",
                    f"数据第 {number} 行：各列与第一行不同",
                )
        return _from_columns([(name, [row[name] for row in source]) for name in source[0]], "the data")
    if isinstance(source, tuple) and len(source) == 2:
        return _from_arrays(*source)
    raise InputError(
        f"data must be a file, sample:NAME, DataFrame, columns, rows or (X, y), not {type(source).__name__}",
        f"data 须为文件、sample:名称、DataFrame、各列、各行或 (X, y)，而不是 {type(source).__name__}",
    )


def _is_frame(source: Any) -> bool:
    return hasattr(source, "columns") and hasattr(source, "isna")  # a DataFrame, without importing pandas


def from_frame(frame: Any, source: str, found: dict[str, Any]) -> Table:
    """A DataFrame as a table."""
    columns = [(name, frame.iloc[:, place]) for place, name in enumerate(frame.columns)]
    return _from_columns(columns, source, found)


def _from_arrays(features: Any, target: Any) -> Table:
    """scikit-learn's (X, y): columns x (or x1, x2 …, or a frame's own) and y; of texts: text and label."""
    target = target.ravel() if isinstance(target, np.ndarray) else target
    if _is_frame(features):
        columns = [(name, features.iloc[:, place]) for place, name in enumerate(features.columns)]
        return _from_columns([*columns, (getattr(target, "name", None) or "y", target)], "(X, y)")
    rows = list(features)
    if rows and isinstance(rows[0], str):
        return _from_columns([("text", rows), ("label", target)], "(X, y)")
    rows = [list(row) if hasattr(row, "__len__") else [row] for row in rows]
    width = len(rows[0]) if rows else 0
    if len(rows) != len(target) or any(len(row) != width for row in rows):
        raise InputError(
            f"X has {len(rows)} rows of {width} columns and y has {len(target)} values",
            f"X 有 {len(rows)} 行、每行 {width} 列，而 y 有 {len(target)} 个值",
        )
    names = ["x"] if width == 1 else [f"x{number}" for number in range(1, width + 1)]
    columns = [(name, [row[place] for row in rows]) for place, name in enumerate(names)]
    return _from_columns([*columns, ("y", target)], "(X, y)")


def _from_columns(named: Sequence[tuple[Any, Any]], source: str, found: dict[str, Any] | None = None) -> Table:
    names = [str(name) for name, _ in named]
    check_names(names, source)
    columns = {}
    for name, (_, values) in zip(names, named, strict=True):
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise InputError(
                f"{source}, column {name!r}: {values!r} is one value; a column is a list of them",
                f"{source}，列 {name!r}：{values!r} 是单个值；一列应为多个值的列表",
            )
        columns[name] = cells(values)
    lengths = {name: len(cells) for name, cells in columns.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(
            f"{source}: columns differ in length: {', '.join(f'{name} {n}' for name, n in lengths.items())}",
            f"{source}：各列长度不同：{'、'.join(f'{name} {n}' for name, n in lengths.items())}",
        )
    return of_columns(columns, source, found)


def of_columns(columns: dict[str, list[Any]], source: str, found: dict[str, Any] | None = None) -> Table:
    """Columns of plain cells as a table whose rows are counted from 1."""
    count = len(next(iter(columns.values()), []))
    return Table(columns, range(1, 1 + count), source, found or {})


def check_names(names: Sequence[str], place: str) -> None:
    """Raise InputError where two columns have one name."""
    seen = set()
    for name in names:
        if name in seen:
            raise InputError(
                f"{place}: two columns are named {name!r}; rename one", f"{place}：有两列都叫 {name!r}；请改名"
            )
        seen.add(name)


def cells(values: Iterable[Any]) -> list[Any]:
    """A frame's or array's column as plain Python values; what is missing is None."""
    if hasattr(values, "isna"):
        cells = [None if gone else _cell(value) for value, gone in zip(values, values.isna(), strict=True)]
    else:
        cells = [_cell(value) for value in values]
    # A missing value turns pandas' whole numbers into floats; labels must not become "1.0".
    if all(cell is None or (isinstance(cell, float) and cell.is_integer()) for cell in cells):
        cells = [None if cell is None else int(cell) for cell in cells]
    return cells


def is_blank(cell: Any) -> bool:
    """Whether nothing is in it, or white space only."""
    return cell is None or not str(cell).strip()


def _cell(value: Any) -> Any:
    if getattr(value, "ndim", 0):
        raise InputError(
            f"a cell holds an array of shape {value.shape}; a cell is one value",
            f"单元格中是形状为 {value.shape} 的数组；一个单元格只能是一个值",
        )
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and value != value:
        return None
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
