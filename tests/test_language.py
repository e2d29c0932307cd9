"""Texts to learn from: what is read, held out, refused; tokens and back; how writing is asked for."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasllm.data import Data
from kerasllm.data.card import render
from kerasllm.data.language import SHINGLE, known, language_card, read_language
from kerasllm.encoders import LanguageEncoder, NextToken, load
from kerasllm.errors import InputError
from kerasllm.evaluate import variety
from kerasllm.language import Writing

PARAGRAPHS = [f"Paragraph {place}: " + "word " * (place % 7 + 3) + "end." for place in range(100)]
POEMS = [f"春眠不觉晓，第{place}首，处处闻啼鸟。" for place in range(50)]


def characters(texts: list[str]) -> LanguageEncoder:
    return LanguageEncoder.fit(texts, kind="characters", size=0)


def pieces(texts: list[str], size: int = 120) -> LanguageEncoder:
    return LanguageEncoder.fit(texts, kind="bpe", size=size)


def read(source: Any, **options: Any) -> Data:
    return read_language(source, fit=characters, **options)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "book.txt"
    path.write_text("\n\n".join(PARAGRAPHS), "utf-8")
    return path


def test_of_one_plain_text_the_end_is_held_out_at_a_blank_line(plain: Path) -> None:
    data = read(str(plain), validation="0.1", test="0.2")
    assert data.validation
    assert data.test
    parts = [rows.features[0] for rows in (data.train, data.validation, data.test)]
    assert "".join(parts) == plain.read_text("utf-8")
    assert all(part.startswith("Paragraph") for part in parts)
    shares = [len(part) / sum(map(len, parts)) for part in parts]
    assert shares == pytest.approx([0.7, 0.1, 0.2], abs=0.02)
    assert "its end is held out" in render(data.card)


def test_a_column_of_texts_is_split_by_text_and_equal_ones_stay_together() -> None:
    texts = [*POEMS, *(f" {poem} " for poem in POEMS[:25])]
    data = read({"text": texts}, test="0.3", seed=1)
    assert data.test
    assert not {one.strip() for one in data.train.features} & {one.strip() for one in data.test.features}
    assert len(data.train) + len(data.test) == 75
    assert data.card["duplicates"] == 25


def test_a_test_file_keeps_its_texts_out_of_the_training() -> None:
    data = read({"text": POEMS}, test="sample:messages")
    assert data.test
    assert len(data.test) > 1000
    assert len(data.train) == 50


@pytest.mark.parametrize("name", ["validation", "test"])
def test_the_training_text_again_is_no_test(name: str, plain: Path) -> None:
    (plain.parent / "again.txt").write_text(plain.read_text("utf-8").replace("\n", "\r\n ") + "\n", "utf-16")
    with pytest.raises(InputError, match=rf"^{name}: again.txt is the text to train on, book.txt, again; name another"):
        read(str(plain), **{name: str(plain.parent / "again.txt")})
    with pytest.raises(InputError, match="every text is in the validation or test file too"):
        read({"text": ["good day"]}, test=rows(plain.parent / "rows.csv", ["good day", "bad day"]))


def rows(path: Path, texts: list[str]) -> str:
    path.write_text("\n".join(["text", *texts]), "utf-8")
    return str(path)


def test_what_of_the_test_text_stands_in_the_training_text_is_noted(plain: Path) -> None:
    draw = np.random.default_rng(0)
    new = "".join(draw.choice(list("abcdefg "), 6000))
    (plain.parent / "test.txt").write_text(f"{new[:3000]} {plain.read_text('utf-8')[1000:2000]} {new[3000:]}", "utf-8")
    card = read(str(plain), test=str(plain.parent / "test.txt")).card
    assert card["test_known"] == pytest.approx(1000 / 7000, abs=0.03)
    assert "% of the test text stands in the training text too, letter for letter" in render(card)
    table = {"text": [*plain.read_text("utf-8").split("\n\n"), "more"]}
    assert read(table, test=str(plain.parent / "test.txt")).card["test_known"] > 0.1
    (plain.parent / "test.txt").write_text(new, "utf-8")
    card = read(str(plain), test=str(plain.parent / "test.txt"), validation="0.1").card
    assert (card["test_known"], card["validation_known"]) == (0, 0)
    assert "letter for letter" not in render(card)


def test_known_pieces_are_found_at_any_place_and_over_long_texts() -> None:
    text = "".join(np.random.default_rng(1).choice([*"天地玄黄宇宙洪荒ab😀"], 1_200_000))
    for start in (0, 77, (1 << 20) - 300, len(text) - SHINGLE * 5):
        assert known([text[start : start + SHINGLE * 5]], [text]) == 1
    assert known([text[::-1][:9000]], [text]) == 0
    assert known(["short"], ["short"]) == known([""], [text]) == 0


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_plain_text_is_read_in_its_encoding_and_zipped(encoding: str, tmp_path: Path) -> None:
    text = "\r\n".join(POEMS)
    path = tmp_path / "poems.txt.gz"
    path.write_bytes(gzip.compress(text.encode(encoding)))
    data = read(str(path), test="")
    assert data.train.features == ["\n".join(POEMS)]
    assert data.card["found"]["encoding"] == encoding


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "book.txt is empty"),
        (b" \n\t\n", "book.txt holds no text, only white space"),
        (b"short", "book.txt: 5 characters to train on; at least 200 are needed"),
        (b"a" * 5000, "book.txt: one character only, 'a'; there is nothing to learn"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9, "book.txt is a picture"),
        (b"text \0 and bytes \1\2" * 99, "a NUL byte; the file is damaged or no text"),
        (b"\xff\xfe\xfd" * 999, "book.txt"),
        (gzip.compress(b"text" * 99, mtime=0), "let its name end in .gz"),
    ],
)
def test_a_file_that_is_no_text_is_one_line(content: bytes, says: str, plain: Path) -> None:
    plain.write_bytes(content)
    with pytest.raises(InputError) as raised:
        read(str(plain), test="")
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("source", "options", "says"),
    [
        ({"poem": POEMS}, {}, "no column 'text'; there are: poem (the parameter 'text' names it)"),
        ({"text": ["", None, " "]}, {}, "no row has a text in 'text'"),
        ({"text": POEMS}, {"test": "0.5", "validation": "0.5"}, "leave nothing to train on"),
        ("book.txt", {"test": "0.5", "validation": "0.5"}, "leave nothing to train on"),
        ("book.tx", {}, "did you mean 'book.txt'?"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    source: Any, options: dict[str, str], says: str, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(plain.parent)
    with pytest.raises(InputError) as raised:
        read(source, **options)
    assert says in str(raised.value)


def test_the_card_counts_characters(plain: Path) -> None:
    shown = render(language_card(str(plain)))
    text = plain.read_text("utf-8")
    assert f"text: {len(text)} characters, {len(set(text))} distinct" in shown


def test_every_character_is_a_token_and_what_was_read_can_be_written() -> None:
    encoder = characters(["aé\n你😀 ", "ba"])
    for text in ("你a\n😀", " éb"):
        (ids,) = encoder.encode([text])["ids"]
        assert ids[0] == 0
        assert "".join(encoder.names[place] for place in ids[1:]) == text
    assert encoder.unknown("a?你!") == ["!", "?"]
    assert encoder.ids("a?") == [encoder.vocabulary["a"], 1]
    assert NextToken(encoder).encode(["abc", ""]).tolist() == [4, 1]


@pytest.mark.parametrize("texts", [PARAGRAPHS, POEMS])
def test_pieces_of_words_write_back_what_they_read_and_know_every_character(texts: list[str]) -> None:
    encoder = pieces(texts)
    for text in (*texts, texts[0][::-1], "".join(sorted(set("".join(texts))))):
        assert "".join(encoder.names[place] for place in encoder.ids(text)) == text
    assert len(encoder.ids(texts[0])) < len(texts[0]) / 2
    assert encoder.unknown("€") == ["€"]
    assert encoder.ids("€") == [1]


def test_a_text_with_the_words_of_the_special_tokens_is_read_letter_by_letter(tmp_path: Path) -> None:
    text = "at the [END] an [UNK] stands [END]."
    encoder = pieces([*PARAGRAPHS, text * 50])
    for name, content in encoder.files().items():
        (tmp_path / name).write_text(content, "utf-8")
    for one in (encoder, LanguageEncoder.load(tmp_path)):
        found = one.ids(text)
        assert not {0, 1} & set(found)
        assert "".join(one.names[place] for place in found) == text


def test_pieces_of_words_are_the_same_in_another_process() -> None:
    code = (
        "from tests.test_language import pieces, PARAGRAPHS, POEMS\n"
        "import hashlib; print(hashlib.sha256(pieces(PARAGRAPHS + POEMS).tokenizer.to_str().encode()).hexdigest())"
    )
    found = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(found) == 1


def test_a_vocabulary_smaller_than_the_alphabet_is_refused() -> None:
    with pytest.raises(InputError, match=r"^vocabulary_size: 10 leaves no room for merges: the texts have \d+ char"):
        pieces(PARAGRAPHS, size=10)


@pytest.mark.parametrize("fit", [characters, pieces])
def test_the_encoder_is_loaded_as_it_was_saved(fit: Any, tmp_path: Path) -> None:
    encoder = fit(PARAGRAPHS)
    for name, text in encoder.files().items():
        (tmp_path / name).write_text(text, "utf-8")
    again, decoder = load(tmp_path)
    assert again.ids(PARAGRAPHS[3]) == encoder.ids(PARAGRAPHS[3])
    assert (again.unseen, again.kind, again.names) == (encoder.unseen, encoder.kind, encoder.names)
    assert decoder.encoder.names == encoder.names


def test_the_next_token_never_is_one_that_training_never_saw() -> None:
    decoder = NextToken(characters(["ab"]))
    (answer,) = decoder.decode(np.array([[0.0, 99.0, 1.0, 2.0]], "float32"))
    assert answer["next"] == "b"
    assert list(answer["probabilities"]) == ["b", "a", "[END]"]
    assert sum(answer["probabilities"].values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"temperature": -1}, "temperature: -1 must be 0 or more"),
        ({"top_p": 0}, "top_p: 0 must be greater than 0"),
        ({"length": "many"}, "length: 'many'"),
        ({"topk": 3}, "no parameter 'topk'; did you mean 'top_k'?"),
    ],
)
def test_a_wrong_way_of_writing_is_one_line(options: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as raised:
        Writing(**options)
    assert says in str(raised.value)


def test_variety_of_what_is_written() -> None:
    assert variety(["abcabcabc"]) == {
        "distinct_1": 3 / 9, "distinct_2": 3 / 8, "distinct_3": 3 / 7, "repetition": 3 / 6,
    }  # fmt: skip
    assert variety(["abcd", "efgh"])["repetition"] == 0
    assert variety(["abcd", "abcd"])["distinct_1"] == 0.5
