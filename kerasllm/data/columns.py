"""The columns of a table: what kind each is, what the training rows teach of it, and what a model cannot use."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from kerasllm.data.memory import Table
from kerasllm.data.notes import Notes
from kerasllm.encoders import Column
from kerasllm.encoders.cells import DATES, category, day, is_missing, number, written_number
from kerasllm.encoders.table import LARGEST
from kerasllm.errors import InputError, did_you_mean

# A name that says "I only tell rows apart": id, user_id, customerID, 编号 …
IDENTIFIER = re.compile(r"^(?i:id|uuid|guid|index|unnamed: ?0)$|(?i:[_ -]id)$|(?<![A-Z])I[Dd]$|(编号|序号|单号|号码)$")
TEXTS = "texts or an identifier"
MOST_OFFSET = 1e5  # of a column's mean to its deviation
MOST_CATEGORIES = 100  # in a column; the rarer ones share the place of the unseen
STRAY = 0.05  # share of a numeric column's cells that may be no numbers, and then count as missing


def forced_kinds(table: Table, target: str, **lists: str) -> dict[str, str]:
    """The columns named in numeric, categorical and drop, each with that word."""
    forced: dict[str, str] = {}
    for kind, names in lists.items():
        for name in filter(None, (name.strip() for name in names.split(","))):
            if name not in table.columns:
                raise InputError(
                    f"{kind}: {table.source} has no column {name!r}{did_you_mean(name, table.columns)}",
                    f"{kind}：{table.source} 没有 {name!r} 这一列{did_you_mean(name, table.columns, 'zh')}",
                )
            if name == target:
                raise InputError(f"{kind}: {name!r} is the target", f"{kind}：{name!r} 是要预测的列")
            if name in forced:
                raise InputError(
                    f"{name!r} is named in both {forced[name]} and {kind}",
                    f"{name!r} 同时写在 {forced[name]} 与 {kind} 中",
                )
            forced[name] = kind
    return forced


def infer(table: Table, target: str, forced: dict[str, str], notes: Notes) -> tuple[list[Column], list[dict[str, Any]]]:
    """Tell each column's kind from its cells -> the usable columns (nothing learned yet), a report of all."""
    columns, report = [], []
    for name, cells in table.columns.items():
        present = [cell for cell in cells if not is_missing(cell)]
        distinct, missing = len(set(present)), len(cells) - len(present)
        if name == target:
            column, kind, note = None, "target", notes.say(*_reading(present))
        else:
            column, note = _column(table, name, present, forced.get(name, ""), notes)
            kind = column.kind if column else "dropped"
        report.append({"name": name, "distinct": distinct, "missing": missing, "kind": kind, "note": note})
        if column:
            columns.append(column)
    return columns, report


def learned(
    train: Mapping[str, Sequence[Any]],
    columns: Sequence[Column],
    report: list[dict[str, Any]],
    source: str,
    notes: Notes,
) -> list[Column]:
    """The columns with what the training rows teach, means and categories; the useless ones are reported."""
    learned = []
    for column in columns:
        cells = train[column.name]
        if column.kind == "category":
            counts = Counter(category(cell) for cell in cells if not is_missing(cell))
            often = sorted(counts, key=lambda name: (-counts[name], name))[:MOST_CATEGORIES]
            blank = [""] if counts.total() < len(cells) else []
            values: set[Any] = {*blank, *often}
            full = replace(column, categories=(*blank, *sorted(often)))
        else:
            read_cell = number if column.kind == "number" else partial(day, layout=column.layout)
            numbers = [value for value in map(read_cell, cells) if value is not None]
            values = set(numbers)
            if numbers:
                check_32_bits(numbers, f"{source}, column {column.name!r}")
            full = replace(column, fill=float(np.mean(numbers)) if numbers else 0.0)
        if len(values) > 1:
            learned.append(full)
        else:
            entry = next(entry for entry in report if entry["name"] == column.name)
            entry.update(kind="dropped", note=notes.say("one value only in the training rows", "训练的行中只有一种值"))
    return learned


def check_32_bits(values: Sequence[float], place: str) -> None:
    """Refuse numbers whose differences drown: the network counts in 24 binary digits."""
    if np.std(values) and abs(np.mean(values)) / np.std(values) > MOST_OFFSET:
        raise InputError(
            f"{place}: its values differ by {np.std(values):.3g} around {np.mean(values):.6g}, too little for 32-bit "
            "arithmetic; subtract a constant from it, or leave the column out (drop)",
            f"{place}：各值在 {np.mean(values):.6g} 附近只相差 {np.std(values):.3g}，32 位运算无法分辨；"
            "请从中减去一个常数，或不用这一列（drop）",
        )
    if np.abs(values).max() > LARGEST:
        raise InputError(
            f"{place}: {np.abs(values).max():.3g} is too large for 32-bit arithmetic; use a larger unit",
            f"{place}：{np.abs(values).max():.3g} 超出 32 位运算的范围；请改用更大的单位",
        )


def checked(table: Table, columns: Sequence[Column]) -> dict[str, list[Any]]:
    """The table's columns, after every cell of the columns that a model uses was checked, with its line."""
    for column in columns:
        cells = table.column(column.name)
        for row, cell in enumerate(cells if column.kind != "category" else ()):
            try:
                column.read(cell)
            except InputError as error:
                raise InputError(
                    f"{table.place(row, column.name)}: {error}", f"{table.place(row, column.name, 'zh')}：{error.zh}"
                ) from None
    return table.columns


def strays_noted(table: Table, columns: Sequence[Column], notes: Notes, where: tuple[str, str]) -> Table:
    """A validation or test file by the training file's rule: few cells that are no numbers count as missing."""
    few = []
    for column in columns:
        if column.kind == "number":
            cells = table.column(column.name)
            strays = sum(not is_missing(cell) and number(cell) is None for cell in cells)
            if 0 < strays <= STRAY * len(cells):
                few.append(column)
                notes.warn(
                    f"{_stray(table, column.name)}; {strays} such cells{where[0]} count as missing",
                    f"{_stray(table, column.name, 'zh')}；{strays} 个这样的单元格视为缺失{where[1]}",
                )
    return without_strays(table, few)


def without_strays(table: Table, columns: Sequence[Column]) -> Table:
    """The same table; what is no number in a numeric column is missing."""
    clean = dict(table.columns)
    for column in columns:
        if column.kind == "number":
            clean[column.name] = [None if number(cell) is None else cell for cell in clean[column.name]]
    return replace(table, columns=clean)


def _column(table: Table, name: str, present: list[Any], forced: str, notes: Notes) -> tuple[Column | None, str]:
    if forced == "drop":
        return None, notes.say("left out as asked", "按要求略去")
    if not present:
        return None, notes.say("no value in any row", "没有一行有值")
    distinct = len(set(present))
    numbers = sum(number(cell) is not None and not isinstance(cell, bool) for cell in present)
    strays = len(present) - numbers
    # A word or nothing, such as "yes" and "", tells two sorts of rows apart.
    if distinct < 2 and (len(present) == len(table) or not strays):
        return None, notes.say("one value only", "只有一种值")
    if not forced and distinct > 0.9 * len(present) and IDENTIFIER.search(name):
        return None, notes.say(
            "an identifier: it only tells rows apart (name it in `numeric` to use it)",
            "编号：只用来区分各行（要使用它，请写入 `numeric`）",
        )
    if forced == "numeric" and strays:
        raise InputError(_stray(table, name), _stray(table, name, "zh"))
    if forced != "categorical" and strays <= STRAY * len(present):
        said, zh = ([words] for words in _reading(present))
        if strays:
            said.append(f"{strays} cells that are no numbers count as missing")
            zh.append(f"{strays} 个不是数字的单元格视为缺失")
            notes.warn(
                f"{_stray(table, name)}; {said[1]} (or name the column in `categorical`)",
                f"{_stray(table, name, 'zh')}；{zh[1]}（或把这一列写入 `categorical`）",
            )
        return Column(name, "number"), notes.say("; ".join(filter(None, said)), "；".join(filter(None, zh)))
    if not forced:
        for layout in DATES:
            if all(day(cell, layout) is not None for cell in present):
                note = notes.say(
                    f"a date ({layout}), as days since 1970", f"日期（{layout}），换算为 1970 年以来的天数"
                )
                return Column(name, "date", layout=layout), note
    counts = len({category(cell) for cell in present})
    if not forced and counts > 20 and counts > 0.5 * len(present):
        return None, notes.say(f"{TEXTS}: most rows have a value of their own", "文本或编号：多数行的值各不相同")
    if counts <= MOST_CATEGORIES:
        return Column(name, "category"), ""
    note = notes.say(f"the {MOST_CATEGORIES} most frequent of {counts}", f"{counts} 种中最常见的 {MOST_CATEGORIES} 种")
    return Column(name, "category"), note


def _reading(cells: list[Any]) -> tuple[str, str]:
    """What the card says of numbers that are written with signs, in English and Chinese."""
    example = written_number(cells)
    if not example:
        return "", ""
    value = f"{number(example):.12g}"
    return f"cells such as {example!r} are read as {value}", f"{example!r} 这样的单元格读作 {value}"


def _stray(table: Table, name: str, language: str = "en") -> str:
    """The first cell of a column that is neither missing nor a number, with its place."""
    cells = table.columns[name]
    row = next(row for row, cell in enumerate(cells) if not is_missing(cell) and number(cell) is None)
    if language == "zh":
        return f"{table.place(row, name, 'zh')}：{cells[row]!r} 不是数字"
    return f"{table.place(row, name)}: {cells[row]!r} is not a number"
