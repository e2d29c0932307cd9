"""Between a person's rows and a network's arrays: text -> ids, columns -> numbers, labels, targets and back.

Training and the light runtime share this file: it needs numpy and tokenizers only. Every encoder is saved as
JSON in the run folder, and nothing is pickled.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from kerasllm.errors import InputError, did_you_mean

MISSING = {"", "na", "n/a", "nan", "null", "none", "<na>", "#n/a", "-", "缺失"}
DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M",
    "%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y%m%dT%H%M%S",
    "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y",
)  # fmt: skip
DIGIT = re.compile(r"\d")
FEW_NGRAMS = 5_000  # below, n-grams that occur once are learned too


def is_missing(cell: Any) -> bool:
    """Whether a cell holds no value: empty, NaN, or a word such as NA or null."""
    if isinstance(cell, str):
        return cell.strip().lower() in MISSING
    try:
        return cell is None or bool(cell != cell)  # NaN, NaT
    except TypeError:  # pandas.NA, which is unequal to nothing
        return True


def number(cell: Any) -> float | None:
    """A cell as a finite number, full-width digits too, or None."""
    if isinstance(cell, str):
        if "_" in cell:  # Python's 1_000; in a file it is a code
            return None
        cell = cell if cell.isascii() else unicodedata.normalize("NFKC", cell)
    try:
        value = float(cell)
    except (TypeError, ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def day(cell: Any, layout: str) -> float | None:
    """A date as days since 1970-01-01, or None where it is no date and does not follow `layout`."""
    if is_missing(cell):
        return None
    try:
        moment = cell if isinstance(cell, datetime) else datetime.strptime(str(cell).strip(), layout)
    except ValueError:
        return None
    return (moment.replace(tzinfo=None) - datetime(1970, 1, 1)).total_seconds() / 86400


def category(cell: Any) -> str:
    """A cell as a category's name; 1 and 1.0 and "1" are one category."""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return unicodedata.normalize("NFKC", str(cell)).strip()


@dataclass(frozen=True)
class Column:
    """How one input column becomes a number: a number, a date by its layout, or a category's place."""

    name: str
    kind: Literal["number", "date", "category"]
    fill: float = 0.0  # what stands for a missing number: the training rows' mean
    layout: str = ""
    categories: tuple[str, ...] = ()  # from place 1; 0 is what training never saw; "" a missing cell


class TableEncoder:
    """Columns -> `numbers` (rows, numbers and dates) float32, and `categories` (rows, categories) int32.

    A network without columns of one sort has no such input, and the dictionary lacks it.
    """

    FILE = "columns.json"

    def __init__(self, columns: Iterable[Column]):
        self.columns = tuple(columns)
        self.numbers = [column for column in self.columns if column.kind != "category"]
        self.categories = [column for column in self.columns if column.kind == "category"]

    def rows(self, given: Any) -> dict[str, list[Any]]:
        """A DataFrame, columns, one row, or rows (mappings, or bare values in the columns' order) -> columns.

        A missing column raises InputError with its name.
        """
        if hasattr(given, "columns") and hasattr(given, "isna"):  # a DataFrame, without importing pandas
            given = {str(name): list(given[name]) for name in given.columns}
        if _is_row(given):
            given = [given]
        columns = given if isinstance(given, Mapping) else self._by_column(given)
        for column in self.columns:
            if column.name not in columns:
                raise InputError(f"no column {column.name!r}{did_you_mean(column.name, map(str, columns))}")
        wanted = {column.name: list(columns[column.name]) for column in self.columns}
        if len({len(cells) for cells in wanted.values()}) > 1:
            lengths = ", ".join(f"{name} {len(cells)}" for name, cells in wanted.items())
            raise InputError(f"columns differ in length: {lengths}")
        return wanted

    def encode(self, columns: Mapping[str, Sequence[Any]]) -> dict[str, np.ndarray]:
        """Encode columns; a cell that is no number where one is needed raises InputError with its place."""
        inputs = {}
        if self.numbers:
            arrays = [self._numbers(column, columns[column.name]) for column in self.numbers]
            inputs["numbers"] = np.stack(arrays, axis=1).astype("float32")
        if self.categories:
            places = [self._places(column, columns[column.name]) for column in self.categories]
            inputs["categories"] = np.stack(places, axis=1)
        return inputs

    def _by_column(self, rows: Sequence[Any]) -> dict[str, list[Any]]:
        names = [column.name for column in self.columns]
        columns: dict[str, list[Any]] = {name: [] for name in names}
        for place, row in enumerate(rows, 1):
            if not isinstance(row, Mapping):
                cells = list(row) if isinstance(row, (list, tuple, np.ndarray)) else [row]
                if len(cells) != len(names):
                    known = ", ".join(names)
                    raise InputError(f"row {place} has {len(cells)} values; the columns are: {known}")
                row = dict(zip(names, cells, strict=True))
            for name in names:
                if name not in row:
                    raise InputError(f"row {place} has no column {name!r}{did_you_mean(name, map(str, row))}")
                columns[name].append(row[name])
        return columns

    @staticmethod
    def _numbers(column: Column, cells: Sequence[Any]) -> np.ndarray:
        values = np.empty(len(cells))
        for row, cell in enumerate(cells):
            value = day(cell, column.layout) if column.kind == "date" else number(cell)
            if value is None:
                if not is_missing(cell):
                    wanted = f"a date like {column.layout}" if column.kind == "date" else "a number"
                    raise InputError(f"row {row + 1}, column {column.name!r}: {cell!r} is not {wanted}")
                value = column.fill
            values[row] = value
        return values

    @staticmethod
    def _places(column: Column, cells: Sequence[Any]) -> np.ndarray:
        place = {name: index for index, name in enumerate(column.categories, 1)}
        names = ("" if is_missing(cell) else category(cell) for cell in cells)
        return np.array([place.get(name, 0) for name in names], "int32")

    def files(self) -> dict[str, str]:
        """What to save, by file name."""
        return {self.FILE: _json([asdict(column) for column in self.columns])}

    @classmethod
    def load(cls, folder: Path) -> TableEncoder:
        """Read columns.json."""
        rows = json.loads((folder / cls.FILE).read_text("utf-8"))
        return cls(Column(**{**row, "categories": tuple(row["categories"])}) for row in rows)


class TextEncoder:
    """Texts -> `ids`, ragged: a text's distinct n-grams as places in a vocabulary, in order of appearance.

    A unit is a Chinese character, a word of other letters or digits, or a mark. N-grams are runs of 1 to
    `words` units, the text's begin and end among them, and with `gaps` the pairs of units around one other;
    and, where `characters` > 0, the pieces of 3 to `characters` characters of each word between `<` and `>`
    (Bojanowski et al. 2017, section 3.2), so that misspelled and inflected words keep a meaning. Width and
    case do not count (NFKC, lower case); Chinese stays as it is. tokenizer.json holds the normalizer, the
    units and the vocabulary; text.json how units become n-grams.
    """

    FILE = "text.json"
    UNKNOWN = "[UNK]"  # place 0; padding is told by the mask
    UNITS = (
        "[\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af]"  # a Chinese character
        "|[^\\W_\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af]+"  # a word
        "|[^\\w\\s]|_"  # a mark
    )
    MOST = 1_000_000  # n-grams counted at a time: memory stays bounded whatever the file's size

    def __init__(
        self, tokenizer: Tokenizer, column: str, words: int, gaps: bool, characters: int, max_length: int
    ):
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
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(cls.UNITS), "removed", invert=True)
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
            found.update(
                dict.fromkeys(f"{before} _ {after}" for before, after in zip(units, units[2:], strict=False))
            )
        for unit in units[1:-1]:
            if self.characters and unit[0].isalnum() and (len(unit) > 1 or unit[0] < "\u3400"):
                word = f"<{DIGIT.sub('0', unit)}>"  # numbers are alike by their length
                for count in range(3, self.characters + 1):
                    pieces = (word[i : i + count] for i in range(len(word) - count + 1))
                    found.update(dict.fromkeys("#" + piece for piece in pieces))
        return list(found)

    def rows(self, given: Any) -> list[str]:
        """A text, texts, a DataFrame or columns with the text's column, or mappings -> texts."""
        if _is_row(given):
            given = [given]
        elif hasattr(given, "columns") or isinstance(given, Mapping):
            if self.column not in given:
                raise InputError(f"no column {self.column!r}{did_you_mean(self.column, map(str, given))}")
            given = list(given[self.column])
        texts: list[str] = []
        for place, row in enumerate(given, 1):
            if isinstance(row, Mapping) and self.column not in row:
                hint = did_you_mean(self.column, map(str, row))
                raise InputError(f"row {place} has no column {self.column!r}{hint}")
            text = row[self.column] if isinstance(row, Mapping) else row
            if not isinstance(text, str):
                raise InputError(f"row {place}: {text!r} is no text")
            texts.append(text)
        return texts

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
        return {"tokenizer.json": self.tokenizer.to_str(), self.FILE: _json(settings)}

    @classmethod
    def load(cls, folder: Path) -> TextEncoder:
        """Read tokenizer.json and text.json."""
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        return cls(tokenizer, **json.loads((folder / cls.FILE).read_text("utf-8")))


class Labels:
    """Class names <-> places in the logits, sorted by name; labels are strings, always."""

    FILE = "labels.json"

    def __init__(self, names: Sequence[str]):
        self.names = list(names)
        self._place = {name: index for index, name in enumerate(self.names)}

    @classmethod
    def fit(cls, labels: Iterable[str]) -> Labels:
        """The classes that occur in `labels`."""
        return cls(sorted(set(labels)))

    def encode(self, labels: Sequence[str]) -> np.ndarray:
        """(rows,) int32; a label that training never saw raises InputError."""
        for row, label in enumerate(labels, 1):
            if label not in self._place:
                hint = did_you_mean(label, self.names)
                raise InputError(f"row {row}: training saw no label {label!r}{hint}")
        return np.array([self._place[label] for label in labels], "int32")

    @staticmethod
    def probabilities(logits: np.ndarray) -> np.ndarray:
        """(rows, classes) logits -> probabilities: the one softmax, at the edge."""
        shifted = np.exp(logits.astype("float64") - logits.max(axis=-1, keepdims=True))
        return shifted / shifted.sum(axis=-1, keepdims=True)

    def decode(self, logits: np.ndarray) -> list[dict[str, Any]]:
        """A row's answer: {"label": name, "probabilities": {name: share}}, the likeliest first."""
        answers = []
        for row in self.probabilities(logits):
            order = np.argsort(-row, kind="stable")
            shares = {self.names[place]: float(row[place]) for place in order}
            answers.append({"label": self.names[order[0]], "probabilities": shares})
        return answers

    def files(self) -> dict[str, str]:
        """What to save, by file name."""
        return {self.FILE: _json(self.names)}

    @classmethod
    def load(cls, folder: Path) -> Labels:
        """Read labels.json."""
        return cls(json.loads((folder / cls.FILE).read_text("utf-8")))


@dataclass(frozen=True)
class Target:
    """A number to predict: its column's name, and the training rows' mean and standard deviation."""

    name: str
    mean: float
    deviation: float
    FILE: ClassVar[str] = "target.json"

    def encode(self, values: Sequence[float]) -> np.ndarray:
        """(rows,) float32, in standard deviations from the mean: what the network is trained on."""
        return ((np.asarray(values, "float64") - self.mean) / self.deviation).astype("float32")

    def decode(self, values: np.ndarray) -> list[dict[str, float]]:
        """A row's answer, {target's name: number}; the finished network answers in the target's unit."""
        return [{self.name: float(value)} for value in np.ravel(values)]

    def files(self) -> dict[str, str]:
        """What to save, by file name."""
        return {self.FILE: _json(asdict(self))}

    @classmethod
    def load(cls, folder: Path) -> Target:
        """Read target.json."""
        return cls(**json.loads((folder / cls.FILE).read_text("utf-8")))


def load(folder: Path) -> tuple[Any, Any]:
    """The input's encoder and the answer's decoder that a run's folder (or a bundle) holds."""
    return _first(folder, TableEncoder, TextEncoder), _first(folder, Labels, Target)


def _first(folder: Path, *kinds: Any) -> Any:
    for kind in kinds:
        if (folder / kind.FILE).exists():
            return kind.load(folder)
    names = ", ".join(kind.FILE for kind in kinds)
    raise InputError(f"{folder} holds none of {names}; is it a finished run?")


def _is_row(given: Any) -> bool:
    """Whether it is one row: a text, a number, or a mapping of plain cells."""
    return any(map(_is_cell, given.values() if isinstance(given, Mapping) else [given]))


def _is_cell(value: Any) -> bool:
    return isinstance(value, str) or not hasattr(value, "__iter__") or getattr(value, "ndim", 1) == 0


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1)
