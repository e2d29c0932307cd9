"""A table of the user's -> Data for predicting a number from the other columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kerasllm.data import Data, Rows
from kerasllm.data.columns import (
    TEXTS,
    check_32_bits,
    checked,
    forced_kinds,
    infer,
    learned,
    strays_noted,
    without_strays,
)
from kerasllm.data.files import read
from kerasllm.data.memory import Table
from kerasllm.data.notes import Notes, describe_numbers, in_file, some
from kerasllm.data.splits import divide, not_elsewhere, shares_and_files, sizes
from kerasllm.encoders import TableEncoder, Target
from kerasllm.encoders.cells import category, is_missing, number
from kerasllm.errors import InputError


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
    _check_varied(truth, table.source, target)
    forced = forced_kinds(whole, target, numeric=numeric, categorical=categorical, drop=drop)
    columns, report = infer(whole, target, forced, notes)
    whole = without_strays(whole, columns)

    shares, files = shares_and_files(validation, test)
    others: dict[str, Rows] = {}
    for name, file in files.items():
        where = in_file(name)
        other, answers = _with_target(read(file), target, notes, where)
        others[name] = Rows(checked(strays_noted(other, columns, notes, where), columns), answers)
    names = [column.name for column in columns]
    keys = _row_keys(whole.columns, names, truth)
    other_keys = {name: set(_row_keys(other.features, names, other.truth)) for name, other in others.items()}
    kept = not_elsewhere(keys, whole.lines, other_keys, "rows", notes)
    _check_enough(len(kept), len(keys), table.source, target)

    parts = {
        name: Rows(whole.take(rows).columns, [truth[row] for row in rows])
        for name, rows in divide(kept, keys, [0] * len(keys), shares, seed, notes).items()
    }
    train, parts = parts["train"], parts | others
    columns = learned(train.features, columns, report, table.source, notes)
    if not columns:
        raise _no_column(report, table.source, target, notes)
    _check_varied(train.truth, table.source, target, "training ", "训练的")
    check_32_bits(train.truth, f"{table.source}, column {target!r}")
    encoder = TableEncoder(columns)
    for name, held_out in others.items():
        note_unseen(encoder, held_out.features, notes, in_file(name))
    card = {
        **_card(table, report, keys),
        "target": {"name": target, **describe_numbers(truth)},
        "splits": sizes(parts),
        **notes.entries(),
    }
    return Data(
        train=train,
        validation=parts["validation"] or None,
        test=parts["test"] or None,
        encoder=encoder,
        decoder=Target(target, float(np.mean(train.truth)), float(np.std(train.truth))),
        card=card,
    )


def labelled(source: Any, encoder: TableEncoder, target: str) -> Rows:
    """New rows with their true number, to evaluate a trained model on."""
    notes = Notes()
    table, truth = _with_target(read(source), target, notes)
    columns = checked(strays_noted(table, encoder.columns, notes, ("", "")), encoder.columns)
    note_unseen(encoder, columns, notes)
    return Rows(columns, truth, notes)


def note_unseen(
    encoder: TableEncoder, columns: Mapping[str, Sequence[Any]], notes: Notes, where: tuple[str, str] = ("", "")
) -> None:
    """Note the categories that training never saw."""
    for name, found in encoder.unseen(columns).items():
        english, chinese = (some(list(map(repr, found)), 5, language) for language in ("en", "zh"))
        notes.warn(
            f"column {name!r}{where[0]}: categories that the network does not know, and takes for one: {english}",
            f"列 {name!r}{where[1]}：网络不认识的取值，视为同一种：{chinese}",
        )


def table_card(source: Any) -> dict[str, Any]:
    """The card of any table, with no target chosen."""
    table, notes = read(source), Notes()
    _, report = infer(table, "", {}, notes)
    for entry in report:
        if entry["note"].startswith(TEXTS):
            notes.warn(
                f"to tell classes from the texts in {entry['name']!r}, name it and the labels as text and label",
                f"要由 {entry['name']!r} 中的文本判断类别，请把这一列与标签列设为 text 与 label",
            )
    keys = _row_keys(table.columns, list(table.columns))
    return {**_card(table, report, keys), **notes.entries()}


def _card(table: Table, report: list[dict[str, Any]], keys: Sequence[Any]) -> dict[str, Any]:
    return {
        "source": table.source,
        "rows": len(table),
        "found": table.found,
        "columns": report,
        "duplicates": len(keys) - len(set(keys)),
    }


def _with_target(
    table: Table, target: str, notes: Notes, where: tuple[str, str] = ("", "")
) -> tuple[Table, list[float]]:
    """The rows that have a target, and their targets; a target that is no number stops with its place."""
    cells = table.column(target)
    rows, values = [], []
    for row, cell in enumerate(cells):
        if is_missing(cell):
            continue
        value = number(cell)
        if value is None:
            raise InputError(
                f"{table.place(row, target)}: {cell!r} is not a number",
                f"{table.place(row, target, 'zh')}：{cell!r} 不是数字",
            )
        rows.append(row)
        values.append(value)
    notes.drop(f"no value in {target!r}{where[0]}", f"{target!r} 列没有值{where[1]}", len(table) - len(rows))
    if not rows:
        raise InputError(
            f"{table.source}, column {target!r}: no row holds a number",
            f"{table.source}，列 {target!r}：没有一行是数字",
        )
    return (table if len(rows) == len(table) else table.take(rows)), values


def _row_keys(
    columns: Mapping[str, Sequence[Any]], names: Sequence[str], truth: Sequence[float] = ()
) -> list[tuple[Any, ...]]:
    """Equal for rows that a model cannot tell apart: equal in the columns it uses and in the target."""
    cells = [map(_key, columns[name]) for name in names]
    return list(zip(*cells, *([truth] if truth else []), strict=True))


def _key(cell: Any) -> Any:
    """A cell to compare by: 1, 1.0 and "1" are equal, and so are all missing ones, and a category however spaced."""
    value = number(cell)
    return value if value is not None else None if is_missing(cell) else category(cell)


def _check_varied(truth: Sequence[float], source: str, target: str, which: str = "", zh: str = "") -> None:
    if min(truth) == max(truth):
        raise InputError(
            f"{source}, column {target!r}: every {which}row holds {truth[0]:g}; there is nothing to learn",
            f"{source}，列 {target!r}：{zh}每一行都是 {truth[0]:g}；没有可学的内容",
        )


def _check_enough(kept: int, rows: int, source: str, target: str) -> None:
    if kept < 2:
        left = zh = ""
        if more := rows - kept:
            left, zh = f"; {more} more are in the validation or test file too", f"；另有 {more} 行也在验证或测试文件中"
        raise InputError(
            f"{source}: rows with a number in {target!r} to train on: {kept}; at least 2 are needed{left}",
            f"{source}：{target!r} 列为数字、可供训练的行有 {kept} 行；至少需要 2 行{zh}",
        )


def _no_column(report: Sequence[dict[str, Any]], source: str, target: str, notes: Notes) -> InputError:
    dropped = {entry["name"]: entry["note"] for entry in report if entry["kind"] == "dropped"}
    said = "; ".join(f"{name}: {note}" for name, note in dropped.items())
    zh = "；".join(f"{name}：{notes.zh[note]}" for name, note in dropped.items())
    return InputError(
        f"{source}: no usable column beside {target!r}: {said or 'it is the only one'}",
        f"{source}：除 {target!r} 外没有可用的列：{zh or '它是唯一的一列'}",
    )
