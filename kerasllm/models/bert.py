"""Classify a text by a Transformer encoder (Devlin et al. 2018): ids -> hidden states -> one vector -> logits.

Stock Keras layers, not KerasHub's BertBackbone, for two reasons: the file then loads with Keras alone, and the GELU is
the checkpoint's (KerasHub's is always the tanh approximation, 3e-3 away from what most checkpoints were trained with).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import layers, ops, regularizers


def bert(
    vocabulary_size: int,
    classes: int,
    *,
    depth: int = 2,
    width: int = 128,
    heads: int = 4,
    feedforward: int = 512,
    positions: int = 512,
    activation: str = "gelu",
    epsilon: float = 1e-12,
    weights: Mapping[str, np.ndarray] | None = None,
    pooling: str = "mean",
    dropout: float = 0.1,
    frozen: int = 0,
    l1: float = 0.0,
    l2: float = 0.0,
    dtype: str = "float32",
    seed: int = 0,
) -> keras.Model:
    """Build the network.

    Args:
        vocabulary_size: count of tokens, V.
        classes: count of logits, C.
        depth: encoder layers, each attention and a feed-forward part.
        width: numbers per token, E, divided among the attention's `heads`.
        feedforward: units of the feed-forward parts.
        positions: the longest text, in tokens. BERT's segments are no input: the first one's vector is part of these.
        activation: of the feed-forward parts: gelu (exact), gelu_tanh, relu, silu.
        epsilon: of the layer normalizations.
        weights: a checkpoint's arrays by weight path (see kerasllm.presets); what it lacks starts at random.
        pooling: mean of the tokens' last hidden states (of what is not padding), or the first token's.
        dropout: share of hidden numbers and of attention left out at each step of the training.
        frozen: lower layers that training leaves alone, the embeddings with them; 0: none.
        l1, l2: penalties on the weights of the dense layers.
        dtype: Keras dtype policy.
        seed: of the initial weights and the dropout.

    Inputs: `ids` (B, L) int32, and `mask` (B, L) bool that is true where an id is no padding.
    Outputs: `logits` (B, C) float32; `encoder` gives the hidden states.
    """
    seeds = iter(range(seed, seed + 3 * depth + 2))
    # Matrices are zeros until _fill: an initializer without a seed takes one from Python's random, which is the user's.

    def norm(name: str) -> layers.Layer:
        return layers.LayerNormalization(epsilon=epsilon, dtype=dtype, name=name)

    def drop(values: Any, name: str) -> Any:
        return layers.Dropout(dropout, seed=next(seeds), dtype=dtype, name=name)(values)

    def dense(units: int, name: str, activation: str | None = None) -> layers.Layer:
        penalty = regularizers.L1L2(l1, l2) if l1 or l2 else None
        return layers.Dense(
            units, activation, kernel_initializer="zeros", kernel_regularizer=penalty, dtype=dtype, name=name
        )

    def embedding(count: int, name: str) -> layers.Layer:
        return layers.Embedding(count, width, embeddings_initializer="zeros", dtype=dtype, name=name)

    ids = keras.Input((None,), name="ids", dtype="int32")
    mask = keras.Input((None,), name="mask", dtype="bool")
    place = ops.expand_dims(ops.cumsum(ops.ones_like(ids[0])) - 1, 0)  # (1, L): 0, 1, 2, …
    tokens = embedding(vocabulary_size, "tokens")(ids)  # (B, L) -> (B, L, E)
    hidden = layers.Add(dtype=dtype, name="placed")([tokens, embedding(positions, "positions")(place)])
    hidden = drop(norm("embedded")(hidden), "embedded_dropout")
    seen = ops.expand_dims(mask, 1)  # (B, 1, L): every token attends to what is not padding
    for number in range(1, depth + 1):
        block = f"block_{number}"
        attended = layers.MultiHeadAttention(
            heads,
            width // heads,
            dropout=dropout,
            kernel_initializer="zeros",
            seed=next(seeds),
            dtype=dtype,
            name=f"{block}_attention",
        )(hidden, hidden, attention_mask=seen)
        attended = drop(attended, f"{block}_attention_dropout")
        hidden = norm(f"{block}_attended")(layers.Add(dtype=dtype, name=f"{block}_attention_sum")([hidden, attended]))
        tanh = activation == "gelu_tanh"
        wide = dense(feedforward, f"{block}_wide", None if tanh else activation)(hidden)
        if tanh:
            wide = ops.gelu(wide, approximate=True)
        narrow = drop(dense(width, f"{block}_narrow")(wide), f"{block}_dropout")
        hidden = norm(f"{block}_output")(layers.Add(dtype=dtype, name=f"{block}_sum")([hidden, narrow]))

    if pooling == "mean":
        share = ops.cast(mask, "float32")
        count = ops.maximum(ops.sum(share, axis=1, keepdims=True), 1.0)  # some tokenizers make nothing of an empty text
        share = ops.expand_dims(share / count, -1)  # (B, L, 1)
        pooled = layers.Dot(axes=1, dtype=dtype, name="mean")([share, hidden])  # (B, 1, E)
        pooled = layers.Flatten(dtype=dtype, name="text")(pooled)  # (B, E)
    else:
        pooled = hidden[:, 0]
    pooled = drop(pooled, "text_dropout")
    logits = layers.Activation("linear", dtype="float32", name="logits")(dense(classes, "scores")(pooled))  # (B, C)

    model = keras.Model({"ids": ids, "mask": mask}, logits, name="bert")
    _fill(model, weights or {}, seed)
    for layer in model.layers:
        layer.trainable = not frozen or level(layer.name, depth) > frozen
    return model


def encoder(model: keras.Model) -> keras.Model:
    """The same network up to the last hidden states (B, L, E), on the same weights."""
    return keras.Model(model.inputs, model.get_layer(f"block_{depth(model)}_output").output, name="encoder")


def depth(model: keras.Model) -> int:
    """How many encoder layers a network has."""
    return sum(layer.name.endswith("_output") for layer in model.layers)


def level(path: str, depth: int) -> int:
    """How high a layer or weight stands: 0 for the embeddings, 1 … depth for the blocks, depth + 1 for the head."""
    name = path.split("/")[0]
    if block := re.match(r"block_(\d+)_", name):
        return int(block[1])
    return 0 if name in ("tokens", "positions", "placed", "embedded", "embedded_dropout") else depth + 1


def _fill(model: keras.Model, weights: Mapping[str, np.ndarray], seed: int) -> None:
    """Take what the checkpoint has; start other matrices at random as BERT does, the same on every backend."""
    for place, weight in enumerate(model.weights):
        if weight.path in weights:
            weight.assign(weights[weight.path])
        elif weight.name in ("kernel", "embeddings"):
            draw = np.random.default_rng([seed, place]).normal(size=weight.shape)
            weight.assign(0.02 * np.clip(draw, -2, 2).astype("float32"))
