"""A user's file -> Table, or what stands in for one.

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
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

from kerasllm.data.encoding import encoding_of
from kerasllm.data.memory import Table, check_names, from_frame, from_memory, of_columns
from kerasllm.data.samples import sample
from kerasllm.errors import InputError, may_read, nearest, needs

DELIMITERS = ",\t;|"
PARQUET = (".parquet", ".pq")
LONGEST = 1 << 24  # characters in a cell: a whole document, but not the rest of a file after a lost quote


def read(source: Any) -> Table:
    """Read a path, `sample:NAME`, DataFrame, mapping of columns, (X, y) arrays or list of row mappings."""
    if isinstance(source, Table):
        return source
    if isinstance(source, str) and source.startswith("sample:"):
        return of_columns(sample(source.removeprefix("sample:")), source)
    table = _from_path(Path(source)) if isinstance(source, (str, Path)) else from_memory(source)
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


def nearest_beside(path: Path, language: str = "en", is_wanted: Callable[[Path], bool] = Path.is_file) -> str:
    """`"; did you mean 'x'?"` for what lies beside a missing path, or "" where nothing is near."""
    names: list[str] = []
    with suppress(PermissionError):  # hints are no must
        names = [one.name for one in path.parent.iterdir() if is_wanted(one)] if path.parent.is_dir() else []
    return nearest(path.name, names, language) if len(names) < 1000 else ""


def no_file(path: Path) -> InputError:
    """The error that names a missing file and the nearest."""
    return InputError(f"no file {path}{nearest_beside(path)}", f"没有文件 {path}{nearest_beside(path, 'zh')}")


def existing(path: Path) -> Path:
    """The same path; a folder, or one where nothing is, raises InputError."""
    with may_read():
        if path.is_dir():
            raise InputError(f"{path} is a folder, not a file", f"{path} 是文件夹，不是文件")
        if not path.exists():
            raise no_file(path)
        if not path.is_file():  # a pipe, which can be read but once
            raise InputError(f"{path} is no ordinary file; save it as one", f"{path} 不是普通文件；请先保存为文件")
    check_name(path)
    return path


def check_name(path: Path) -> None:
    """Raise InputError for a name that is not UTF-8, as a Windows zip may leave: nothing can write it down."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        name = ascii(path.name)
        raise InputError(
            f"{name} is a name that is not UTF-8; rename it", f"{name} 不是 UTF-8 的名称；请重命名"
        ) from None


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
    return from_frame(frame, path.name, {"encoding": "parquet"})


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
    check_names(names, f"{path.name}, line {line}")
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
