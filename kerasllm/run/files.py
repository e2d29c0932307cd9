"""Files that a reader never sees half written, and that a kill never tears."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

TEMPORARY = ".new-"  # prefix of what is being written


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; when the block ends well it is flushed and takes `path`'s place."""
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{path.name}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def replace(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Replace `path` by what `write` writes into an open binary file."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        write(file)


def replace_json(path: Path, content: Any) -> None:
    """Replace `path` by JSON; NaN and infinities, which JSON lacks, become null."""
    text = json.dumps(finite(content), ensure_ascii=False, indent=1)
    replace_text(path, text)


def replace_text(path: Path, text: str) -> None:
    """Replace `path` by UTF-8 text."""
    replace(path, lambda file: file.write(text.encode()))


def read_json(path: Path) -> Any:
    """The content of a JSON file, or None where there is none yet."""
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None


def append_line(path: Path, content: Any) -> None:
    """Append one line of JSON in one write; a torn tail that a kill left is cut off first."""
    line = json.dumps(finite(content), ensure_ascii=False) + "\n"
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read() != b"\n":
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
        file.write(line.encode())


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a JSON-lines file; a torn tail (its writer was killed) is left out."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in content[: content.rfind(b"\n") + 1].splitlines()]


def cut_lines(path: Path, keep: Callable[[dict[str, Any]], bool]) -> None:
    """Keep only the lines that `keep` accepts."""
    lines = [line for line in read_lines(path) if keep(line)]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    replace_text(path, text)


def clean(folder: Path) -> None:
    """Remove what a killed writer left half written."""
    for file in folder.rglob(f"{TEMPORARY}*"):
        file.unlink()


def finite(content: Any) -> Any:
    """The same content with null for NaN and infinities."""
    if isinstance(content, dict):
        return {name: finite(value) for name, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def changed(path: Path) -> int:
    """When a file was last written, in nanoseconds; 0 where there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
