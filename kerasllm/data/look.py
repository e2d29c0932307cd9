"""Look at any source of data before a recipe is chosen: its card, by what it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kerasllm.data import language, pictures, table
from kerasllm.data import text as texts
from kerasllm.data.files import read
from kerasllm.data.samples import named
from kerasllm.errors import may_read


def kind(source: str | Path) -> str:
    """What a recipe must take to learn from it: a "folder" (or sample) of pictures, a plain "text", or a "table"."""
    name = str(source)
    if name.startswith("sample:"):
        return "folder" if "pictures" in named(name.removeprefix("sample:")).holds else "table"
    with may_read():
        is_folder = Path(source).is_dir()
    return "folder" if is_folder else "text" if language.is_plain(source) else "table"


def look(source: str, *, text: str = "text", label: str = "label") -> dict[str, Any]:
    """The card of a folder of pictures, a plain text, texts with labels (the two columns named), or any table."""
    holds = kind(source)
    if holds == "folder":
        return pictures.picture_card(source)
    if holds == "text":
        return language.language_card(source)
    found = read(source)
    if {text, label} <= found.columns.keys() or (text, label) != ("text", "label"):
        return texts.text_card(found, text, label)
    return table.table_card(found)
