"""Classify a picture by a KerasHub backbone, pretrained or not, with dense layers on top."""

from __future__ import annotations

import random
from typing import Any

import keras
import keras_hub
from keras import layers

from kerasllm.models.cnn import head


def backbone(preset: str, *, dtype: str = "float32", seed: int = 0) -> tuple[keras.Model, keras.Layer | None]:
    """Load a preset's backbone, and its image converter, where it has one.

    `preset` is KerasHub's: a preset's name, `hf://…`, `kaggle://…` or a folder that `save_to_preset` wrote.
    """
    state = random.getstate()
    random.seed(seed)  # layers of the preset without a seed take one from here
    try:
        network = keras_hub.models.Backbone.from_preset(preset, dtype=dtype)
    finally:
        random.setstate(state)
    try:
        converter = keras_hub.layers.ImageConverter.from_preset(preset)
    except (ValueError, OSError):
        converter = None
    return network, converter


def image_preset(
    network: keras.Model,
    converter: keras.Layer | None,
    size: int,
    classes: int,
    *,
    tune: bool = False,
    units: int = 0,
    dropout: float = 0.0,
    l1: float = 0.0,
    l2: float = 0.0,
    dtype: str = "float32",
    seed: int = 0,
) -> keras.Model:
    """Put dense layers on a backbone.

    Args:
        network, converter: as `backbone` loads them; without a converter pixels are scaled to 0 to 1.
        size: side of the square pictures, S.
        classes: count of logits, C.
        tune: train the backbone's weights too; else it answers as in use, and only the dense layers learn.
        units, dropout, l1, l2, dtype, seed: as for `cnn`.

    Inputs: `pixels` (B, S, S, 3) uint8.
    Outputs: `logits` (B, C) float32.
    """
    pixels = keras.Input((size, size, 3), name="pixels", dtype="uint8")
    mean, variance = scaling(converter)
    x = layers.Normalization(mean=mean, variance=variance, dtype="float32", name="scaled")(pixels)
    network.trainable = tune
    x = network(x) if tune else network(x, training=False)
    if len(x.shape) == 4:
        x = layers.GlobalAveragePooling2D(dtype=dtype, name="picture")(x)
    elif len(x.shape) == 3:
        x = layers.GlobalAveragePooling1D(dtype=dtype, name="picture")(x)
    logits = head(x, classes, units, dropout, l1, l2, dtype, seed)
    return keras.Model({"pixels": pixels}, logits, name="image_preset")


def scaling(converter: Any) -> tuple[list[float], list[float]]:
    """The converter's scale and offset as a mean and variance of the channels."""
    scale, offset = getattr(converter, "scale", None), getattr(converter, "offset", None)
    if converter is None:
        scale = 1 / 255
    scales = list(scale) if isinstance(scale, (list, tuple)) else [1.0 if scale is None else scale] * 3
    offsets = list(offset) if isinstance(offset, (list, tuple)) else [offset or 0.0] * 3
    mean = [-low / step for low, step in zip(offsets, scales, strict=True)]
    return mean, [1 / step**2 for step in scales]
