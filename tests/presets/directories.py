"""Directories of small random encoders, and the hidden states that an encoder's directory gives."""

from __future__ import annotations

import json
import struct
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasllm.presets import find

LETTERS = [*"abcdefghijklmnopqrstuvwxyz", *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"), *"天气真好,.!?…"]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, "good", "##ly", "weather"]
CONFIG = {
    "model_type": "bert", "vocab_size": len(VOCABULARY), "hidden_size": 12, "num_hidden_layers": 3,
    "num_attention_heads": 3, "intermediate_size": 20, "max_position_embeddings": 24, "type_vocab_size": 2,
    "layer_norm_eps": 1e-12, "hidden_act": "gelu", "pad_token_id": 0,
}  # fmt: skip
TEXTS = ["good weather", "天气真好!", "Goodly Café… xyz", "a"]


def arrays(config: dict[str, Any]) -> dict[str, np.ndarray]:
    """A checkpoint as PyTorch names it, at random, large enough for its GELU to matter."""
    draw = np.random.default_rng(0)
    width, wide = config["hidden_size"], config["intermediate_size"]
    shapes = {
        "embeddings.word_embeddings.weight": (config["vocab_size"], width),
        "embeddings.position_embeddings.weight": (config["max_position_embeddings"], width),
        "embeddings.token_type_embeddings.weight": (config["type_vocab_size"], width),
    }
    norms = ["embeddings.LayerNorm"]
    for number in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{number}"
        for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            shapes |= {f"{layer}.{name}.weight": (width, width), f"{layer}.{name}.bias": (width,)}
        shapes |= {f"{layer}.intermediate.dense.weight": (wide, width), f"{layer}.intermediate.dense.bias": (wide,)}
        shapes |= {f"{layer}.output.dense.weight": (width, wide), f"{layer}.output.dense.bias": (width,)}
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    for name in norms:
        shapes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    return {name: draw.normal(0, 0.6, shape).astype("float32") for name, shape in shapes.items()}


def write_safetensors(path: Path, content: dict[str, np.ndarray], dtype: str = "F32") -> None:
    header, blocks, at = {}, [], 0
    for name, array in content.items():
        if dtype == "BF16":
            block = (np.ascontiguousarray(array).view("u4") >> 16).astype("<u2").tobytes()
        else:
            block = array.astype({"F32": "<f4", "F16": "<f2"}[dtype]).tobytes()
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [at, at + len(block)]}
        blocks.append(block)
        at += len(block)
    words = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(words)) + words + b"".join(blocks))


def directory(place: Path, dtype: str = "F32", prefix: str = "", **config: Any) -> Path:
    """A Hugging Face directory."""
    told = CONFIG | config
    place.mkdir(parents=True)
    (place / "config.json").write_text(json.dumps(told))
    content = {prefix + name: array for name, array in arrays(told).items()}
    write_safetensors(place / "model.safetensors", content, dtype)
    (place / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", "utf-8")
    return place


def save_keras_hub(place: Path, kind: str = "Bert") -> Any:
    """A small random backbone with its tokenizer, as KerasHub saves them."""
    keras_hub = pytest.importorskip("keras_hub", reason="the train extra is not installed")
    import keras

    keras.utils.set_random_seed(1)
    backbone = getattr(keras_hub.models, f"{kind}Backbone")(
        len(VOCABULARY), num_layers=3, num_heads=3, hidden_dim=12, intermediate_dim=20, max_sequence_length=24
    )
    draw = np.random.default_rng(0)
    for weight in backbone.weights:
        weight.assign(draw.normal(0, 0.6, weight.shape))
    backbone.save_to_preset(str(place))
    if kind in ("Bert", "DistilBert"):
        getattr(keras_hub.models, f"{kind}Tokenizer")(VOCABULARY, lowercase=True).save_to_preset(str(place))
    return backbone


def inputs(place: Path, texts: list[str] = TEXTS) -> dict[str, np.ndarray]:
    found = [row.ids for row in find(str(place)).tokenizer().encode_batch(texts)]
    length = max(map(len, found))
    ids = np.array([row + [0] * (length - len(row)) for row in found], "int32")
    return {"ids": ids, "mask": np.arange(length) < np.array([[len(row)] for row in found])}


def hidden(place: Path, batch: dict[str, np.ndarray]) -> np.ndarray:
    """Our last hidden states, those of padding 0."""
    pytest.importorskip("keras", reason="the train extra is not installed")
    from kerasllm.models.bert import bert, encoder

    preset = find(str(place))
    sizes = asdict(preset.architecture)
    model = bert(classes=2, weights=preset.weights(sizes["depth"]), **sizes)
    assert {str(weight.dtype) for weight in model.weights} <= {"float32", "int64", "uint32"}
    found: np.ndarray = encoder(model).predict(batch, verbose=0)
    return found * batch["mask"][..., None]


def keras_hub_hidden(backbone: Any, batch: dict[str, np.ndarray]) -> np.ndarray:
    given = {"token_ids": batch["ids"], "padding_mask": batch["mask"].astype("int32")}
    if len(backbone.inputs) == 3:
        given["segment_ids"] = np.zeros_like(batch["ids"])
    found = backbone.predict(given, verbose=0)
    return (found["sequence_output"] if isinstance(found, dict) else found) * batch["mask"][..., None]
