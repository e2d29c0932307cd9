"""Texts -> the ids of their tokens, in order, between a begin and an end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, models, processors

from kerasllm.encoders.cells import texts
from kerasllm.encoders.text import into_units


class TokenEncoder:
    """Texts -> `ids`, ragged: the tokens of a `tokenizers.Tokenizer`, at most `max_length` with begin and end.

    tokenizer.json holds the tokenizer, a preset's or one learned here; tokens.json the column and the length.
    """

    FILE, TAKES = "tokens.json", "text"
    SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")  # padding is told by the mask

    def __init__(self, tokenizer: Tokenizer, column: str, max_length: int):
        self.column, self.max_length = column, max_length
        self.tokenizer = tokenizer
        self.tokenizer.enable_truncation(max_length)

    @classmethod
    def fit(cls, texts: Iterable[str], column: str = "text", *, size: int, max_length: int) -> TokenEncoder:
        """Learn the `size` most frequent units (as TextEncoder's: Chinese characters, words, marks)."""
        tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
        into_units(tokenizer)
        counts: Counter[str] = Counter()
        for text in texts:
            normal = tokenizer.normalizer.normalize_str(text)
            counts.update(unit for unit, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal))
        order = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        units = [unit for unit, _ in order if unit not in cls.SPECIAL][: max(0, size - len(cls.SPECIAL))]
        places = {token: place for place, token in enumerate([*cls.SPECIAL, *units])}
        tokenizer.model = models.WordLevel(places, unk_token="[UNK]")
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[(token, places[token]) for token in ("[CLS]", "[SEP]")]
        )
        return cls(tokenizer, column, max_length)

    def rows(self, given: Any) -> list[str]:
        """A text, texts, a DataFrame or columns with the text's column, or mappings -> texts."""
        return texts(given, self.column)

    def encode(self, texts: Sequence[str]) -> dict[str, list[np.ndarray]]:
        """Ids per text, (length,) int32, at most `max_length`."""
        return {"ids": [np.array(row.ids, "int32") for row in self.tokenizer.encode_batch_fast(list(texts))]}

    def count_cut(self, texts: Sequence[str]) -> int:
        """How many of the texts have more than `max_length` tokens, and lose what comes after."""
        return sum(bool(row.overflowing) for row in self.tokenizer.encode_batch_fast(list(texts)))

    def files(self) -> dict[str, str]:
        """What to save, by file name."""
        settings = {"column": self.column, "max_length": self.max_length}
        return {"tokenizer.json": self.tokenizer.to_str(), self.FILE: json.dumps(settings, indent=1)}

    @classmethod
    def load(cls, folder: Path) -> TokenEncoder:
        """Read tokenizer.json and tokens.json."""
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        return cls(tokenizer, **json.loads((folder / cls.FILE).read_text("utf-8")))
