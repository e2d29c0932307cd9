"""Rows -> training, validation and test rows: seeded, stratified, and duplicates never straddle a split."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence, Sized
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kerasllm.data.files import nearest_beside
from kerasllm.data.notes import THINGS, Notes
from kerasllm.errors import InputError, may_read

FEWEST = 20  # rows; below, every row trains


class Splits(NamedTuple):
    """Row numbers, ascending."""

    train: list[int]
    validation: list[int]
    test: list[int]


def share(value: str, name: str) -> float | None:
    """A split parameter's share in [0, 1), 0 for "", or None where it names a file."""
    try:
        number = float(value) if value else 0.0
    except ValueError:
        with may_read():
            is_file = Path(value).exists()
        if not is_file and not value.startswith("sample:"):
            raise InputError(
                f"{name}: {value!r} is neither a share such as 0.2 nor a file{nearest_beside(Path(value))}",
                f"{name}：{value!r} 既不是 0.2 这样的比例，也不是文件{nearest_beside(Path(value), 'zh')}",
            ) from None
        return None
    if not 0 <= number < 1:
        raise InputError(
            f"{name}: {value} is not a share of the rows: 0 or more and below 1",
            f"{name}：{value} 不是行的比例：须大于或等于 0 且小于 1",
        )
    return number


def shares_and_files(validation: str, test: str) -> tuple[dict[str, float], dict[str, str]]:
    """The split parameters' shares of the rows (0 where there is a file), and the files that they name."""
    given = {"validation": validation, "test": test}
    shares = {name: share(value, name) for name, value in given.items()}
    files = {name: given[name] for name, part in shares.items() if part is None}
    parts = {name: part or 0.0 for name, part in shares.items()}
    if sum(parts.values()) >= 1:
        raise InputError(
            f"validation {parts['validation']:g} and test {parts['test']:g} leave nothing to train on",
            f"validation {parts['validation']:g}、test {parts['test']:g} 没有留下可供训练的数据",
        )
    return parts, files


def not_elsewhere(
    keys: Sequence[Hashable], places: Sequence[Any], others: Mapping[str, set[Any]], things: str, notes: Notes
) -> list[int]:
    """The rows that no validation or test file has too; `places` says where a row is, for the note.

    `others` holds those files' keys; `things` says what rows are: "rows", "texts" or "pictures".
    """
    if len(others) == 2 and (shared := len(others["validation"] & others["test"])):
        notes.warn(
            f"{shared} {things} of the validation file are in the test file too",
            f"验证文件中有 {shared} {THINGS[things]}也在测试文件中",
        )
    elsewhere = set().union(*others.values())
    notes.leak([places[row] for row, key in enumerate(keys) if key in elsewhere])
    return [row for row, key in enumerate(keys) if key not in elsewhere]


def divide(
    rows: Sequence[int],
    groups: Sequence[Hashable],
    strata: Sequence[Hashable],
    shares: Mapping[str, float],
    seed: int,
    notes: Notes,
) -> dict[str, list[int]]:
    """`rows`, numbers into `groups` and `strata`, as train, validation and test; too few of them all train."""
    if len(rows) < FEWEST and any(shares.values()):
        notes.warn(
            f"fewer than {FEWEST} rows: all of them train, and no validation or test is held out",
            f"不足 {FEWEST} 行：全部用于训练，不留出验证或测试",
        )
        shares = dict.fromkeys(shares, 0.0)
    parts = split(
        [groups[row] for row in rows], [strata[row] for row in rows], shares["validation"], shares["test"], seed
    )
    return {name: [rows[place] for place in places] for name, places in parts._asdict().items()}


def sizes(parts: Mapping[str, Sized]) -> dict[str, int]:
    """The parts that hold rows, and how many."""
    return {name: len(part) for name, part in parts.items() if part}


def split(groups: Sequence[Hashable], strata: Sequence[Hashable], validation: float, test: float, seed: int) -> Splits:
    """Divide rows so that each group (equal rows) stays whole and each stratum (class) keeps its share.

    Every class is known to the model: a group of each stratum trains, and so do groups with rows of several.
    """
    members: dict[Hashable, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)
    parts = Splits([], [], [])
    by_stratum: dict[Hashable, list[list[int]]] = {}
    for rows in members.values():
        if any(strata[row] != strata[rows[0]] for row in rows):
            parts.train.extend(rows)
        else:
            by_stratum.setdefault(strata[rows[0]], []).append(rows)

    draw = np.random.default_rng([seed, 1])
    owed = [0.0, 0.0]  # rounding is carried from one stratum to the next, so that many small classes add up
    for whole in by_stratum.values():
        order = draw.permutation(len(whole)).tolist()
        spare = len(whole) - 1
        taken = 0
        for index, (part, fraction) in enumerate([(parts.test, test), (parts.validation, validation)]):
            owed[index] += fraction * len(whole)
            count = max(0, min(round(owed[index]), spare))
            owed[index] = min(owed[index] - count, 1.0)  # what one class lacks is not all the next one's
            spare -= count
            for group in order[taken : taken + count]:
                part.extend(whole[group])
            taken += count
        for group in order[taken:]:
            parts.train.extend(whole[group])
    return Splits(*(sorted(part) for part in parts))
