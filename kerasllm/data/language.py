"""A plain text file, or a column of texts -> Data to learn what follows what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kerasllm.data import Data, Rows
from kerasllm.data.files import read, read_text
from kerasllm.data.memory import is_blank
from kerasllm.data.notes import Notes, describe_lengths, in_file, some
from kerasllm.data.splits import divide, not_elsewhere, shares_and_files, sizes
from kerasllm.encoders import LanguageEncoder, NextToken
from kerasllm.errors import InputError
from kerasllm.spoken import SIDES

FEWEST = 200  # characters to train on
TABLES = (".csv", ".tsv", ".parquet", ".pq")
SHINGLE = 128  # characters: so many in a row are not equal by chance; a power of 2
NOTED = 0.01  # share of the held-out text
CUTS = ("\n\n", "\n", " ")  # where one long text is cut, the best first


class Texts(NamedTuple):
    """The texts of a file; a plain one is one text."""

    texts: list[str]
    places: list[int]  # lines or rows
    source: str
    found: dict[str, Any]
    whole: bool  # one text, to be cut, not rows to be dealt out


def read_language(
    source: Any,
    *,
    text: str = "text",
    validation: str = "",
    test: str = "",
    seed: int = 0,
    fit: Callable[[Sequence[str]], LanguageEncoder],
) -> Data:
    """Read texts; learn the tokens (by `fit`) from the training ones.

    `validation` and `test` are shares or files. Of a column of texts whole ones are held out; equal ones stay
    together. Of one plain text its end is held out, the test last.
    """
    notes = Notes()
    found = _texts(source, text, notes)
    shares, files = shares_and_files(validation, test)
    others = {name: _texts(file, text, notes, in_file(name)) for name, file in files.items()}
    keys = [" ".join(one.split()) for one in found.texts]
    card = _card(found, keys)
    other_keys = {name: {" ".join(one.split()) for one in other.texts} for name, other in others.items()}
    if found.whole:
        if equal := [name for name, held_out in other_keys.items() if keys[0] in held_out]:
            raise InputError(
                f"{equal[0]}: {others[equal[0]].source} is the text to train on, {found.source}, again; "
                "name another, or a share such as 0.2",
                f"{equal[0]}：{others[equal[0]].source} 就是训练用的文本 {found.source}；"
                "请另选文件，或给出 0.2 这样的比例",
            )
        parts = _cut(found.texts[0], shares, notes)
    else:
        kept = not_elsewhere(keys, found.places, other_keys, "texts", notes)
        if not kept:
            raise InputError(
                f"{found.source}: every text is in the validation or test file too; none is left to train on",
                f"{found.source}：所有文本也都在验证或测试文件中；没有留下训练用的文本",
            )
        rows = divide(kept, keys, [0] * len(keys), shares, seed, notes)
        parts = {name: [found.texts[row] for row in rows[name]] for name in rows}
    parts |= {name: other.texts for name, other in others.items()}
    for name in ("validation", "test"):
        # Rows are compared whole, and left out of the training; a text is compared piece by piece.
        if parts[name] and (found.whole or (name in others and others[name].whole)):
            share = known(parts[name], parts["train"])
            card[f"{name}_known"] = round(share, 4)
            if share >= NOTED:
                notes.warn(
                    f"{share:.0%} of the {name} text stands in the training text too, letter for letter",
                    f"{SIDES[name]}文本的 {share:.0%} 在训练文本中一字不差地出现",
                )
    _check(parts["train"], found.source)
    train, *held = (Rows(texts, texts) for texts in (parts["train"], parts["validation"], parts["test"]))
    encoder = fit(train.features)
    card |= {"splits": sizes(parts)}
    card |= {"split_characters": {name: sum(map(len, texts)) for name, texts in parts.items() if texts}}
    return Data(train, held[0] or None, held[1] or None, encoder, NextToken(encoder), card | notes.entries())


def labelled(source: Any, text: str, encoder: LanguageEncoder, most: int) -> Rows:
    """New texts, to evaluate a trained model on, of which it scores `most` tokens."""
    notes = Notes()
    texts = _texts(source, text, notes).texts
    if unknown := sorted({one for found in texts for one in encoder.unknown(found)}):
        shown, zh = (some(list(map(repr, unknown)), language=language) for language in ("en", "zh"))
        notes.warn(f"characters that training never saw: {shown}", f"训练中没有的字符：{zh}")
    if sum(map(len, encoder.encode(texts)["ids"])) > most:
        notes.warn(f"only the first {most} tokens are scored", f"只给前 {most} 个词元评分")
    return Rows(texts, texts, notes)


def is_plain(source: Any) -> bool:
    """Whether it names a plain text file, and no table or sample."""
    if not isinstance(source, (str, Path)) or str(source).startswith("sample:"):
        return False
    return not str(source).lower().removesuffix(".gz").endswith(TABLES)


def language_card(source: Any) -> dict[str, Any]:
    """The card of a file of text."""
    notes = Notes()
    found = _texts(source, "text", notes)
    return _card(found, [" ".join(one.split()) for one in found.texts]) | notes.entries()


def _texts(source: Any, column: str, notes: Notes, where: tuple[str, str] = ("", "")) -> Texts:
    if is_plain(source):
        whole, encoding = read_text(Path(source))
        if not whole.strip():
            raise InputError(
                f"{Path(source).name} holds no text, only white space", f"{Path(source).name} 没有文本，只有空白"
            )
        return Texts([whole], [1], Path(source).name, {"encoding": encoding}, True)
    if isinstance(source, (list, tuple)) and source and all(isinstance(one, str) for one in source):
        source = {column: list(source)}
    table = read(source)
    cells = table.column(column, "text")
    kept = [row for row, cell in enumerate(cells) if not is_blank(cell)]
    notes.drop(f"no text in {column!r}{where[0]}", f"{column!r} 列没有文本{where[1]}", len(cells) - len(kept))
    if not kept:
        raise InputError(
            f"{table.source}: no row has a text in {column!r}", f"{table.source}：{column!r} 列没有任何文本"
        )
    texts = [str(cells[row]) for row in kept]
    return Texts(texts, [table.lines[row] for row in kept], table.source, table.found, False)


def _cut(text: str, shares: dict[str, float], notes: Notes) -> dict[str, list[str]]:
    """One text's begin, middle and end, cut between paragraphs, else lines, else words."""
    ends = [1 - shares["validation"] - shares["test"], 1 - shares["test"], 1.0]
    parts: dict[str, list[str]] = {}
    start = 0
    for name, end in zip(("train", "validation", "test"), ends, strict=True):
        place = len(text) if end == 1 else _near(text, round(end * len(text)))
        parts[name] = [text[start:place]] if text[start:place].strip() else []
        start = max(start, place)
    if any(shares.values()):
        notes.warn(
            "one text: its end is held out, cut between paragraphs (lines, words) where it has them",
            "只有一条文本：留出末尾部分，尽量在段落（行、词）之间切开",
        )
    return parts


def known(held_out: Sequence[str], train: Sequence[str]) -> float:
    """Share of the held-out text, cut into pieces of SHINGLE characters, that stands somewhere in the training text.

    White space counts as one space, and a rest shorter than a piece does not count.
    """
    pieces = _shingles(held_out)[::SHINGLE]
    wanted = np.unique(pieces)
    found = np.zeros(len(wanted), bool)
    text = " ".join(" ".join(train).split())
    step = 1 << 20  # characters at a time: each needs eight bytes and more
    for start in range(0, len(text), step):
        some = _shingles([text[start : start + step + SHINGLE - 1]])
        found |= np.isin(wanted, some)
    return float(found[np.searchsorted(wanted, pieces)].mean()) if len(pieces) else 0.0


def _shingles(texts: Sequence[str]) -> np.ndarray:
    """A number for each SHINGLE characters in a row, equal for equal ones."""
    text = " ".join(" ".join(texts).split())
    found = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "u4").astype("u8")
    width, factor = 1, 0x9E3779B97F4A7C15  # odd, with its bits well mixed
    while width < SHINGLE and len(found) > width:
        # Two neighbours of `width` make one of twice that; numbers go round at 2**64.
        found = found[:-width] * np.uint64(factor) + found[width:]
        found ^= found >> np.uint64(29)
        width, factor = 2 * width, factor * factor % 2**64
    return found if width == SHINGLE else found[:0]


def _near(text: str, place: int) -> int:
    """The end of a paragraph, line or word at or a little before a place."""
    for cut in CUTS:
        found = text.rfind(cut, max(0, place - max(1000, place // 50)), place)
        if found > 0:
            return found + len(cut)
    return place


def _check(texts: Sequence[str], source: str) -> None:
    count = sum(map(len, texts))
    if count < FEWEST:
        raise InputError(
            f"{source}: {count} characters to train on; at least {FEWEST} are needed",
            f"{source}：训练用的只有 {count} 个字符；至少需要 {FEWEST} 个",
        )
    if len(set("".join(texts[:1000]))) < 2 and len(set("".join(texts))) < 2:
        raise InputError(
            f"{source}: one character only, {texts[0][:1]!r}; there is nothing to learn",
            f"{source}：只有一种字符 {texts[0][:1]!r}；没有可学的内容",
        )


def _card(found: Texts, keys: Sequence[str]) -> dict[str, Any]:
    return {
        "source": found.source,
        "rows": len(found.texts),
        "found": found.found,
        "characters": {
            "total": sum(map(len, found.texts)),
            "distinct": len(set().union(*map(set, found.texts))),
        },
        "lengths": describe_lengths([len(one) for one in found.texts]),
        "duplicates": len(keys) - len(set(keys)),
    }
