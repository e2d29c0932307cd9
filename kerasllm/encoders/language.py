"""Texts <-> tokens of a language model: characters, or pieces of words (byte-pair encoding)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from kerasllm.encoders import cells
from kerasllm.errors import InputError

SHOWN = 10  # tokens of an answer


class LanguageEncoder:
    """Texts -> `ids`, ragged: the end of the text before, then the text's tokens.

    Every character of the training texts is known. Nothing is normalized: what was written can be written again.
    Place 0 is a text's end (and so the begin of the next), place 1 a character that training never saw; `unseen` is
    the share of such characters to expect: that of characters that training saw once (Good 1953).
    """

    FILE, TAKES = "language.json", "language"
    END, UNKNOWN = "[END]", "[UNK]"
    # Merges stay within a word with the space before it, a run of marks, or a run of white space.
    WORDS = r" ?\w+| ?[^\w\s]+|\s+"

    def __init__(self, tokenizer: Tokenizer, column: str, kind: str, unseen: float):
        self.tokenizer, self.column, self.kind, self.unseen = tokenizer, column, kind, unseen
        # A text that holds the word [END] means these letters; tokenizer.json does not keep this setting.
        self.tokenizer.encode_special_tokens = True
        self.vocabulary: dict[str, int] = tokenizer.get_vocab()
        self.names = sorted(self.vocabulary, key=self.vocabulary.__getitem__)

    @classmethod
    def fit(cls, texts: Sequence[str], column: str = "text", *, kind: str, size: int) -> LanguageEncoder:
        """Learn the characters of `texts`, and with kind "bpe" merge the commonest neighbours up to `size` tokens."""
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text)
        alphabet = sorted(counts)
        special = [cls.END, cls.UNKNOWN]
        if kind == "bpe":
            _check_room(size, len(alphabet))
            tokenizer = Tokenizer(models.BPE(unk_token=cls.UNKNOWN))
            tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(cls.WORDS), "isolated")
            # Plain, with the alphabet given: any other trainer differs from call to call.
            trainer = trainers.BpeTrainer(
                vocab_size=size, special_tokens=special, initial_alphabet=alphabet, show_progress=False
            )
            tokenizer.train_from_iterator((line for text in texts for line in text.splitlines(True)), trainer)
        else:
            vocabulary = {token: place for place, token in enumerate([*special, *alphabet])}
            tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=cls.UNKNOWN))
            tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
        tokenizer.decoder = decoders.Fuse()
        once = sum(count == 1 for count in counts.values())
        return cls(tokenizer, column, kind, max(once, 1) / (sum(counts.values()) + 1))

    def rows(self, given: Any) -> list[str]:
        """A text, texts, a DataFrame or columns with the text's column, or mappings -> texts."""
        return cells.texts(given, self.column)

    def encode(self, texts: Sequence[str]) -> dict[str, list[np.ndarray]]:
        """Ids per text, (1 + tokens,) int32, the first of them END."""
        return {"ids": [np.array([0, *self.ids(text)], "int32") for text in texts]}

    def ids(self, text: str) -> list[int]:
        """The ids of a text's tokens."""
        if self.kind == "characters":
            return [self.vocabulary.get(one, 1) for one in text]
        lines = self.tokenizer.encode_batch_fast(text.splitlines(True), add_special_tokens=False)
        return [place for line in lines for place in line.ids]

    def check_room(self, size: int) -> None:
        """Raise InputError where `size` tokens of bpe would leave none beside these texts' characters."""
        _check_room(size, sum(len(name) == 1 for name in self.names))

    def unknown(self, text: str) -> list[str]:
        """The characters of a text that training never saw, sorted."""
        return sorted(one for one in set(text) if one not in self.vocabulary)

    def files(self) -> dict[str, str]:
        """What to save, by file name."""
        settings = {"column": self.column, "kind": self.kind, "unseen": self.unseen}
        return {"tokenizer.json": self.tokenizer.to_str(), self.FILE: json.dumps(settings, indent=1)}

    @classmethod
    def load(cls, folder: Path) -> LanguageEncoder:
        """Read tokenizer.json and language.json."""
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        return cls(tokenizer, **json.loads((folder / cls.FILE).read_text("utf-8")))


def _check_room(size: int, characters: int) -> None:
    least = characters + len((LanguageEncoder.END, LanguageEncoder.UNKNOWN))
    if size <= least:
        raise InputError(
            f"vocabulary_size: {size} leaves no room for merges: the texts have {characters} characters; "
            f"set it above {least}, or tokens=characters",
            f"vocabulary_size：文本已有 {characters} 种字符，{size} 没有给词片留下位置；"
            f"请设为大于 {least}，或设 tokens=characters",
        )


class NextToken:
    """Texts -> how many characters each has; the logits of what follows a text -> an answer."""

    FILE = LanguageEncoder.FILE

    def __init__(self, encoder: LanguageEncoder):
        self.encoder = encoder

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """(rows,) int64: characters, the text's end counted as one."""
        return np.array([len(text) + 1 for text in texts])

    def decode(self, logits: np.ndarray) -> list[dict[str, Any]]:
        """A row's answer: {"next": token, "probabilities": {token: share}}, the likeliest tokens first."""
        answers = []
        for row in logits.astype("float64"):
            row[1] = -np.inf  # nobody can write a character that training never saw
            shares = np.exp(row - row.max())
            shares /= shares.sum()
            order = np.argsort(-row, kind="stable")[:SHOWN]
            likely = {self.encoder.names[place]: float(shares[place]) for place in order if place != 1}
            answers.append({"next": next(iter(likely)), "probabilities": likely})
        return answers

    def files(self) -> dict[str, str]:
        """Nothing: the encoder's files tell all."""
        return {}

    @classmethod
    def load(cls, folder: Path) -> NextToken:
        """Read the encoder's files."""
        return cls(LanguageEncoder.load(folder))
