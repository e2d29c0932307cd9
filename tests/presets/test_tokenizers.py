"""A preset's tokenizer: the same ids as those that its directory is meant for give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import BertWordPieceTokenizer, Tokenizer
from tokenizers.normalizers import BertNormalizer

from kerasllm.errors import InputError
from kerasllm.presets import find
from kerasllm.presets.architecture import word_piece
from tests.presets.directories import TEXTS, VOCABULARY, directory, save_keras_hub

slow = pytest.mark.slow
# transformers and KerasHub warn of what they will change; that is not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore")


def lines(shared: Path) -> list[str]:
    """5,000 Chinese lines and as many English ones."""
    import pandas as pd

    return [
        text
        for name in ("chnsenticorp", "banking77")
        for text in pd.read_csv(shared / name / "train.csv", dtype=str, keep_default_na=False)["text"][:5000]
    ]


@slow
@pytest.mark.parametrize("name", ["e5-small-zh", "minilm-l6-en", "minilm-l6-en without tokenizer.json"])
def test_ids_are_the_directorys_own_on_ten_thousand_lines(name: str, shared: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    from kerasllm.encoders import TokenEncoder

    place = shared.parent / "models" / name.split()[0]
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_file=str(place / "tokenizer.json"))
    if name != name.split()[0]:
        for file in ("config.json", "vocab.txt", "tokenizer_config.json"):
            (tmp_path / file).write_bytes((place / file).read_bytes())
        place = tmp_path
    texts = [*lines(shared), "Café naïve… ½ ﬁ Ｗｉｄｅ ①②\t\x00\u200b end", "𠀀𪜀 汉字 kana カナ 한국어"]
    mine = TokenEncoder(find(str(place)).tokenizer(), "text", 64).encode(texts)["ids"]
    expected = theirs(texts, truncation=True, max_length=64, padding=False)["input_ids"]
    assert len(mine) > 10_000
    assert [row.tolist() for row in mine] == expected


def test_wordpiece_is_tokenizers_own(tmp_path: Path) -> None:
    """The tokenizer that a vocabulary makes is the one that BertWordPieceTokenizer makes."""

    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY), "utf-8")
    theirs = BertWordPieceTokenizer(str(tmp_path / "vocab.txt"), lowercase=True)
    mine: Tokenizer = word_piece(VOCABULARY, BertNormalizer(lowercase=True))
    for text in TEXTS:
        assert mine.encode(text).ids == theirs.encode(text).ids


@pytest.mark.parametrize(("settings", "text", "tokens"), [
    ({}, "Café", ["c", "##a", "##f", "##e"]),
    ({"do_lower_case": False}, "Café", ["[UNK]"]),
    ({"strip_accents": False}, "Café", ["[UNK]"]),
])  # fmt: skip
def test_a_vocabularys_case_is_told_by_the_tokenizers_config(
    settings: dict[str, Any], text: str, tokens: list[str], tmp_path: Path
) -> None:
    place = directory(tmp_path / "preset")
    (place / "tokenizer_config.json").write_text(json.dumps(settings))
    assert find(str(place)).tokenizer().encode(text).tokens == ["[CLS]", *tokens, "[SEP]"]


@slow
@pytest.mark.parametrize(
    "kind", ["BertTokenizer", "BertTokenizerFast", "DistilBertTokenizer", "PreTrainedTokenizerFast", None]
)
@pytest.mark.parametrize("lowercase", [True, False])
def test_where_two_files_tell_two_things_ids_are_transformers_own(
    kind: str | None, lowercase: bool, tmp_path: Path
) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    place = directory(tmp_path / "preset")
    word_piece(VOCABULARY, BertNormalizer(lowercase=lowercase)).save(str(place / "tokenizer.json"))
    for told in (
        None,
        {},
        {"do_lower_case": False},
        {"do_lower_case": True, "strip_accents": False},
        {"tokenize_chinese_chars": False},
    ):
        if told is not None:
            (place / "tokenizer_config.json").write_text(json.dumps(told | ({"tokenizer_class": kind} if kind else {})))
        theirs = transformers.AutoTokenizer.from_pretrained(place)
        mine = find(str(place)).tokenizer()
        for text in (*TEXTS, "GOOD Café 天气真好"):
            assert mine.encode(text).ids == theirs(text)["input_ids"], told


def test_a_stored_padding_and_length_do_not_count(tmp_path: Path) -> None:
    place = directory(tmp_path / "preset")
    stored = word_piece(VOCABULARY, BertNormalizer(lowercase=True))
    stored.enable_padding(length=20)
    stored.enable_truncation(4)
    stored.save(str(place / "tokenizer.json"))
    assert len(find(str(place)).tokenizer().encode("good weather good weather").ids) == 6


@slow
def test_a_keras_hub_directory_gives_its_tokenizers_ids(tmp_path: Path) -> None:
    save_keras_hub(tmp_path / "preset")
    import keras_hub

    theirs = keras_hub.models.BertTokenizer.from_preset(str(tmp_path / "preset"))
    mine = find(str(tmp_path / "preset")).tokenizer()
    for text in ("Good weather, goodly!", "天气真好", "Café zzz"):
        assert mine.encode(text, add_special_tokens=False).ids == np.asarray(theirs(text)).tolist()


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    place = directory(tmp_path / "preset")
    word_piece([*VOCABULARY, "more"], BertNormalizer(lowercase=True)).save(str(place / "tokenizer.json"))
    with pytest.raises(InputError, match="knows 70 tokens, the network 69"):
        find(str(place)).tokenizer()
