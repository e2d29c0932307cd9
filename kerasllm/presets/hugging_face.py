"""A Hugging Face directory: config.json, *.safetensors, and tokenizer.json or vocab.txt."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, normalizers

from kerasllm.errors import InputError, did_you_mean
from kerasllm.presets.architecture import (
    Architecture,
    checked,
    count,
    fitting,
    normalizer,
    read_json,
    read_tokenizer,
    read_vocabulary,
    setting,
)

# The first position of RoBERTa's kind is the one after the padding's id.
SHIFTED = {"roberta", "xlm-roberta", "camembert"}
KINDS = {"bert", *SHIFTED}
# Tokenizers that transformers makes anew, with the settings of tokenizer_config.json or their defaults, whatever the
# normalizer of tokenizer.json is. None: it is told nowhere.
REMADE = (None, "BertTokenizer", "BertTokenizerFast", "DistilBertTokenizer", "DistilBertTokenizerFast")
ACTIVATIONS = {
    "gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "relu": "relu", "silu": "silu",
    "swish": "silu",
}  # fmt: skip
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


class HuggingFace:
    """An encoder of BERT's or RoBERTa's kind, as transformers saves it."""

    def __init__(self, place: Path):
        self.place = place
        self._path = place / "config.json"
        self._config = read_json(self._path)
        self._kind = kind = setting(self._config, "model_type", self._path)
        if kind not in sorted(KINDS):
            raise InputError(
                f"preset: {place} holds a model of type {kind!r}, not one of {', '.join(sorted(KINDS))}",
                f"preset：{place} 中的模型类型是 {kind!r}，须为其中之一：{'、'.join(sorted(KINDS))}",
            )
        if self._config.get("position_embedding_type", "absolute") != "absolute":
            raise InputError(
                f"preset: {place} has relative positions, which are not supported",
                f"preset：{place} 用相对位置，不受支持",
            )
        padding = self._config.get("pad_token_id", 1)
        if kind in SHIFTED and not isinstance(padding, int):
            raise InputError(
                f"preset: {self._path}, pad_token_id: {padding!r} is no whole number",
                f"preset：{self._path}，pad_token_id：{padding!r} 不是整数",
            )
        self._shift = padding + 1 if kind in SHIFTED else 0

    @cached_property
    def architecture(self) -> Architecture:
        """As config.json tells."""

        def told(name: str) -> int:
            return count(self._config, name, self._path)

        activation = str(setting(self._config, "hidden_act", self._path))
        if activation not in ACTIVATIONS:
            raise InputError(
                f"preset: {self._path}, hidden_act: {activation!r}{did_you_mean(activation, ACTIVATIONS)}",
                f"preset：{self._path}，hidden_act：{activation!r}{did_you_mean(activation, ACTIVATIONS, 'zh')}",
            )
        epsilon = self._config.get("layer_norm_eps", 1e-12)
        if not isinstance(epsilon, (int, float)):
            raise InputError(
                f"preset: {self._path}, layer_norm_eps: {epsilon!r} is no number",
                f"preset：{self._path}，layer_norm_eps：{epsilon!r} 不是数字",
            )
        sizes = Architecture(
            vocabulary_size=told("vocab_size"),
            depth=told("num_hidden_layers"),
            width=told("hidden_size"),
            heads=told("num_attention_heads"),
            feedforward=told("intermediate_size"),
            positions=told("max_position_embeddings") - self._shift,
            activation=ACTIVATIONS[activation],
            epsilon=float(epsilon),
        )
        return checked(sizes, self._path)

    def tokenizer(self) -> Tokenizer:
        """From tokenizer.json, else from vocab.txt; a BERT's case and accents are those that its settings tell."""
        settings = self.place / "tokenizer_config.json"
        told = read_json(settings) if settings.exists() else {}
        cleaned = partial(
            normalizer,
            self.place,
            lowercase=told.get("do_lower_case", True),
            strip_accents=told.get("strip_accents"),
            chinese=told.get("tokenize_chinese_chars", True),
        )
        path = self.place / "tokenizer.json"
        if path.exists():
            tokenizer = read_tokenizer(path)
            tokenizer.no_truncation()
            tokenizer.no_padding()
            is_berts = self._kind == "bert" and isinstance(tokenizer.normalizer, normalizers.BertNormalizer)
            if is_berts and told.get("tokenizer_class") in REMADE:
                tokenizer.normalizer = cleaned()
            return fitting(tokenizer, self.architecture, path)
        path = self.place / "vocab.txt"
        if not path.exists():
            raise InputError(
                f"preset: {self.place} has neither tokenizer.json nor vocab.txt; in Python: "
                "transformers.AutoTokenizer.from_pretrained(it).save_pretrained(it) writes tokenizer.json",
                f"preset：{self.place} 中没有 tokenizer.json，也没有 vocab.txt；可在 Python 中用 "
                "transformers.AutoTokenizer.from_pretrained(目录).save_pretrained(目录) 写出 tokenizer.json",
            )
        return fitting(read_vocabulary(path, cleaned()), self.architecture, path)

    def weights(self, depth: int) -> dict[str, np.ndarray]:
        """Read from the safetensors; a missing or misshapen array raises InputError."""
        arrays: dict[str, np.ndarray] = {}
        for path in sorted(self.place.glob("*.safetensors")):
            arrays |= read_safetensors(path)
        if not arrays:
            raise InputError(
                f"preset: {self.place} has no model.safetensors; in Python: "
                "transformers.AutoModel.from_pretrained(it).save_pretrained(it) writes it",
                f"preset：{self.place} 中没有 model.safetensors；可在 Python 中用 "
                "transformers.AutoModel.from_pretrained(目录).save_pretrained(目录) 写出",
            )
        return _named(arrays, self.architecture, depth, self._shift, self.place)


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """The arrays of numbers in a file, by name, as they are stored (bfloat16 as its 16 bits)."""
    try:
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(min(size, path.stat().st_size)))
        data = np.memmap(path, "u1", "r", offset=8 + size)
        found = {}
        for name, entry in header.items():
            if name != "__metadata__" and entry["dtype"] in DTYPES:
                begin, end = entry["data_offsets"]
                array = data[begin:end].view(DTYPES[entry["dtype"]]).reshape(entry["shape"])
                if entry["dtype"] == "BF16":  # the upper half of a float32
                    array = (array.astype("u4") << 16).view("f4")
                found[name] = array
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, struct.error):
        raise InputError(
            f"preset: {path} is no whole safetensors file (a Git LFS pointer, or cut off); download it again",
            f"preset：{path} 不是完整的 safetensors 文件（是 Git LFS 指针，或被截断）；请重新下载",
        ) from None
    return found


def _named(
    arrays: Mapping[str, np.ndarray], sizes: Architecture, depth: int, shift: int, place: Path
) -> dict[str, np.ndarray]:
    """PyTorch's names and (out, in) matrices -> our paths and (in, out) kernels."""
    words = "embeddings.word_embeddings.weight"
    prefix = next((name.removesuffix(words) for name in arrays if name.endswith(words)), "")
    width, heads = sizes.width, sizes.heads
    split = (heads, width // heads)

    def array(name: str, *shape: int) -> np.ndarray:
        found = arrays.get(prefix + name)
        if found is None:
            raise InputError(f"preset: the weights in {place} lack {name}", f"preset：{place} 的权重中缺少 {name}")
        if found.shape != shape:
            raise InputError(
                f"preset: {name} in {place} is {found.shape}, where config.json says {shape}",
                f"preset：{place} 中 {name} 的形状是 {found.shape}，而 config.json 写的是 {shape}",
            )
        return found.astype("float32")

    def norm(path: str, name: str) -> dict[str, np.ndarray]:
        old = f"{prefix}{name}.gamma" in arrays  # TensorFlow's names, in the oldest checkpoints
        gamma, beta = ("gamma", "beta") if old else ("weight", "bias")
        return {f"{path}/gamma": array(f"{name}.{gamma}", width), f"{path}/beta": array(f"{name}.{beta}", width)}

    def dense(path: str, name: str, inputs: int, units: int) -> dict[str, np.ndarray]:
        kernel = array(f"{name}.weight", units, inputs).T
        return {f"{path}/kernel": kernel, f"{path}/bias": array(f"{name}.bias", units)}

    positions = array("embeddings.position_embeddings.weight", sizes.positions + shift, width)[shift:]
    segments = arrays.get(f"{prefix}embeddings.token_type_embeddings.weight")
    if segments is not None:
        positions = positions + segments[0].astype("float32")  # one segment: its vector is in every position
    found = {"tokens/embeddings": array(words, sizes.vocabulary_size, width), "positions/embeddings": positions}
    found |= norm("embedded", "embeddings.LayerNorm")
    for number in range(depth):
        block, layer = f"block_{number + 1}", f"encoder.layer.{number}"
        for part in ("query", "key", "value"):
            values = dense(f"{block}_attention/{part}", f"{layer}.attention.self.{part}", width, width)
            for path, value in values.items():
                found[path] = value.reshape((width, *split) if value.ndim == 2 else split)
        path = f"{block}_attention/attention_output"
        found |= dense(path, f"{layer}.attention.output.dense", width, width)
        found[f"{path}/kernel"] = found[f"{path}/kernel"].reshape(*split, width)
        found |= norm(f"{block}_attended", f"{layer}.attention.output.LayerNorm")
        found |= dense(f"{block}_wide", f"{layer}.intermediate.dense", width, sizes.feedforward)
        found |= dense(f"{block}_narrow", f"{layer}.output.dense", sizes.feedforward, width)
        found |= norm(f"{block}_output", f"{layer}.output.LayerNorm")
    return found
