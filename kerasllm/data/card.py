"""The data card: what was found in the user's data, before anything is trained on it.

A card is a plain dictionary (card.json); `render` draws it for a terminal or a notebook. Its lines are English, and
`zh` has each of them in Chinese.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kerasllm.data.notes import SHOWN, THINGS, some
from kerasllm.spoken import SIDES

WORDS = {
    **THINGS,
    **SIDES,
    "and {} more": "另有 {} 个",
    "delimiter": "分隔符",
    "number": "数字",
    "category": "类别",
    "date": "日期",
    "target": "目标",
    "dropped": "略去",
    "{} distinct": "{} 种取值",
    "{} missing": "缺失 {} 个",
    "classes": "类别数",
    "text": "文本",
    "{} characters, {} distinct": "{} 个字符，其中不同的 {} 个",
    "characters": "字符数",
    "width": "宽",
    "height": "高",
    "the network sees {0} x {0} pixels": "网络看到的是 {0} x {0} 像素",
    "grey": "灰度",
    "mean": "均值",
    "deviation": "标准差",
    "min": "最小",
    "max": "最大",
    "duplicates": "重复",
    "leaked": "泄漏",
    " (line or row)": "（行号）",
    "split": "划分",
    "note": "提示",
}


def told(card: dict[str, Any], line: str, language: str) -> str:
    """A line of the card in `language`, "en" or "zh"; in English where the card knows no other."""
    known = card.get("zh") or {}
    return str(known.get(str(line), line)) if language == "zh" else line


def render(card: dict[str, Any], language: str = "en") -> str:
    """The card as lines of text in `language`, "en" or "zh"."""

    def word(english: str) -> str:
        return WORDS.get(english, english) if language == "zh" else english

    found = ", ".join(_found(name, value, word) for name, value in card["found"].items())
    unit = card.get("unit", "rows")
    lines = [f"{card['source']}: {card['rows']} {word(unit)}{f' ({found})' if found else ''}"]
    for column in card.get("columns", []):
        note = f"; {told(card, column['note'], language)}" if column.get("note") else ""
        missing = f", {word('{} missing').format(column['missing'])}" if column.get("missing") else ""
        distinct = word("{} distinct").format(column["distinct"])
        lines.append(f"  {column['name']}: {word(column['kind'])}, {distinct}{missing}{note}")
    if "labels" in card:
        classes = card["labels"]["classes"]
        shown = some([f"{name} {count}" for name, count in classes.items()], language=language)
        lines.append(f"  {word('classes')}: {len(classes)} ({shown})")
    if "characters" in card:
        found = word("{} characters, {} distinct").format(card["characters"]["total"], card["characters"]["distinct"])
        lines.append(f"  {word('text')}: {found}")
    if "lengths" in card:
        lines.append(f"  {word('characters')}: {_pairs(card['lengths'], word)}")
    for name, sides in card.get("sides", {}).items():
        lines.append(f"  {word(name)}: {_pairs(sides, word)}")
    if "pixels" in card:
        size, kind = card["pixels"]["size"], word("grey") if card["pixels"]["channels"] == 1 else "RGB"
        sees = word("the network sees {0} x {0} pixels").format(size)
        lines.append(f"  {sees}, {kind} ({card['pixels']['fit']})")
    if "target" in card:
        numbers = {name: f"{value:g}" for name, value in card["target"].items() if name != "name"}
        lines.append(f"  {word('target')} {card['target']['name']}: {_pairs(numbers, word)}")
    lines.append(f"  {word('duplicates')}: {card['duplicates']}")
    for reason, count in card["dropped"].items():
        things = unit.removesuffix("s") if count == 1 and language == "en" else word(unit)
        lines.append(f"  {word('dropped')}: {count} {things}, {told(card, reason, language)}")
    unreadable = card.get("unreadable", [])
    lines.extend(f"    {told(card, line, language)}" for line in unreadable[:SHOWN])
    if len(unreadable) > SHOWN:
        lines.append(f"    {word('and {} more').format(len(unreadable) - SHOWN)}")
    if card.get("leaked"):
        places = "" if "sides" in card else word(" (line or row)")
        lines.append(f"  {word('leaked')}: {some(card['leaked'], language=language)}{places}")
    if "splits" in card:
        lines.append(f"  {word('split')}: {_pairs(card['splits'], word)}")
    lines.extend(f"  {word('note')}: {told(card, line, language)}" for line in card["warnings"])
    return "\n".join(lines)


def _found(name: str, value: Any, word: Callable[[str], str]) -> str:
    if name == "delimiter":
        return f"{word(name)} {value!r}"
    return f"{name} {value}" if isinstance(value, int) else str(value)  # pictures of a format, or an encoding


def _pairs(numbers: dict[str, Any], word: Callable[[str], str]) -> str:
    return ", ".join(f"{word(name)} {value}" for name, value in numbers.items())
