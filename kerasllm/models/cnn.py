"""Classify a picture: blocks of convolution, batch normalization and pooling -> logits.

Mirrors the listing conv 64 - BN - ReLU - pool, conv 128 - BN - pool, dense 256, dense 10 on 224 px pictures, which is
`cnn(224, 3, 10, filters=64, depth=2, residual=False, pooling="flatten", units=256)`; see also He et al. 2016 (ResNet).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras
from keras import initializers, layers, regularizers

SMALL = 4  # px; blocks halve the picture until its side is at most this


def cnn(
    size: int,
    channels: int,
    classes: int,
    *,
    filters: int = 24,
    depth: int = 0,
    residual: bool = True,
    pooling: Literal["average", "flatten"] = "average",
    units: int = 0,
    dropout: float = 0.0,
    mean: Sequence[float] | None = None,
    variance: Sequence[float] | None = None,
    l1: float = 0.0,
    l2: float = 0.0,
    dtype: str = "float32",
    seed: int = 0,
) -> keras.Model:
    """Build the network.

    Args:
        size: side of the square pictures, S.
        channels: of a pixel, 1 or 3.
        classes: count of logits, C.
        filters: of the first convolution, F; each further block has twice as many.
        depth: count of blocks, each of which halves the side; 0: until the side is at most 4.
        residual: a stem (with a stride for pictures above 16 px), then blocks of convolution, batch normalization, ReLU
            and pooling, each followed by two more with a shortcut around them; else the listing's plain blocks, whose
            last has no ReLU.
        pooling: what makes a vector of the last block's (side, side, filters): its mean, or all of it.
        units: of a dense relu layer after that; 0: none.
        dropout: share of the vector left out at each step of the training.
        mean, variance: of the pixels' channels, to scale them by (default 0 and 255²: 0 to 1).
        l1, l2: penalties on the weights of dense layers.
        dtype: Keras dtype policy.
        seed: of the initial weights and the dropout.

    Inputs: `pixels` (B, S, S, channels) uint8.
    Outputs: `logits` (B, C) float32.
    """
    seeds = iter(range(seed, seed + 1000))

    def convolved(inputs: Any, count: int, name: str, *, kernel: int = 3, stride: int = 1, relu: bool = True) -> Any:
        outputs = layers.Conv2D(
            count,
            kernel,
            strides=stride,
            padding="same",
            use_bias=not residual,  # batch normalization has one
            kernel_initializer=initializers.HeNormal(next(seeds)),
            dtype=dtype,
            name=f"{name}_convolution",
        )(inputs)
        # A short run of a small set must have its own statistics by the end: not 0.99.
        outputs = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=dtype, name=f"{name}_norm")(outputs)
        return layers.ReLU(dtype=dtype, name=f"{name}_relu")(outputs) if relu else outputs

    def halved(inputs: Any, name: str) -> Any:
        return layers.MaxPooling2D(2, padding="same" if residual else "valid", dtype=dtype, name=f"{name}_pool")(inputs)

    pixels = keras.Input((size, size, channels), name="pixels", dtype="uint8")
    x = scaled(pixels, channels, mean, variance)  # (B, S, S, channels)
    if residual:
        stride = 1 if size <= 16 else 2 if size <= 64 else 4  # large maps cost most, and learn least
        x = convolved(x, filters, "stem", kernel=2 * stride + 1, stride=stride)
        for place in range(depth or _depth(-(-size // stride))):
            name, count = f"block_{place}", filters * 2 ** (place + 1)
            x = halved(convolved(x, count, name), name)  # (B, s, s, f) -> (B, s/2, s/2, 2 f)
            part = convolved(x, count, f"{name}_first")
            part = convolved(part, count, f"{name}_second")
            x = layers.Add(dtype=dtype, name=f"{name}_sum")([x, part])
    else:
        blocks = depth or _depth(size)
        for place in range(blocks):
            name = f"block_{place}"
            x = halved(convolved(x, filters * 2**place, name, relu=place < blocks - 1), name)
    kind = layers.GlobalAveragePooling2D if pooling == "average" else layers.Flatten
    x = kind(dtype=dtype, name="picture")(x)
    return keras.Model({"pixels": pixels}, head(x, classes, units, dropout, l1, l2, dtype, next(seeds)), name="cnn")


def head(
    x: Any, classes: int, units: int, dropout: float, l1: float, l2: float, dtype: str, seed: int
) -> keras.KerasTensor:
    """(B, features) -> `logits` (B, classes) float32, through a dense relu layer where `units` > 0."""
    penalty = regularizers.L1L2(l1, l2) if l1 or l2 else None
    if units:
        x = layers.Dense(
            units,
            activation="relu",
            kernel_initializer=initializers.HeNormal(seed),
            kernel_regularizer=penalty,
            dtype=dtype,
            name="hidden",
        )(x)
    x = layers.Dropout(dropout, seed=seed, dtype=dtype, name="kept")(x)
    scores = layers.Dense(
        classes,
        kernel_initializer=initializers.GlorotUniform(seed + 1),
        kernel_regularizer=penalty,
        dtype=dtype,
        name="scores",
    )(x)
    return layers.Activation("linear", dtype="float32", name="logits")(scores)


def scaled(pixels: Any, channels: int, mean: Sequence[float] | None, variance: Sequence[float] | None) -> Any:
    """Pixels of 0 to 255 as float32 around 0, in deviations."""
    return layers.Normalization(
        mean=list(mean or [0.0] * channels), variance=list(variance or [255.0**2] * channels),
        dtype="float32", name="scaled",
    )(pixels)  # fmt: skip


def _depth(side: int) -> int:
    """Blocks until the side is small."""
    depth = 1
    while -(-side // 2**depth) > SMALL:
        depth += 1
    return depth
