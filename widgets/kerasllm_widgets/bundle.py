"""The views' JavaScript and styles: small files under static/, joined as they are; nothing is built or fetched.

anywidget gives a widget one ES module, in which relative imports lead nowhere. The files are modules all the same, so
that an editor and a test can read them; joined, their imports and exports of each other fall away.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parent / "static"
IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+\.js)";\n', re.MULTILINE)


@cache
def module(name: str) -> str:
    """One ES module of a file and all that it imports, each once, before its use."""
    order: dict[str, str] = {}

    def visit(file: str) -> None:
        if file in order:
            return
        text = (STATIC / file).read_text("utf-8")
        for needed in IMPORT.findall(text):
            visit(needed)
        text = IMPORT.sub("", text)
        order[file] = text if file == name else re.sub(r"^export ", "", text, flags=re.MULTILINE)

    visit(name)
    return "\n".join(order.values())


@cache
def styles() -> str:
    """The one style sheet."""
    return (STATIC / "widgets.css").read_text("utf-8")
