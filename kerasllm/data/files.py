"""A user's file, frame or arrays -> Table: named columns of raw cells, each row with its line number.

CSV is read with the standard library: every mistake gets its line, nothing is guessed silently (the encoding and
the delimiter are recorded), and the file is streamed, so that memory holds the cells and never the file twice.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kerasllm.data.samples import sample
from kerasllm.errors import InputError, did_you_mean, needs

SNIFFED = 1 << 16  # bytes looked at to tell UTF-16 without a mark
DELIMITERS = ",\t;|"


@dataclass(frozen=True)
class Table:
    """Columns of raw cells (str, int, float, bool or None), all of one length, and where they came from."""

    columns: dict[str, list[Any]]
    lines: Sequence[int]  # the line each row starts on; for frames and arrays its position, from 1
    source: str
    found: dict[str, Any] = field(default_factory=dict)  # encoding, delimiter: for the data card

    def __len__(self) -> int:
        return len(self.lines)

    def column(self, name: str) -> list[Any]:
        """The cells of one column; an unknown name raises InputError with the nearest one."""
        if name not in self.columns:
            raise InputError(f"{self.source}: no column {name!r}{did_you_mean(name, self.columns)}")
        return self.columns[name]

    def place(self, row: int, column: str = "") -> str:
        """Where a cell stands, for an error: `reviews.csv, line 7, column 'stars'`."""
        name = f", column {column!r}" if column else ""
        return f"{self.source}, line {self.lines[row]}{name}"

    def take(self, rows: Iterable[int]) -> Table:
        """The same table with only these rows, in this order."""
        chosen = list(rows)
        columns = {name: [cells[row] for row in chosen] for name, cells in self.columns.items()}
        return Table(columns, [self.lines[row] for row in chosen], self.source, self.found)


def read(source: Any) -> Table:
    """Read a path, `sample:NAME`, DataFrame, mapping of columns, (X, y) arrays or a sequence of row mappings."""
    if isinstance(source, Table):
        return source
    if isinstance(source, str) and source.startswith("sample:"):
        columns = sample(source.removeprefix("sample:"))
        return Table(columns, range(1, 1 + len(next(iter(columns.values())))), source)
    table = _from_path(Path(source)) if isinstance(source, (str, Path)) else _from_memory(source)
    if not table.columns:
        raise InputError(f"{table.source}: no columns")
    if not len(table):
        raise InputError(f"{table.source}: no rows")
    return table


def fingerprint(source: Any) -> str:
    """SHA-256 of a file's bytes, or of the cells of what is no file."""
    digest = hashlib.sha256()
    if isinstance(source, (str, Path)) and not str(source).startswith("sample:"):
        with _existing(Path(source)).open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    else:
        for name, cells in read(source).columns.items():
            digest.update(json.dumps([name, cells], default=str).encode())
    return digest.hexdigest()


def _existing(path: Path) -> Path:
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a file")
    if not path.exists():
        folder = path.parent
        names = [file.name for file in folder.iterdir() if file.is_file()] if folder.is_dir() else []
        near = did_you_mean(path.name, names) if len(names) < 1000 else ""
        raise InputError(f"no file {path}{near if 'did you mean' in near else ''}")
    return path


def _from_path(path: Path) -> Table:
    _existing(path)
    if path.suffix.lower() in (".parquet", ".pq"):
        with needs("train"):
            import pandas as pd
            import pyarrow

            try:
                frame = pd.read_parquet(path)
            except (pyarrow.ArrowInvalid, OSError) as error:
                raise InputError(f"{path.name}: no readable Parquet file: {error}") from error
        table = _from_memory(frame)
        return Table(table.columns, table.lines, path.name, {"encoding": "parquet"})
    try:
        return _from_csv(path)
    except (gzip.BadGzipFile, EOFError) as error:
        raise InputError(f"{path.name}: no readable gzip file: {error}") from error


def _open(path: Path) -> io.BufferedIOBase:
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


def _encoding(path: Path) -> str:
    """Tell the encoding: by its mark, by its zero bytes, else the first of UTF-8 and GB18030 that decodes it all."""
    with _open(path) as file:
        start = file.read(SNIFFED)
    if not start:
        raise InputError(f"{path.name} is empty")
    if start.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    # In UTF-16 the zero bytes of Latin letters and line ends stand on one side only.
    even, odd = start[::2].count(0), start[1::2].count(0)
    if even + odd > len(start) // 50 and (even == 0 or odd == 0):
        return "utf-16-le" if even == 0 else "utf-16-be"
    failures = []
    for encoding in ("utf-8", "gb18030"):  # GB18030 holds all of GBK and GB2312
        try:
            with _open(path) as file:
                for _ in io.TextIOWrapper(file, encoding, newline=""):
                    pass
            return encoding
        except UnicodeDecodeError as error:
            failures.append(f"{encoding}: {error.reason}")
    raise InputError(f"{path.name}: neither UTF-8, UTF-16 nor GB18030 ({'; '.join(failures)}); save it as UTF-8")


def _lines(path: Path, encoding: str) -> Iterator[str]:
    with io.TextIOWrapper(_open(path), encoding, newline="") as text:
        for number, line in enumerate(text, 1):
            if "\0" in line:
                raise InputError(f"{path.name}, line {number}: a NUL byte; the file is damaged or no text")
            yield line


def _from_csv(path: Path) -> Table:
    encoding = _encoding(path)
    first = next((line for line in _lines(path, encoding) if line.strip()), "")
    delimiter = max(DELIMITERS, key=first.count) if any(map(first.count, DELIMITERS)) else ","
    csv.field_size_limit(1 << 28)  # a cell may be a whole document
    reader = csv.reader(_lines(path, encoding), delimiter=delimiter, strict=True)
    rows = _rows(reader, path.name)
    _, header = next(rows, (0, []))
    names = [name.strip() for name in header]
    if not names:
        raise InputError(f"{path.name} is empty")
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{path.name}, line 1: two columns are named {name!r}")
    cells: list[list[str]] = [[] for _ in names]
    starts: list[int] = []
    for line, row in rows:
        if len(row) != len(names):
            raise InputError(
                f"{path.name}, line {line}: {len(row)} cells where the header has {len(names)}; "
                "put cells that hold the delimiter in quotes"
            )
        starts.append(line)
        for column, cell in zip(cells, row, strict=True):
            column.append(cell)
    if not starts:
        raise InputError(f"{path.name} has a header and no rows")
    names = [name or f"column {number}" for number, name in enumerate(names, 1)]
    found = {"encoding": encoding, "delimiter": delimiter}
    return Table(dict(zip(names, cells, strict=True)), starts, path.name, found)


def _rows(reader: Any, source: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with the line it starts on (quoted cells span lines)."""
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InputError(f"{source}, line {line}: {error}; a quote is not closed, or stands inside a cell") from error
        if row and (len(row) > 1 or row[0].strip()):
            yield line, row


def _from_memory(source: Any) -> Table:
    if isinstance(source, tuple) and len(source) == 2:
        return _from_arrays(*source)
    if hasattr(source, "columns") and hasattr(source, "isna"):  # a DataFrame, without importing pandas
        missing = source.isna()
        columns = {}
        for name in source.columns:
            cells = [None if gone else _cell(cell) for cell, gone in zip(source[name], missing[name], strict=True)]
            # A missing value turns pandas' whole numbers into floats; labels must not become "1.0".
            if all(cell is None or (isinstance(cell, float) and cell.is_integer()) for cell in cells):
                cells = [None if cell is None else int(cell) for cell in cells]
            columns[str(name)] = cells
        return Table(columns, range(1, len(source) + 1), "the DataFrame")
    if isinstance(source, Mapping):
        columns = {str(name): [_cell(cell) for cell in cells] for name, cells in source.items()}
        if len({len(cells) for cells in columns.values()}) > 1:
            raise InputError(f"columns differ in length: { {name: len(cells) for name, cells in columns.items()} }")
        return Table(columns, range(1, 1 + len(next(iter(columns.values()), []))), "the data")
    if isinstance(source, Sequence) and source and all(isinstance(row, Mapping) for row in source):
        for number, row in enumerate(source, 1):
            if row.keys() != source[0].keys():
                raise InputError(f"the data, row {number}: its columns differ from the first row's")
        columns = {str(name): [_cell(row[name]) for row in source] for name in source[0]}
        return Table(columns, range(1, len(source) + 1), "the data")
    raise InputError(f"data must be a file, sample:NAME, DataFrame, columns, rows or (X, y), not {type(source).__name__}")


def _from_arrays(features: Any, target: Any) -> Table:
    """scikit-learn's (X, y): columns x (or x1, x2 …) and y; texts and labels become columns text and label."""
    target = list(target)
    if len(features) and isinstance(features[0], str):
        return _from_memory({"text": features, "label": target})
    rows = [list(row) if hasattr(row, "__len__") else [row] for row in features]
    width = len(rows[0]) if rows else 0
    names = ["x"] if width == 1 else [f"x{number}" for number in range(1, width + 1)]
    if len(rows) != len(target) or any(len(row) != width for row in rows):
        raise InputError(f"X has {len(rows)} rows of {width} columns and y has {len(target)} values")
    return _from_memory({**{name: [row[i] for row in rows] for i, name in enumerate(names)}, "y": target})


def _cell(value: Any) -> Any:
    """A frame's or array's cell as a plain Python value."""
    value = value.item() if hasattr(value, "item") else value
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
