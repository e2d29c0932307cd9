"""Look at any source of data before a recipe is chosen: its card, by what it holds."""

from __future__ import annotations

from typing import Any

from kerasllm.data import language, picture_folder, pictures, table
from kerasllm.data import text as texts
from kerasllm.data.files import read


def look(source: str, *, text: str = "text", label: str = "label") -> dict[str, Any]:
    """The card of a folder of pictures, a plain text, texts with labels (the two columns named), or any table."""
    if picture_folder.holds(source):
        return pictures.picture_card(source)
    if language.is_plain(source):
        return language.language_card(source)
    found = read(source)
    if {text, label} <= found.columns.keys() or (text, label) != ("text", "label"):
        return texts.text_card(found, text, label)
    return table.table_card(found)
