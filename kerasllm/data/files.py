"""A user's file, frame or arrays -> Table: named columns of raw cells, each row with its line number.

CSV is read with the standard library: every mistake gets its line, nothing is guessed silently (encoding and
delimiter are recorded), and the file is streamed, so that memory holds the cells and never the file twice.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from kerasllm.data.encoding import encoding_of
from kerasllm.data.samples import sample
from kerasllm.errors import InputError, did_you_mean, may_read, needs

DELIMITERS = ",\t;|"
PARQUET = (".parquet", ".pq")
LONGEST = 1 << 24  # characters in a cell: a whole document, but not the rest of a file after a lost quote


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


def read(source: Any) -> Table:
    """Read a path, `sample:NAME`, DataFrame, mapping of columns, (X, y) arrays or list of row mappings."""
    if isinstance(source, Table):
        return source
    if isinstance(source, str) and source.startswith("sample:"):
        return _table(sample(source.removeprefix("sample:")), source)
    table = _from_path(Path(source)) if isinstance(source, (str, Path)) else _from_memory(source)
    if not table.columns:
        raise InputError(f"{table.source}: no columns", f"{table.source}：没有列")
    if not len(table):
        raise InputError(f"{table.source}: no rows", f"{table.source}：没有行")
    return table


def head(source: str, rows: int = 200) -> dict[str, list[Any]]:
    """The first cells of each column of a file or `sample:NAME`; of a CSV file no more rows are read."""
    path = Path(source)
    if source.startswith("sample:") or path.suffix.lower() in PARQUET:
        return {name: cells[:rows] for name, cells in read(source).columns.items()}
    names, lines, _ = _csv(existing(path))
    first = [row for _, row in islice(lines, rows)]
    return {name: [row[place] for row in first if place < len(row)] for place, name in enumerate(names)}


def read_text(path: Path) -> tuple[str, str]:
    """A plain text file, and the encoding it was found in; lines end with \\n, whatever ended them."""
    existing(path)
    encoding = encoding_of(lambda: _opened(path, unzip=_is_gzip(path)), path.name)
    text = "".join(_lines(path, encoding)).removeprefix("\ufeff")
    return text.replace("\r\n", "\n").replace("\r", "\n"), encoding


def first_lines(path: Path, count: int) -> list[str]:
    """The first lines of a plain text file, without what ends them."""
    encoding = encoding_of(lambda: _opened(path, unzip=_is_gzip(path)), path.name)
    return [line.removeprefix("\ufeff").rstrip("\r\n") for line in islice(_lines(path, encoding), count)]


def fingerprint(source: Any) -> str:
    """SHA-256 of a file's bytes, or of the cells of what is no file; a folder raises InputError."""
    digest = hashlib.sha256()
    if isinstance(source, (str, Path)) and not str(source).startswith("sample:"):
        with _opened(existing(Path(source))) as file:
            while block := file.read(1 << 20):
                digest.update(block)
    else:
        for name, cells in read(source).columns.items():
            digest.update(json.dumps([name, cells], default=str).encode())
    return digest.hexdigest()


def folder_fingerprint(folder: Path) -> str:
    """SHA-256 of the names and bytes of a folder's files."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()} {fingerprint(path)}\n".encode())
    return digest.hexdigest()


def nearest_file(path: Path, language: str = "en") -> str:
    """`"; did you mean 'x'?"` for a file beside a missing one, or "" where none is near."""
    names: list[str] = []
    with suppress(PermissionError):  # hints are no must
        names = [file.name for file in path.parent.iterdir() if file.is_file()] if path.parent.is_dir() else []
    hint = did_you_mean(path.name, names, language) if len(names) < 1000 else ""
    return hint if hint.startswith(("; did you mean", "；是否指")) else ""


def no_file(path: Path) -> InputError:
    """The error that names a missing file and the nearest."""
    return InputError(f"no file {path}{nearest_file(path)}", f"没有文件 {path}{nearest_file(path, 'zh')}")


def existing(path: Path) -> Path:
    """The same path; a folder, or one where nothing is, raises InputError."""
    with may_read():
        if path.is_dir():
            raise InputError(f"{path} is a folder, not a file", f"{path} 是文件夹，不是文件")
        if not path.exists():
            raise no_file(path)
    return path


@contextmanager
def _opened(path: Path, *, unzip: bool = False) -> Iterator[IO[bytes]]:
    """The file's bytes; what the system refuses or gzip cannot unpack raises InputError."""
    try:
        with gzip.open(path, "rb") if unzip else path.open("rb") as file:
            yield cast(IO[bytes], file)
    except PermissionError:
        raise InputError(
            f"{path} may not be read; is it open in another program?", f"无法读取 {path}；是否已在别的程序中打开？"
        ) from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path.name}: no readable gzip file: {error}", f"{path.name}：无法解压：{error}") from error


def _from_path(path: Path) -> Table:
    existing(path)
    if path.suffix.lower() not in PARQUET:
        return _from_csv(path)
    with needs("train"):
        import pandas as pd
        import pyarrow
    try:
        frame = pd.read_parquet(path)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise InputError(
            f"{path.name}: no readable Parquet file: {str(error).splitlines()[0]}",
            f"{path.name}：不是可读的 Parquet 文件：{str(error).splitlines()[0]}",
        ) from error
    return _from_frame(frame, path.name, {"encoding": "parquet"})


def _csv(path: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]], dict[str, str]]:
    """A CSV file's names, its rows with the line each starts on, and how it is written."""
    encoding = encoding_of(lambda: _opened(path, unzip=_is_gzip(path)), path.name)
    delimiter = _delimiter(path, encoding)
    reader = csv.reader(_lines(path, encoding), delimiter=delimiter, strict=True)
    rows = _rows(reader, path.name)
    line, header = next(rows, (0, []))
    if not header:
        raise InputError(f"{path.name} is empty", f"{path.name} 是空的")
    names = [name.strip() or f"column {number}" for number, name in enumerate(header, 1)]
    _check_names(names, f"{path.name}, line {line}")
    return names, rows, {"encoding": encoding, "delimiter": delimiter}


def _from_csv(path: Path) -> Table:
    names, rows, found = _csv(path)
    cells: list[list[str]] = [[] for _ in names]
    seen: list[dict[str, str]] = [{} for _ in names]
    starts = array("q")
    for line, row in rows:
        if len(row) != len(names):
            raise InputError(
                f"{path.name}, line {line}: {len(row)} cells where the header has {len(names)}; "
                "put cells that hold the delimiter in quotes",
                f"{path.name} 第 {line} 行：有 {len(row)} 个单元格，而表头有 {len(names)} 个；含分隔符的单元格请加引号",
            )
        starts.append(line)
        for column, known, cell in zip(cells, seen, row, strict=True):
            if len(known) < 1000:  # labels and categories: one string each
                known[cell] = cell
            column.append(known.get(cell, cell))
    if not starts:
        raise InputError(f"{path.name} has a header and no rows", f"{path.name} 只有表头，没有行")
    return Table(dict(zip(names, cells, strict=True)), starts, path.name, found, "line")


def _is_gzip(path: Path) -> bool:
    return path.suffix.lower() == ".gz"


def _delimiter(path: Path, encoding: str) -> str:
    """The commonest delimiter of the first line, outside of quotes."""
    first = next((line for line in _lines(path, encoding) if line.strip()), "")
    bare = re.sub(r'"[^"]*"', "", first)
    return max(DELIMITERS, key=bare.count)


def _lines(path: Path, encoding: str) -> Iterator[str]:
    number = 0
    with _opened(path, unzip=_is_gzip(path)) as file, io.TextIOWrapper(file, encoding, newline="") as text:
        try:
            for number, line in enumerate(text, 1):
                if "\0" in line:
                    raise InputError(
                        f"{path.name}, line {number}: a NUL byte; the file is damaged or no text",
                        f"{path.name} 第 {number} 行：有 NUL 字节；文件已损坏，或不是文本",
                    )
                yield line
        except UnicodeDecodeError:
            raise InputError(
                f"{path.name}, after line {number}: not {encoding} as the file's mark says; save it as UTF-8",
                f"{path.name} 第 {number} 行之后：不是文件标记所说的 {encoding}；请另存为 UTF-8",
            ) from None


def _rows(reader: Any, source: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with the line it starts on (quoted cells span lines)."""
    while True:
        line = reader.line_num + 1
        limit = csv.field_size_limit(LONGEST)  # the whole process's: it is put back
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InputError(
                f"{source}, line {line}: {error}; a quote is not closed, or stands inside a cell",
                f"{source} 第 {line} 行：{error}；引号没有闭合，或位于单元格中间",
            ) from error
        finally:
            csv.field_size_limit(limit)
        if row and (len(row) > 1 or row[0].strip()):
            yield line, row


def _from_memory(source: Any) -> Table:
    if _is_frame(source):
        return _from_frame(source, "the DataFrame", {})
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


def _from_frame(frame: Any, source: str, found: dict[str, Any]) -> Table:
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
    _check_names(names, source)
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
    return _table(columns, source, found)


def _table(columns: dict[str, list[Any]], source: str, found: dict[str, Any] | None = None) -> Table:
    count = len(next(iter(columns.values()), []))
    return Table(columns, range(1, 1 + count), source, found or {})


def _check_names(names: Sequence[str], place: str) -> None:
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
