"""Between a person's rows and a network's arrays: text -> ids, columns -> numbers, pictures -> pixels, and back.

This room needs numpy, tokenizers and Pillow only. Every encoder is saved as JSON in the run folder, and nothing is
pickled.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kerasllm.encoders.answers import Labels, Target
from kerasllm.encoders.language import LanguageEncoder, NextToken
from kerasllm.encoders.pictures import PictureEncoder
from kerasllm.encoders.table import Column, TableEncoder
from kerasllm.encoders.text import TextEncoder
from kerasllm.encoders.tokens import TokenEncoder
from kerasllm.errors import InputError

__all__ = [
    "Column",
    "Labels",
    "LanguageEncoder",
    "NextToken",
    "PictureEncoder",
    "TableEncoder",
    "Target",
    "TextEncoder",
    "TokenEncoder",
    "load",
]
# Each says what it TAKES: a row of a table, a text, a beginning to be gone on with ("language"), or a picture.
INPUTS: tuple[Any, ...] = (TableEncoder, TextEncoder, TokenEncoder, LanguageEncoder, PictureEncoder)
ANSWERS = (Labels, Target, NextToken)


def load(folder: Path) -> tuple[Any, Any]:
    """The input's encoder and the answer's decoder that a run's folder holds."""
    return _first(folder, *INPUTS), _first(folder, *ANSWERS)


def _first(folder: Path, *kinds: Any) -> Any:
    for kind in kinds:
        if (folder / kind.FILE).exists():
            return kind.load(folder)
    raise InputError(
        f"{folder.name} cannot answer: it has read no data yet, or failed before it could (`kerasllm show` says why)",
        f"{folder.name} 还不能回答：它尚未读取数据，或在此之前就失败了（`kerasllm show` 显示原因）",
    )
