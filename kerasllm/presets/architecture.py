"""What a pretrained encoder is: its sizes, and what every kind of preset can tell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from kerasllm.errors import InputError


@dataclass(frozen=True)
class Architecture:
    """The arguments of `kerasllm.models.bert` that a checkpoint fixes."""

    vocabulary_size: int
    depth: int
    width: int
    heads: int
    feedforward: int
    positions: int
    activation: str
    epsilon: float


class Preset(Protocol):
    """A pretrained encoder in a directory."""

    place: Path

    @property
    def architecture(self) -> Architecture:
        """Its sizes."""

    def tokenizer(self) -> Tokenizer:
        """Its tokenizer, which neither cuts nor pads."""

    def weights(self, depth: int) -> dict[str, np.ndarray]:
        """The arrays of its first `depth` layers, float32, by the weights' paths in `kerasllm.models.bert`."""


def read_json(path: Path) -> dict[str, Any]:
    """A file of a preset's directory."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"preset: {path.parent} has no {path.name}", f"preset：{path.parent} 中没有 {path.name}"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"preset: {path} is no JSON: {error}", f"preset：{path} 不是 JSON：{error}") from None
    if not isinstance(content, dict):
        raise InputError(f"preset: {path} holds no JSON object", f"preset：{path} 中不是 JSON 对象")
    return content


def setting(config: Mapping[str, Any], name: str, path: Path) -> Any:
    """A setting that a preset's config.json must have."""
    if name not in config:
        raise InputError(
            f"preset: {path} does not tell {name!r}; is it of an encoder of BERT's kind?",
            f"preset：{path} 没有写明 {name!r}；它是 BERT 一类的编码器吗？",
        )
    return config[name]


def count(config: Mapping[str, Any], name: str, path: Path) -> int:
    """A setting of config.json that is a positive whole number."""
    value = setting(config, name, path)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(
            f"preset: {path}, {name}: {value!r} is no positive whole number",
            f"preset：{path}，{name}：{value!r} 不是正整数",
        )
    return value


def checked(sizes: Architecture, path: Path) -> Architecture:
    """The sizes, after a look whether a network can have them."""
    if sizes.width % sizes.heads:
        raise InputError(
            f"preset: {path}: {sizes.heads} heads do not divide the width {sizes.width}",
            f"preset：{path}：{sizes.heads} 个注意力头不能整除宽度 {sizes.width}",
        )
    if sizes.positions < 1:
        raise InputError(f"preset: {path} leaves no position for a token", f"preset：{path} 没有给词元留下位置")
    return sizes


def read_tokenizer(path: Path) -> Tokenizer:
    """A tokenizer.json, as `tokenizers` or transformers saves it."""
    setting(read_json(path), "model", path)
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # `tokenizers` raises nothing narrower
        reason = " ".join(str(error).split())
        raise InputError(
            f"preset: {path} is no tokenizer that can be read: {reason[:120]}",
            f"preset：{path} 不是可读的分词器：{reason[:120]}",
        ) from error


def normalizer(place: Path, *, lowercase: Any, strip_accents: Any, chinese: Any = True) -> Any:
    """BERT's normalizer by the settings of a preset in `place`; `chinese`: whether its characters are parted."""
    for name, value in (("lowercase", lowercase), ("strip_accents", strip_accents), ("chinese characters", chinese)):
        if not (isinstance(value, bool) or (name == "strip_accents" and value is None)):
            raise InputError(
                f"preset: {place} sets {name} to {value!r}, neither true nor false",
                f"preset：{place} 把 {name} 设为 {value!r}，它既不是 true 也不是 false",
            )
    return normalizers.BertNormalizer(lowercase=lowercase, strip_accents=strip_accents, handle_chinese_chars=chinese)


def read_vocabulary(path: Path, normalizer: Any) -> Tokenizer:
    """BERT's tokenizer from a file with a token per line."""
    try:
        lines = path.read_text("utf-8").rstrip("\n").split("\n")
    except (OSError, UnicodeDecodeError):
        raise InputError(
            f"preset: {path} is no text in UTF-8; save it as UTF-8", f"preset：{path} 不是 UTF-8 文本；请另存为 UTF-8"
        ) from None
    return word_piece(lines, normalizer)


def fitting(tokenizer: Tokenizer, sizes: Architecture, path: Path) -> Tokenizer:
    """The tokenizer from `path`, after a look whether the network has a place for each of its tokens."""
    known = tokenizer.get_vocab_size()
    if known > sizes.vocabulary_size:
        raise InputError(
            f"preset: {path} knows {known} tokens, the network {sizes.vocabulary_size}; are they of one model?",
            f"preset：{path} 有 {known} 个词元，而网络只有 {sizes.vocabulary_size} 个；它们属于同一模型吗？",
        )
    return tokenizer


def word_piece(vocabulary: list[str], normalizer: Any) -> Tokenizer:
    """BERT's tokenizer from the lines of its vocabulary."""
    places = {token: place for place, token in enumerate(vocabulary)}
    for token in ("[UNK]", "[CLS]", "[SEP]"):
        if token not in places:
            raise InputError(
                f"preset: the vocabulary has no {token}; is it a BERT's?",
                f"preset：词表中没有 {token}；它是 BERT 的词表吗？",
            )
    tokenizer = Tokenizer(models.WordPiece(places, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.add_special_tokens([token for token in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]") if token in places])
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(token, places[token]) for token in ("[CLS]", "[SEP]")]
    )
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer
