"""A KerasHub directory of an encoder.

KerasHub's encoders of BERT's kind differ in what they compute; a checkpoint fits the one that computes the same:

| backbone | GELU | epsilon | segments |
|---|---|---|---|
| BertBackbone | tanh | 1e-12 | yes |
| DistilBertBackbone | exact | 1e-12 | no |
| RobertaBackbone, XLMRobertaBackbone | exact | 1e-5 | no |
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from kerasllm.errors import InputError, in_one_line, needs
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

KINDS = {  # activation, epsilon
    "BertBackbone": ("gelu_tanh", 1e-12),
    "DistilBertBackbone": ("gelu", 1e-12),
    "RobertaBackbone": ("gelu", 1e-5),
    "XLMRobertaBackbone": ("gelu", 1e-5),
}
DAMAGED = (OSError, ValueError, TypeError, KeyError, AttributeError)  # what KerasHub raises where files are wrong
EXACT = "exact_tokenizer.json"  # beside KerasHub's own tokenizer.json, which cannot say all
INNER = {  # our layers' names after block_N -> the parts of KerasHub's TransformerEncoder
    "attention": "_self_attention_layer",
    "attended": "_self_attention_layer_norm",
    "wide": "_feedforward_intermediate_dense",
    "narrow": "_feedforward_output_dense",
    "output": "_feedforward_layer_norm",
}


class KerasHub:
    """An encoder of BERT's kind, as KerasHub saves it."""

    def __init__(self, place: Path):
        self.place = place
        path = place / "config.json"
        config = read_json(path)
        self._kind, self._config = config["class_name"], setting(config, "config", path)
        if self._kind not in list(KINDS):
            raise InputError(
                f"preset: {place} holds a {self._kind}, not one of {', '.join(KINDS)}",
                f"preset：{place} 中是 {self._kind}，须为其中之一：{'、'.join(KINDS)}",
            )
        if not isinstance(self._config, dict):
            raise InputError(
                f"preset: {path}, config: {self._config!r} is no JSON object",
                f"preset：{path}，config：{self._config!r} 不是 JSON 对象",
            )

    @staticmethod
    def is_at(place: Path) -> bool:
        """Whether a directory is KerasHub's rather than Hugging Face's."""
        return "class_name" in read_json(place / "config.json")

    @cached_property
    def architecture(self) -> Architecture:
        """As config.json tells, and as the backbone's class computes."""

        path = self.place / "config.json"

        def told(name: str) -> int:
            return count(self._config, name, path)

        activation, epsilon = KINDS[self._kind]
        sizes = Architecture(
            vocabulary_size=told("vocabulary_size"),
            depth=told("num_layers"),
            width=told("hidden_dim"),
            heads=told("num_heads"),
            feedforward=told("intermediate_dim"),
            positions=told("max_sequence_length"),
            activation=activation,
            epsilon=epsilon,
        )
        return checked(sizes, path)

    def tokenizer(self) -> Tokenizer:
        """The exact one that `save_to_preset` wrote, else WordPiece with the directory's vocabulary and settings."""
        path = self.place / EXACT
        if path.exists():
            return fitting(read_tokenizer(path), self.architecture, path)
        path = self.place / "assets" / "tokenizer" / "vocabulary.txt"
        if not path.exists():
            raise InputError(
                f"preset: {self.place} has no WordPiece vocabulary ({path}); use a Hugging Face directory",
                f"preset：{self.place} 中没有 WordPiece 词表（{path}）；请用 Hugging Face 目录",
            )
        settings = self.place / "tokenizer.json"
        told = read_json(settings).get("config", {})
        if not isinstance(told, dict):
            raise InputError(
                f"preset: {settings}, config: {told!r} is no JSON object",
                f"preset：{settings}，config：{told!r} 不是 JSON 对象",
            )
        cleaned = normalizer(
            self.place, lowercase=told.get("lowercase", False), strip_accents=told.get("strip_accents", False)
        )
        return fitting(read_vocabulary(path, cleaned), self.architecture, path)

    def weights(self, depth: int) -> dict[str, np.ndarray]:
        """Read by KerasHub's own loader."""
        with needs("train"):
            from kerasllm import backend  # noqa: F401  (first: the quiet way to import Keras)

            import keras_hub  # isort: skip

        try:
            backbone = keras_hub.models.Backbone.from_preset(str(self.place), dtype="float32")
        except DAMAGED as error:
            raise InputError(
                f"preset: KerasHub cannot load {self.place}: {in_one_line(error)}",
                f"preset：KerasHub 无法加载 {self.place}：{in_one_line(error)}",
            ) from error
        found = {path: np.asarray(weight) for path, weight in by_path(backbone, depth).items()}
        if self._kind == "BertBackbone":  # one segment: its vector is in every position
            found["positions/embeddings"] += np.asarray(backbone.get_layer("segment_embedding").embeddings)[0]
        return found


def by_path(backbone: Any, depth: int) -> dict[str, Any]:
    """The variables of a backbone's first `depth` layers by our weights' paths; the shapes are the same."""
    places = [layer for layer in backbone.layers if hasattr(layer, "position_embedding")] or [backbone]
    place = places[0].position_embedding
    found = {
        "tokens/embeddings": backbone.token_embedding.embeddings,
        "positions/embeddings": place.position_embeddings,
    }
    layers = {"embedded": backbone.get_layer("embeddings_layer_norm")}
    for number in range(depth):
        outer = backbone.get_layer(f"transformer_layer_{number}")
        layers |= {f"block_{number + 1}_{name}": getattr(outer, inner) for name, inner in INNER.items()}
    for name, layer in layers.items():
        parts = {"": layer}
        if name.endswith("_attention"):
            parts = {
                "/query": layer.query_dense, "/key": layer.key_dense, "/value": layer.value_dense,
                "/attention_output": layer.output_dense,
            }  # fmt: skip
        for part, inner in parts.items():
            found |= {f"{name}{part}/{weight.name}": weight for weight in inner.weights}
    return found
