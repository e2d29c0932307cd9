"""A file of texts with labels -> Data for telling the label from the text."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from kerasllm.data import Data, Rows
from kerasllm.data.card import Notes, describe_labels, describe_lengths
from kerasllm.data.files import Table, read
from kerasllm.data.splits import FEWEST, share, split
from kerasllm.encoders import Labels, TextEncoder
from kerasllm.errors import InputError, did_you_mean


def read_classification(
    source: Any,
    *,
    text: str = "text",
    label: str = "label",
    validation: str = "",
    test: str = "",
    seed: int = 0,
    words: int,
    characters: int,
    vocabulary_size: int,
    max_length: int,
) -> Data:
    """Read texts and labels; learn the vocabulary and the classes from the training rows.

    `validation` and `test` are shares of the rows or files. The other arguments are TextEncoder.fit's.
    """
    notes = Notes()
    table = read(source)
    texts, labels = _rows(table, text, label, notes)
    others: dict[str, tuple[list[str], list[str]] | None] = {}
    shares = {}
    for name, value in (("validation", validation), ("test", test)):
        part = share(value, name)
        shares[name] = part or 0.0
        others[name] = _rows(read(value), text, label, notes) if part is None else None

    keys = [_key(one) for one in texts]
    apart = {_key(one) for other in others.values() if other for one in other[0]}
    kept = [row for row, key in enumerate(keys) if key not in apart]
    notes.drop("their text is also in the validation or test file", len(texts) - len(kept))
    if len({labels[row] for row in kept}) < 2:
        found = sorted({labels[row] for row in kept})
        raise InputError(f"{table.source}, column {label!r}: one class only ({', '.join(found)}); at least 2 are needed")
    if len(kept) < FEWEST and any(shares.values()):
        notes.warn(f"fewer than {FEWEST} rows: all of them train, and no test is held out")
        shares = {name: 0.0 for name in shares}
    parts = split(
        [keys[row] for row in kept], [labels[row] for row in kept], shares["validation"], shares["test"], seed
    )
    rows = {name: [kept[place] for place in places] for name, places in parts._asdict().items()}
    train = Rows([texts[row] for row in rows["train"]], [labels[row] for row in rows["train"]])
    classes = Labels.fit(train.truth)

    def held_out(name: str) -> Rows | None:
        other = others[name]
        if other:
            for one in other[1]:
                if one not in classes.names:
                    raise InputError(f"{name} file: training has no label {one!r}{did_you_mean(one, classes.names)}")
            return Rows(*other)
        return Rows([texts[row] for row in rows[name]], [labels[row] for row in rows[name]]) if rows[name] else None

    held = {name: held_out(name) for name in ("validation", "test")}
    card = _card(table, texts, labels, keys, notes)
    card["splits"] = {"train": len(train), **{name: len(part) for name, part in held.items() if part}}
    encoder = TextEncoder.fit(
        train.features, text, words=words, characters=characters, size=vocabulary_size, max_length=max_length
    )
    return Data(train, held["validation"], held["test"], encoder, classes, card)


def labelled(source: Any, text: str, label: str, classes: Labels) -> Rows:
    """New texts with their true labels, to evaluate a trained model on."""
    table = read(source)
    texts, labels = _rows(table, text, label, Notes())
    cells = table.column(label)
    for row, cell in enumerate(cells):
        if not _blank(cell) and str(cell).strip() not in classes.names:
            hint = did_you_mean(str(cell), classes.names)
            raise InputError(f"{table.place(row, label)}: training saw no label {cell!r}{hint}")
    return Rows(texts, labels)


def text_card(table: Table, text: str, label: str) -> dict[str, Any]:
    """The card of a file of texts."""
    notes = Notes()
    texts, labels = _rows(table, text, label, notes)
    return _card(table, texts, labels, [_key(one) for one in texts], notes)


def _rows(table: Table, text: str, label: str, notes: Notes) -> tuple[list[str], list[str]]:
    """Texts and labels, as strings, of the rows that have both; what is left out is noted."""
    if text == label:
        raise InputError(f"text and label are both {text!r}; they are two columns")
    texts, labels = [], []
    for words, name in zip(table.column(text), table.column(label), strict=True):
        if _blank(words):
            notes.drop(f"no text in {text!r}")
        elif _blank(name):
            notes.drop(f"no label in {label!r}")
        else:
            texts.append(str(words))
            labels.append(str(name).strip())
    if not texts:
        raise InputError(f"{table.source}: no row has both a text in {text!r} and a label in {label!r}")
    return texts, labels


def _card(table: Table, texts: Sequence[str], labels: Sequence[str], keys: Sequence[str], notes: Notes) -> dict[str, Any]:
    meant = defaultdict(set)
    for key, label in zip(keys, labels, strict=True):
        meant[key].add(label)
    torn = sum(len(names) > 1 for names in meant.values())
    if torn:
        example = next(key for key, names in meant.items() if len(names) > 1)
        notes.warn(f"{torn} texts have rows with different labels, such as {example[:40]!r}")
    description = describe_labels(labels, notes)
    if len(description["classes"]) > 0.5 * len(labels) and len(labels) > 20:
        notes.warn("most rows have a label of their own; is it the right column?")
    return {
        "source": table.source,
        "rows": len(table),
        "found": table.found,
        "labels": description,
        "lengths": describe_lengths([len(one) for one in texts]),
        "duplicates": len(keys) - len(meant),
        "dropped": notes.dropped,
        "warnings": notes.warnings,
    }


def _key(text: str) -> str:
    """Equal for texts that differ in width, case and white space only."""
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


def _blank(cell: Any) -> bool:
    return cell is None or cell != cell or not str(cell).strip()
