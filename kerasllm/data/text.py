"""A file of texts with labels -> Data for telling the label from the text."""

from __future__ import annotations

import hashlib
import unicodedata
from array import array
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from kerasllm.data import Data, Encoder, Rows
from kerasllm.data.classes import check_several, torn
from kerasllm.data.files import read
from kerasllm.data.memory import Table, is_blank
from kerasllm.data.notes import Notes, describe_labels, describe_lengths, in_file
from kerasllm.data.splits import divide, not_elsewhere, shares_and_files, sizes
from kerasllm.encoders import Labels
from kerasllm.errors import InputError


class Texts(NamedTuple):
    """The rows of a table that have both a text and a label."""

    table: Table
    rows: array[int]  # their places in the table
    texts: list[str]
    labels: list[str]


def read_classification(
    source: Any,
    *,
    text: str = "text",
    label: str = "label",
    validation: str = "",
    test: str = "",
    seed: int = 0,
    fit: Callable[[Sequence[str]], Encoder],
) -> Data:
    """Read texts and labels; learn the encoder (by `fit`) and the classes from the training rows.

    `validation` and `test` are shares of the rows or files.
    """
    notes = Notes()
    whole = _texts(read(source), text, label, notes)
    shares, files = shares_and_files(validation, test)
    others = {name: _texts(read(file), text, label, notes, in_file(name)) for name, file in files.items()}

    keys = [_key(one) for one in whole.texts]
    other_keys = {name: {_key(one) for one in other.texts} for name, other in others.items()}
    places = [whole.table.lines[row] for row in whole.rows]
    kept = not_elsewhere(keys, places, other_keys, "texts", notes)
    column = f"{whole.table.source}, column {label!r}", f"{whole.table.source}，列 {label!r}"
    check_several({whole.labels[row] for row in kept}, column, are_left=len(kept) < len(keys))
    parts = {
        name: Rows([whole.texts[row] for row in rows], [whole.labels[row] for row in rows])
        for name, rows in divide(kept, keys, whole.labels, shares, seed, notes).items()
    }
    classes = Labels.fit(parts["train"].truth)
    parts |= {name: _known(other, label, classes) for name, other in others.items()}
    card = {**_card(whole, keys, notes), "splits": sizes(parts), **notes.entries()}
    encoder = fit(parts["train"].features)
    return Data(parts["train"], parts["validation"] or None, parts["test"] or None, encoder, classes, card)


def labelled(source: Any, text: str, label: str, classes: Labels) -> Rows:
    """New texts with their true labels, to evaluate a trained model on."""
    notes = Notes()
    return replace(_known(_texts(read(source), text, label, notes), label, classes), notes=notes)


def text_card(table: Table, text: str, label: str) -> dict[str, Any]:
    """The card of a file of texts."""
    notes = Notes()
    whole = _texts(table, text, label, notes)
    return {**_card(whole, [_key(one) for one in whole.texts], notes), **notes.entries()}


def _texts(table: Table, text: str, label: str, notes: Notes, where: tuple[str, str] = ("", "")) -> Texts:
    """Texts and labels, as strings, of the rows that have both; what is left out is noted."""
    if text == label:
        raise InputError(
            f"text and label are both {text!r}; they are two columns", f"text 与 label 都是 {text!r}；它们应为两列"
        )
    found = Texts(table, array("q"), [], [])
    names: dict[Any, str] = {}  # one string per label, not per row
    for row, (words, name) in enumerate(zip(table.column(text, "text"), table.column(label, "label"), strict=True)):
        if is_blank(words):
            notes.drop(f"no text in {text!r}{where[0]}", f"{text!r} 列没有文本{where[1]}")
        elif is_blank(name):
            notes.drop(f"no label in {label!r}{where[0]}", f"{label!r} 列没有标签{where[1]}")
        else:
            written = str(name).strip()
            found.rows.append(row)
            found.texts.append(str(words))
            found.labels.append(names.setdefault(written, written))
    if not found.texts:
        raise InputError(
            f"{table.source}: no row has both a text in {text!r} and a label in {label!r}",
            f"{table.source}：没有一行既在 {text!r} 列有文本、又在 {label!r} 列有标签",
        )
    return found


def _known(found: Texts, label: str, classes: Labels) -> Rows:
    """The texts and labels, after every label was checked, with its line, to be one that training saw."""
    classes.check(found.labels, lambda row, language: found.table.place(found.rows[row], label, language))
    return Rows(found.texts, found.labels)


def _card(whole: Texts, keys: Sequence[bytes], notes: Notes) -> dict[str, Any]:
    if rows := torn(keys, whole.labels):
        count, example = len({keys[row] for row in rows}), whole.texts[rows[0]]
        notes.warn(
            f"{count} texts have rows with different labels, which train: such as {example[:40]!r}",
            f"{count} 条文本在不同的行有不同的标签，这些行都参与训练：例如 {example[:40]!r}",
        )
    description = describe_labels(whole.labels, notes)
    if len(description["classes"]) > 0.5 * len(whole.labels) and len(whole.labels) > 20:
        notes.warn(
            "most rows have a label of their own; is it the right column?", "多数行的标签各不相同；这一列选对了吗？"
        )
    return {
        "source": whole.table.source,
        "rows": len(whole.table),
        "found": whole.table.found,
        "labels": description,
        "lengths": describe_lengths([len(one) for one in whole.texts]),
        "duplicates": len(keys) - len(set(keys)),
    }


def _key(text: str) -> bytes:
    """Equal for texts that differ in width, case and white space only; a digest, for texts may be long."""
    plain = " ".join(unicodedata.normalize("NFKC", text).lower().split())
    return hashlib.blake2b(plain.encode("utf-8", "surrogatepass"), digest_size=16).digest()
