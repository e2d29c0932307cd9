"""Classify a text by its n-grams: Embedding -> pooling -> dense layers -> logits.

Mirrors the listing Embedding(10000, 16) -> GlobalAveragePooling1D -> Dense(16, relu) -> Dense(1, sigmoid), which is
`text_pooling(10_000, 1, embedding_size=16, units=16, weighted=False)`; see also Joulin et al. 2017 (fastText).
"""

from __future__ import annotations

import keras
import numpy as np
from keras import initializers, layers, ops, regularizers


def text_pooling(
    vocabulary_size: int,
    classes: int,
    *,
    embedding_size: int = 0,
    units: int = 0,
    weighted: bool = True,
    importance: np.ndarray | None = None,
    dropout: float = 0.0,
    l1: float = 0.0,
    l2: float = 0.0,
    dtype: str = "float32",
    seed: int = 0,
) -> keras.Model:
    """Build the network.

    Args:
        vocabulary_size: count of n-grams, V.
        classes: count of logits, C.
        embedding_size: numbers per n-gram, E; 0: an n-gram has one number per class, and votes with it directly.
        units: of a dense relu layer after the pooling; 0: none.
        weighted: pool by a learned weight per n-gram, scaled so that a text's weights have length 1; else by the mean
            over what is not padding.
        importance: (V,) what the weights start from, such as inverse document frequencies; default 1 each.
        dropout: share of the n-grams left out at each step of the training.
        l1, l2: penalties on the weights that make the logits and of the dense layer.
        dtype: Keras dtype policy.
        seed: of the initial weights and the dropout.

    Inputs: `ids` (B, L) int32, and `mask` (B, L) bool that is true where an id is no padding.
    Outputs: `logits` (B, C) float32.
    """
    penalty = regularizers.L1L2(l1, l2) if l1 or l2 else None
    ids = keras.Input((None,), name="ids", dtype="int32")
    mask = keras.Input((None,), name="mask", dtype="bool")

    share = layers.Reshape((-1, 1), dtype="float32", name="present")(ops.cast(mask, "float32"))  # (B, L, 1)
    if weighted:
        weight = layers.Embedding(vocabulary_size, 1, embeddings_initializer="ones", dtype="float32", name="weight")
        share = layers.Multiply(dtype="float32", name="weighted")([weight(ids), share])
        share = layers.UnitNormalization(axis=1, dtype="float32", name="shares")(share)
    else:
        share = share / ops.sum(share, axis=1, keepdims=True)
    share = layers.Dropout(dropout, seed=seed, dtype="float32", name="kept")(share)

    vectors = layers.Embedding(
        vocabulary_size,
        embedding_size or classes,
        embeddings_initializer=initializers.RandomUniform(seed=seed) if embedding_size or units else "zeros",
        embeddings_regularizer=None if embedding_size else penalty,
        dtype=dtype,
        name="embedding" if embedding_size else "votes",
    )(ids)  # (B, L) -> (B, L, E)
    pooled = layers.Dot(axes=1, dtype=dtype, name="pooled")([share, vectors])  # (B, 1, E)
    pooled = layers.Flatten(dtype=dtype, name="text")(pooled)  # (B, E)
    if units:
        pooled = layers.Dense(
            units,
            activation="relu",
            kernel_initializer=initializers.GlorotUniform(seed + 1),
            kernel_regularizer=penalty,
            dtype=dtype,
            name="hidden",
        )(pooled)
    if units or embedding_size:
        pooled = layers.Dense(
            classes,
            kernel_initializer=initializers.GlorotUniform(seed + 2),
            kernel_regularizer=penalty,
            dtype=dtype,
            name="scores",
        )(pooled)
    logits = layers.Activation("linear", dtype="float32", name="logits")(pooled)  # (B, C)

    model = keras.Model({"ids": ids, "mask": mask}, logits, name="text_pooling")
    if weighted and importance is not None:
        weight.set_weights([importance[:, None]])
    return model
