"""Save a trained encoder as a KerasHub preset."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tokenizers import Tokenizer

from kerasllm.encoders import TokenEncoder
from kerasllm.errors import InputError, needs
from kerasllm.presets.architecture import Architecture
from kerasllm.presets.keras_hub import EXACT, KINDS, by_path

if TYPE_CHECKING:
    import keras

    from kerasllm.run import Run


def save_to_preset(run: Run, folder: str | Path) -> Path:
    """Save a run's fine-tuned encoder and tokenizer as a KerasHub preset, and return its directory.

    `keras_hub.models.Backbone.from_preset(folder)` then gives the same last hidden states, and `preset=folder` trains
    on from them. The classifying head is not part of it: it stays in the run's model.keras. The backbone is the one
    that computes the same (see keras_hub.py), so an exact GELU makes it a DistilBertBackbone. A tokenizer other than
    WordPiece with BERT's normalizer is saved for kerasllm only, since KerasHub's Tokenizer cannot say the same.
    """
    with needs("train"):
        from kerasllm import backend  # noqa: F401  (first: the quiet way to import Keras)

        import keras_hub  # isort: skip

    if not (run.path / TokenEncoder.FILE).exists():
        raise InputError(
            f"{run.name} is a run of {run.asked['recipe']}, which has no encoder to save as a preset",
            f"{run.name} 是 {run.asked['recipe']} 的运行，没有可存为预设的编码器",
        )
    place = Path(folder)
    if place.exists() and not place.is_dir():
        raise InputError(f"{place} is a file; choose a folder", f"{place} 是文件；请选择一个文件夹")
    if place.exists() and any(place.iterdir()):
        raise InputError(f"{place} is not empty; choose another folder", f"{place} 不是空的；请另选文件夹")
    sizes = _sizes(run.model)
    kind = next(
        (
            kind
            for kind, (activation, epsilon) in KINDS.items()
            if activation == sizes.activation and math.isclose(epsilon, sizes.epsilon, rel_tol=1e-3)
        ),
        None,
    )
    if kind is None:
        raise InputError(
            f"no encoder of KerasHub has {sizes.activation} and epsilon {sizes.epsilon:g}",
            f"KerasHub 没有激活函数为 {sizes.activation}、epsilon 为 {sizes.epsilon:g} 的编码器",
        )
    backbone = getattr(keras_hub.models, kind)(
        vocabulary_size=sizes.vocabulary_size,
        num_layers=sizes.depth,
        num_heads=sizes.heads,
        hidden_dim=sizes.width,
        intermediate_dim=sizes.feedforward,
        max_sequence_length=sizes.positions,
        dtype="float32",
    )
    mine = {weight.path: weight for weight in run.model.weights}
    for path, weight in by_path(backbone, sizes.depth).items():
        weight.assign(mine[path])
    if kind == "BertBackbone":  # the segment's vector is in the positions already
        segments = backbone.get_layer("segment_embedding").embeddings
        segments.assign(np.zeros(segments.shape))
    backbone.save_to_preset(str(place))
    tokenizer = Tokenizer.from_file(str(run.path / "tokenizer.json"))
    tokenizer.no_truncation()  # the run's max_length is not the encoder's
    _save_tokenizer(keras_hub, kind, tokenizer, place)
    return place


def _sizes(model: keras.Model) -> Architecture:
    """What the network is, as its layers tell."""
    from kerasllm.models.bert import depth

    tokens, places, wide = (model.get_layer(name) for name in ("tokens", "positions", "block_1_wide"))
    activation = wide.activation.__name__
    return Architecture(
        vocabulary_size=tokens.input_dim,
        depth=depth(model),
        width=tokens.output_dim,
        heads=model.get_layer("block_1_attention").num_heads,
        feedforward=wide.units,
        positions=places.input_dim,
        activation="gelu_tanh" if activation == "linear" else activation,  # that one is no layer's, but an operation
        epsilon=model.get_layer("embedded").epsilon,
    )


def _save_tokenizer(keras_hub: Any, kind: str, tokenizer: Tokenizer, place: Path) -> None:
    """Ours exactly, and KerasHub's beside it where that can say the same."""
    (place / EXACT).write_text(tokenizer.to_str(), "utf-8")
    told = json.loads(tokenizer.to_str())
    vocabulary = tokenizer.get_vocab()
    special = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
    maker = getattr(keras_hub.models, kind.replace("Backbone", "Tokenizer"))
    if told["model"]["type"] != "WordPiece" or not special <= vocabulary.keys() or kind.startswith(("Rob", "XLM")):
        return
    if (told["normalizer"] or {}).get("type") != "BertNormalizer":  # KerasHub's has no other
        return
    lowercase = told["normalizer"]["lowercase"]
    accents = told["normalizer"]["strip_accents"]
    maker(
        vocabulary=sorted(vocabulary, key=vocabulary.__getitem__),
        lowercase=lowercase,
        strip_accents=lowercase if accents is None else accents,
    ).save_to_preset(str(place))
