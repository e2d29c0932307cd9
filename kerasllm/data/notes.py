"""What a card tells of the rows: notes that gather while they are read, classes, lengths, numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasllm.spoken import SIDES

FEW = 5  # rows; a class with fewer is named
SHOWN = 12  # classes, unreadable or leaked pictures
THINGS = {"rows": "行", "texts": "条文本", "pictures": "张图片"}


class Notes:
    """Gathers what was cleaned, dropped or looks wrong, as lines for a person."""

    def __init__(self) -> None:
        self.dropped: dict[str, int] = {}
        self.leaked: list[Any] = []  # lines (or paths) of rows that are in the validation or test file too
        self.unreadable: list[str] = []  # pictures, and why
        self.warnings: list[str] = []
        self.zh: dict[str, str] = {}

    def say(self, line: str, zh: str) -> str:
        """The same line, of which the card knows the Chinese."""
        if line:
            self.zh[line] = zh
        return line

    def drop(self, reason: str, zh: str, count: int = 1) -> None:
        """Count rows that are left out, by reason."""
        if count:
            self.dropped[self.say(reason, zh)] = self.dropped.get(reason, 0) + count

    def leak(self, lines: Sequence[Any]) -> None:
        """Count and list rows that are left out because the validation or test file has them too."""
        self.drop("also in the validation or test file", "在验证或测试文件中也有", len(lines))
        self.leaked.extend(lines)

    def warn(self, line: str, zh: str) -> None:
        """Note what a person should know."""
        if line not in self.warnings:
            self.warnings.append(self.say(line, zh))

    def lines(self) -> list[str]:
        """What was left out and noted, a line each."""
        left_out = [
            self.say(f"{count} left out: {reason}", f"略去 {count}：{self.zh[reason]}")
            for reason, count in self.dropped.items()
        ]
        return left_out + self.warnings

    def entries(self) -> dict[str, Any]:
        """What was noted, as entries of a card."""
        return {"dropped": self.dropped, "leaked": self.leaked, "warnings": self.warnings, "zh": self.zh}


def describe_labels(labels: Sequence[str], notes: Notes) -> dict[str, Any]:
    """Classes with their rows, and the share of the largest; notes classes with very few rows."""
    counts = Counter(labels)
    alone = sorted(name for name, count in counts.items() if count == 1)
    if alone:
        shown, zh = (some(list(map(repr, alone)), 8, language) for language in ("en", "zh"))
        notes.warn(f"one row only, so never in validation or test: {shown}", f"只有一行，因此从不用于验证或测试：{zh}")
    few = sorted(name for name, count in counts.items() if 1 < count < FEW)
    if few:
        shown, zh = (some(list(map(repr, few)), 8, language) for language in ("en", "zh"))
        notes.warn(f"fewer than {FEW} rows: {shown}", f"不足 {FEW} 行：{zh}")
    largest = max(counts.values()) / len(labels)
    if largest > 0.9:
        notes.warn(
            f"{largest:.0%} of the rows have one label; accuracy says little, see F1 or set class weights",
            f"{largest:.0%} 的行是同一个标签；准确率说明不了什么，请看 F1，或设置类别权重",
        )
    return {"classes": dict(counts.most_common()), "largest_share": round(largest, 4)}


def describe_lengths(lengths: Sequence[int]) -> dict[str, int]:
    """Percentiles of the texts' lengths in characters."""
    points = {"min": 0, "p5": 5, "p50": 50, "p95": 95, "p99": 99, "max": 100}
    return {name: int(np.percentile(lengths, point)) for name, point in points.items()}


def describe_numbers(values: Sequence[float]) -> dict[str, float]:
    """Mean, deviation and extremes of a numeric target."""
    array = np.asarray(values, "float64")
    return {
        "mean": float(array.mean()),
        "deviation": float(array.std()),
        "min": float(array.min()),
        "max": float(array.max()),
    }


def in_file(name: str) -> tuple[str, str]:
    """Where a note's rows are: in the validation or test file, in both languages."""
    return f", in the {name} file", f"（{SIDES[name]}文件）"


def some(names: Sequence[Any], most: int = SHOWN, language: str = "en") -> str:
    """The first names between commas, and how many more there are."""
    more = len(names) - most
    rest = (f"，另有 {more} 个" if language == "zh" else f" and {more} more") if more > 0 else ""
    return ", ".join(map(str, names[:most])) + rest
