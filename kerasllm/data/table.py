"""A table of the user's -> Data for predicting a number from the other columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasllm.data import Data, Rows
from kerasllm.data.card import Notes, describe_numbers
from kerasllm.data.files import Table, read
from kerasllm.data.splits import FEWEST, share, split
from kerasllm.encoders import DATES, Column, TableEncoder, Target, category, day, is_missing, number
from kerasllm.errors import InputError, did_you_mean

# A name that says "I only tell rows apart": id, user_id, customerID, 编号 …
IDENTIFIER = re.compile(r"^(?i:id|uuid|guid|index|unnamed: ?0|编号|序号)$|(?i:[_ -]id)$|[a-z]I[Dd]$")
MOST_CATEGORIES = 100  # in a column; the rarer ones share the place of the unseen
STRAY = 0.05  # share of a numeric column's cells that may be no numbers, and then count as missing


def read_regression(
    source: Any,
    *,
    target: str = "",
    numeric: str = "",
    categorical: str = "",
    drop: str = "",
    validation: str = "",
    test: str = "",
    seed: int = 0,
) -> Data:
    """Read a table to predict the number in `target` (default: the last column).

    `numeric`, `categorical` and `drop` name columns between commas whose kind is not to be inferred.
    `validation` and `test` are shares of the rows or files.
    """
    notes = Notes()
    table = read(source)
    target = target or list(table.columns)[-1]
    whole, truth = _with_target(table, target, notes)
    forced = _forced(whole, target, numeric=numeric, categorical=categorical, drop=drop)

    others: dict[str, tuple[Table, list[float]] | None] = {}
    shares = {}
    for name, value in (("validation", validation), ("test", test)):
        part = share(value, name)
        shares[name] = part or 0.0
        others[name] = _with_target(read(value), target, notes) if part is None else None
    groups = _row_keys(whole)
    apart = {key for other in others.values() if other for key in _row_keys(other[0])}
    kept = [row for row, key in enumerate(groups) if key not in apart]
    notes.drop("also in the validation or test file", len(whole) - len(kept))
    if len(kept) < 2:
        raise InputError(f"{table.source}: {len(kept)} rows with a number in {target!r}; at least 2 are needed")
    if len(kept) < FEWEST and any(shares.values()):
        notes.warn(f"fewer than {FEWEST} rows: all of them train, and no test is held out")
        shares = {name: 0.0 for name in shares}
    parts = split(
        [groups[row] for row in kept], [0] * len(kept), shares["validation"], shares["test"], seed
    )
    rows = {name: [kept[place] for place in places] for name, places in parts._asdict().items()}

    train = whole.take(rows["train"])
    columns, report = infer(train, target, forced, notes)
    _blank_strays(whole, columns)
    train = whole.take(rows["train"])
    if not columns:
        raise InputError(f"{table.source}: no usable column beside {target!r}: {'; '.join(_dropped(report))}")
    values = [truth[row] for row in rows["train"]]
    deviation = float(np.std(values))
    if deviation == 0:
        raise InputError(f"{table.source}, column {target!r}: every row holds {values[0]:g}; there is nothing to learn")

    def held_out(name: str) -> Rows | None:
        other = others[name]
        if other:
            return Rows(_checked(other[0], columns), other[1])
        return Rows(whole.take(rows[name]).columns, [truth[row] for row in rows[name]]) if rows[name] else None

    held = {name: held_out(name) for name in ("validation", "test")}
    counts = {"train": len(values), **{name: len(part) for name, part in held.items() if part}}
    card = {
        "source": table.source,
        "rows": len(table),
        "found": table.found,
        "columns": report,
        "target": {"name": target, **describe_numbers(truth)},
        "duplicates": len(groups) - len(set(groups)),
        "dropped": notes.dropped,
        "splits": counts,
        "warnings": notes.warnings,
    }
    return Data(
        train=Rows(train.columns, values),
        validation=held["validation"],
        test=held["test"],
        encoder=TableEncoder(columns),
        decoder=Target(target, float(np.mean(values)), deviation),
        card=card,
    )


def labelled(source: Any, encoder: TableEncoder, target: str) -> Rows:
    """New rows with their true number, to evaluate a trained model on."""
    table, truth = _with_target(read(source), target, Notes())
    return Rows(_checked(table, encoder.columns), truth)


def table_card(source: Any) -> dict[str, Any]:
    """The card of any table, with no target chosen."""
    table, notes = read(source), Notes()
    _, report = infer(table, "", {}, notes)
    keys = _row_keys(table)
    return {
        "source": table.source,
        "rows": len(table),
        "found": table.found,
        "columns": report,
        "duplicates": len(keys) - len(set(keys)),
        "dropped": notes.dropped,
        "warnings": notes.warnings,
    }


def infer(
    table: Table, target: str, forced: dict[str, str], notes: Notes
) -> tuple[list[Column], list[dict[str, Any]]]:
    """Tell each column's kind from its cells -> the usable columns, and a report of all of them."""
    columns, report = [], []
    for name, cells in table.columns.items():
        present = [cell for cell in cells if not is_missing(cell)]
        entry: dict[str, Any] = {"name": name, "distinct": len(set(present)), "missing": len(cells) - len(present)}
        if name == target:
            report.append({**entry, "kind": "target"})
            continue
        column, note = _column(table, name, present, forced.get(name, ""), notes)
        kind = column.kind if column else "dropped"
        report.append({**entry, "kind": kind, "note": note})
        if column:
            columns.append(column)
    return columns, report


def _column(
    table: Table, name: str, present: list[Any], forced: str, notes: Notes
) -> tuple[Column | None, str]:
    distinct = len(set(present))
    if forced == "drop":
        return None, "left out as asked"
    if distinct < 2:
        return None, "one value only"
    if not forced and distinct > 0.9 * len(present) and IDENTIFIER.search(name):
        return None, "an identifier: it only tells rows apart"
    numbers = [value for value in map(number, present) if value is not None]
    strays = len(present) - len(numbers)
    if forced == "numeric" and strays:
        raise InputError(_stray(table, name))
    if forced != "categorical" and strays <= STRAY * len(present):
        note = f"{strays} cells that are no numbers count as missing" if strays else ""
        if strays:
            notes.warn(f"{_stray(table, name)}; {note} (or name the column in `categorical`)")
        return Column(name, "number", fill=float(np.mean(numbers))), note
    if not forced:
        layout = next((layout for layout in DATES if all(day(cell, layout) is not None for cell in present)), "")
        if layout:
            days = [value for value in (day(cell, layout) for cell in present) if value is not None]
            return Column(name, "date", float(np.mean(days)), layout), f"a date ({layout}), as days since 1970"
    counts = Counter(category(cell) for cell in present)
    if not forced and len(counts) > 20 and len(counts) > 0.5 * len(present):
        return None, "text or an identifier: most rows have a value of their own"
    kept = sorted(name for name, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_CATEGORIES])
    note = f"the {MOST_CATEGORIES} most frequent of {len(counts)}" if len(counts) > MOST_CATEGORIES else ""
    blank = [""] if len(present) < len(table) else []
    return Column(name, "category", categories=(*blank, *kept)), note


def _with_target(table: Table, target: str, notes: Notes) -> tuple[Table, list[float]]:
    """The rows that have a target, and their targets; a target that is no number stops with its place."""
    cells = table.column(target)
    rows, values = [], []
    for row, cell in enumerate(cells):
        if is_missing(cell):
            continue
        value = number(cell)
        if value is None:
            raise InputError(f"{table.place(row, target)}: {cell!r} is not a number")
        rows.append(row)
        values.append(value)
    notes.drop(f"no value in {target!r}", len(table) - len(rows))
    if not rows:
        raise InputError(f"{table.source}, column {target!r}: no row holds a number")
    return (table if len(rows) == len(table) else table.take(rows)), values


def _checked(table: Table, columns: Sequence[Column]) -> dict[str, list[Any]]:
    """The table's columns, after every cell of the columns that a model uses was checked, with its line."""
    for column in columns:
        cells = table.column(column.name)
        if column.kind == "category":
            continue
        for row, cell in enumerate(cells):
            good = day(cell, column.layout) if column.kind == "date" else number(cell)
            if good is None and not is_missing(cell):
                raise InputError(f"{table.place(row, column.name)}: {cell!r} is not a {column.kind}")
    return table.columns


def _stray(table: Table, name: str) -> str:
    """The first cell of a column that is neither missing nor a number, with its place."""
    cells = table.columns[name]
    row = next(row for row, cell in enumerate(cells) if not is_missing(cell) and number(cell) is None)
    return f"{table.place(row, name)}: {cells[row]!r} is not a number"


def _blank_strays(table: Table, columns: Sequence[Column]) -> None:
    """Make missing what is no number in a numeric column."""
    for column in columns:
        if column.kind == "number":
            cells = table.columns[column.name]
            cells[:] = [None if number(cell) is None else cell for cell in cells]


def _forced(table: Table, target: str, **lists: str) -> dict[str, str]:
    """The columns named in numeric, categorical and drop, each with that word."""
    forced: dict[str, str] = {}
    for kind, names in lists.items():
        for name in filter(None, (name.strip() for name in names.split(","))):
            if name not in table.columns:
                raise InputError(f"{kind}: {table.source} has no column {name!r}{did_you_mean(name, table.columns)}")
            if name == target:
                raise InputError(f"{kind}: {name!r} is the target")
            if name in forced:
                raise InputError(f"{name!r} is named in both {forced[name]} and {kind}")
            forced[name] = kind
    return forced


def _row_keys(table: Table) -> list[tuple[Any, ...]]:
    """Equal for rows whose cells are all equal."""
    names = sorted(table.columns)
    return list(zip(*(map(_key, table.columns[name]) for name in names), strict=True))


def _key(cell: Any) -> Any:
    """A cell to compare by: 1, 1.0 and "1" are equal, and so are all missing ones."""
    value = number(cell)
    return value if value is not None else None if is_missing(cell) else cell


def _dropped(report: Sequence[dict[str, Any]]) -> list[str]:
    return [f"{entry['name']}: {entry['note']}" for entry in report if entry["kind"] == "dropped"]
