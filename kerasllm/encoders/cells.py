"""One cell of a user's table: is it missing, a number, a date, a category's name?"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from kerasllm.errors import InputError, did_you_mean

MISSING = {"", "na", "n/a", "nan", "null", "none", "<na>", "#n/a", "-", "缺失"}
ISO = "ISO 8601"  # with a fraction of a second, or a time zone; what it is without them has a layout of its own
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The month stands before the day where every row leaves both open.
DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M",
    "%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y%m%dT%H%M%S",
    "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M", "%d.%m.%Y %H:%M",
    "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%m/%d/%Y %I:%M %p", "%m/%d/%Y %I:%M:%S %p", ISO,
)  # fmt: skip


def is_missing(cell: Any) -> bool:
    """Whether a cell holds no value: empty, NaN, or a word such as NA or null."""
    if isinstance(cell, str):
        return cell.strip().lower() in MISSING
    try:
        return cell is None or bool(cell != cell)  # NaN, NaT
    except TypeError:  # pandas.NA, which is unequal to nothing
        return True


# -$1,234.50, ¥3,000, 12%, 5元: after NFKC, which makes full-width signs plain ones.
WRITTEN = re.compile(r"\s*([-+]?)\s*[$¥€£]?\s*((?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+)\s*[%元]?\s*", re.ASCII)


def number(cell: Any) -> float | None:
    """A cell as a finite number, or None; full-width digits, a currency's sign, thousands' commas and % may be in it.

    12% is 12: a column's unit is its own.
    """
    if isinstance(cell, str):
        if "_" in cell:  # Python's 1_000; in a file it is a code
            return None
        cell = cell if cell.isascii() else unicodedata.normalize("NFKC", cell)
    try:
        value = float(cell)
    except (TypeError, OverflowError):
        return None
    except ValueError:
        written = WRITTEN.fullmatch(cell)
        if not written:
            return None
        value = float("".join(written.groups()).replace(",", ""))
    return value if math.isfinite(value) else None


def written_number(cells: Iterable[Any]) -> str:
    """The first cell that is a number only without its signs, or ""."""
    for cell in cells:
        if isinstance(cell, str) and number(cell) is not None:
            try:
                float(cell)
            except ValueError:
                return cell
    return ""


def day(cell: Any, layout: str) -> float | None:
    """A date as days since 1970-01-01, or None where it is no date and does not follow `layout`.

    Where a time zone is named, since that day began in Greenwich.
    """
    if is_missing(cell):
        return None
    try:
        moment = cell if isinstance(cell, datetime) else _moment(str(cell).strip(), layout)
    except ValueError:
        return None
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH).total_seconds() / 86400


def _moment(text: str, layout: str) -> datetime:
    return datetime.fromisoformat(text) if layout == ISO else datetime.strptime(text, layout)


WHOLE = re.compile(r"([-+]?\d+)\.0+", re.ASCII)  # as pandas writes whole numbers with gaps between them


def category(cell: Any) -> str:
    """A cell as a category's name; 1, 1.0, "1" and "1.0" are one category, and so are True, "true" and "TRUE"."""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)  # 1e+16 is 10000000000000000
    name = unicodedata.normalize("NFKC", str(cell)).strip()
    if name.lower() in ("true", "false"):
        return name.lower()
    whole = WHOLE.fullmatch(name)
    return whole[1] if whole else name


def is_row(given: Any) -> bool:
    """Whether it is one row: a text, a number, or a mapping of plain cells."""
    return any(map(_is_cell, given.values() if isinstance(given, Mapping) else [given]))


def pick(column: str, given: Any, row: int = 0) -> Any:
    """What a row, columns or a DataFrame hold under a column's name; InputError where they lack it."""
    if column not in given:
        raise InputError(
            f"{f'row {row} has ' if row else ''}no column {column!r}{did_you_mean(column, map(str, given))}",
            f"{f'第 {row} 行' if row else ''}没有 {column!r} 这一列{did_you_mean(column, map(str, given), 'zh')}",
        )
    return given[column]


def texts(given: Any, column: str) -> list[str]:
    """A text, texts, a DataFrame or columns with the text's `column`, or mappings -> texts."""
    if is_row(given):
        given = [given]
    elif hasattr(given, "columns") or isinstance(given, Mapping):
        given = list(pick(column, given))
    found: list[str] = []
    for place, row in enumerate(given, 1):
        text = pick(column, row, place) if isinstance(row, Mapping) else row
        if not isinstance(text, str):
            raise InputError(f"row {place}: {text!r} is no text", f"第 {place} 行：{text!r} 不是文本")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InputError(
                f"row {place}: {text!r} holds half a character (a lone surrogate)",
                f"第 {place} 行：{text!r} 含有半个字符（单独的代理项）",
            ) from None
        found.append(text)
    return found


def _is_cell(value: Any) -> bool:
    return isinstance(value, str) or not hasattr(value, "__iter__") or getattr(value, "ndim", 1) == 0
