"""Texts -> ids of their n-grams."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from kerasllm.encoders.cells import texts

DIGIT = re.compile(r"\d")
FEW_NGRAMS = 5_000  # below, n-grams that occur once are learned too
UNITS = (
    "[\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af]"  # a Chinese character
    "|[^\\W_\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af]+"  # a word
    "|[^\\w\\s]|_"  # a mark
)


def into_units(tokenizer: Tokenizer) -> None:
    """Let a tokenizer forget width and case, and cut a text into Chinese characters, words and marks."""
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(UNITS), "removed", invert=True)


class TextEncoder:
    """Texts -> `ids`, ragged: a text's distinct n-grams as places in a vocabulary, in order of appearance.

    A unit is a Chinese character, a word of other letters or digits, or a mark. N-grams are runs of 1 to
    `words` units, the text's begin and end among them, and with `gaps` the pairs of units around one other;
    and, where `characters` > 0, the pieces of 3 to `characters` characters of each word between `<` and `>`
    (Bojanowski et al. 2017, section 3.2), so that misspelled and inflected words keep a meaning. Width and
    case do not count (NFKC, lower case); Chinese stays as it is. tokenizer.json holds the normalizer, the
    units and the vocabulary; text.json how units become n-grams.
    """

    FILE, TAKES = "text.json", "text"
    UNKNOWN = "[UNK]"  # place 0; padding is told by the mask
    MOST = 1_000_000  # n-grams counted at a time: memory stays bounded whatever the file's size

    def __init__(self, tokenizer: Tokenizer, column: str, words: int, gaps: bool, characters: int, max_length: int):
        self.tokenizer = tokenizer
        self.column, self.words, self.gaps = column, words, gaps
        self.characters, self.max_length = characters, max_length
        self.vocabulary: dict[str, int] = tokenizer.get_vocab()

    @classmethod
    def fit(
        cls,
        texts: Iterable[str],
        column: str = "text",
        *,
        words: int,
        gaps: bool,
        characters: int,
        size: int,
        max_length: int,
    ) -> TextEncoder:
        """Learn the `size` most frequent n-grams of at least two texts (of one, where texts are few)."""
        tokenizer = Tokenizer(models.WordLevel({cls.UNKNOWN: 0}, unk_token=cls.UNKNOWN))
        into_units(tokenizer)
        empty = cls(tokenizer, column, words, gaps, characters, max_length)
        counts: Counter[str] = Counter()
        most = max(cls.MOST, 2 * size)
        for text in texts:
            counts.update(empty.ngrams(text))
            least = 1
            while len(counts) > (most if least == 1 else most // 2):  # half: room until the next time
                least += 1
                counts = Counter({ngram: count for ngram, count in counts.items() if count >= least})
        repeated = {ngram: count for ngram, count in counts.items() if count > 1}
        chosen = repeated if len(repeated) > FEW_NGRAMS else counts
        order = sorted(chosen.items(), key=lambda pair: (-pair[1], pair[0]))[: size - 1]
        vocabulary = {cls.UNKNOWN: 0} | {ngram: place for place, (ngram, _) in enumerate(order, 1)}
        tokenizer.model = models.WordLevel(vocabulary, unk_token=cls.UNKNOWN)
        return cls(tokenizer, column, words, gaps, characters, max_length)

    def units(self, text: str) -> list[str]:
        """The text's units, normalized."""
        normal = self.tokenizer.normalizer.normalize_str(text)
        return [unit for unit, _ in self.tokenizer.pre_tokenizer.pre_tokenize_str(normal)]

    def ngrams(self, text: str) -> list[str]:
        """The text's distinct n-grams in order of appearance, shortest first."""
        units = ["<s>", *self.units(text), "</s>"]
        found = {
            " ".join(units[start : start + count]): None
            for count in range(1, self.words + 1)
            for start in range(len(units) - count + 1)
        }
        if self.gaps:
            found.update(dict.fromkeys(f"{before} _ {after}" for before, after in zip(units, units[2:], strict=False)))
        for unit in units[1:-1]:
            if self.characters and unit[0].isalnum() and (len(unit) > 1 or unit[0] < "\u3400"):
                word = f"<{DIGIT.sub('0', unit)}>"  # numbers are alike by their length
                for count in range(3, self.characters + 1):
                    pieces = (word[i : i + count] for i in range(len(word) - count + 1))
                    found.update(dict.fromkeys("#" + piece for piece in pieces))
        return list(found)

    def rows(self, given: Any) -> list[str]:
        """A text, texts, a DataFrame or columns with the text's column, or mappings -> texts."""
        return texts(given, self.column)

    def encode(self, texts: Sequence[str]) -> dict[str, list[np.ndarray]]:
        """Ids per text, (length,) int32, at most `max_length`, at least one; unknown n-grams are left out."""
        places = self.vocabulary
        rows = []
        for text in texts:
            ids = [place for place in map(places.get, self.ngrams(text)) if place is not None]
            rows.append(np.array(ids[: self.max_length] or [0], "int32"))
        return {"ids": rows}

    def files(self) -> dict[str, str]:
        """What to save, by file name."""
        names = ("column", "words", "gaps", "characters", "max_length")
        settings = {name: getattr(self, name) for name in names}
        return {"tokenizer.json": self.tokenizer.to_str(), self.FILE: json.dumps(settings, indent=1)}

    @classmethod
    def load(cls, folder: Path) -> TextEncoder:
        """Read tokenizer.json and text.json."""
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        return cls(tokenizer, **json.loads((folder / cls.FILE).read_text("utf-8")))
