"""The data card: what was found in the user's data, before anything is trained on it.

A card is a plain dictionary (card.json); `render` draws it for a terminal or a notebook.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

FEW = 5  # rows; a class with fewer is named
SHOWN = 12  # classes, unreadable or leaked pictures


class Notes:
    """Gathers what was cleaned, dropped or looks wrong, as lines for a person."""

    def __init__(self) -> None:
        self.dropped: dict[str, int] = {}
        self.leaked: list[Any] = []  # lines (or paths) of rows that are in the validation or test file too
        self.warnings: list[str] = []

    def drop(self, reason: str, count: int = 1) -> None:
        """Count rows that are left out, by reason."""
        if count:
            self.dropped[reason] = self.dropped.get(reason, 0) + count

    def leak(self, lines: Sequence[Any]) -> None:
        """Count and list rows that are left out because the validation or test file has them too."""
        self.drop("also in the validation or test file", len(lines))
        self.leaked.extend(lines)

    def warn(self, line: str) -> None:
        """Note what a person should know."""
        if line not in self.warnings:
            self.warnings.append(line)

    def entries(self) -> dict[str, Any]:
        """What was noted, as entries of a card."""
        return {"dropped": self.dropped, "leaked": self.leaked, "warnings": self.warnings}


def describe_labels(labels: Sequence[str], notes: Notes) -> dict[str, Any]:
    """Classes with their rows, and the share of the largest; notes classes with very few rows."""
    counts = Counter(labels)
    alone = sorted(name for name, count in counts.items() if count == 1)
    if alone:
        notes.warn(f"one row only, so never in validation or test: {some(list(map(repr, alone)), 8)}")
    few = sorted(name for name, count in counts.items() if 1 < count < FEW)
    if few:
        notes.warn(f"fewer than {FEW} rows: {some(list(map(repr, few)), 8)}")
    largest = max(counts.values()) / len(labels)
    if largest > 0.9:
        notes.warn(f"{largest:.0%} of the rows have one label; accuracy says little, see F1 or set class weights")
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


def some(names: Sequence[Any], most: int = SHOWN) -> str:
    """The first names between commas, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more


def render(card: dict[str, Any]) -> str:
    """The card as lines of text."""
    found = ", ".join(
        f"{name} {value!r}" if name == "delimiter" else f"{name} {value}" if isinstance(value, int) else str(value)
        for name, value in card["found"].items()
    )
    lines = [f"{card['source']}: {card['rows']} {card.get('unit', 'rows')}{f' ({found})' if found else ''}"]
    for column in card.get("columns", []):
        note = f"; {column['note']}" if column.get("note") else ""
        missing = f", {column['missing']} missing" if column.get("missing") else ""
        lines.append(f"  {column['name']}: {column['kind']}, {column['distinct']} distinct{missing}{note}")
    if "labels" in card:
        classes = card["labels"]["classes"]
        lines.append(f"  classes: {len(classes)} ({some([f'{name} {count}' for name, count in classes.items()])})")
    if "characters" in card:
        total, distinct = card["characters"]["total"], card["characters"]["distinct"]
        lines.append(f"  text: {total} characters, {distinct} distinct")
    if "lengths" in card:
        lines.append("  characters: " + ", ".join(f"{name} {value}" for name, value in card["lengths"].items()))
    for name, sides in card.get("sides", {}).items():
        lines.append(f"  {name}: " + ", ".join(f"{point} {value}" for point, value in sides.items()))
    if "pixels" in card:
        size, kind = card["pixels"]["size"], "grey" if card["pixels"]["channels"] == 1 else "RGB"
        lines.append(f"  the network sees {size} x {size} pixels, {kind} ({card['pixels']['fit']})")
    if "target" in card:
        shown = ", ".join(f"{name} {value:g}" for name, value in card["target"].items() if name != "name")
        lines.append(f"  target {card['target']['name']}: {shown}")
    lines.append(f"  duplicates: {card['duplicates']}")
    lines.extend(
        f"  dropped: {count} {'row' if count == 1 else 'rows'}, {reason}" for reason, count in card["dropped"].items()
    )
    lines.extend(f"    {line}" for line in card.get("unreadable", [])[:SHOWN])
    if len(card.get("unreadable", [])) > SHOWN:
        lines.append(f"    and {len(card['unreadable']) - SHOWN} more")
    if card.get("leaked"):
        lines.append(f"  leaked: {some(card['leaked'])}{'' if 'sides' in card else ' (line or row)'}")
    if "splits" in card:
        lines.append("  split: " + ", ".join(f"{name} {count}" for name, count in card["splits"].items()))
    lines.extend(f"  note: {line}" for line in card["warnings"])
    return "\n".join(lines)
