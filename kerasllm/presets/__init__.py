"""Pretrained encoders: where they lie, what they are, their weights and their tokenizers.

>>> from kerasllm.presets import find, save_to_preset

`find` takes a Hugging Face directory, a KerasHub directory, `hf://user/model`, `kaggle://…` or a KerasHub preset's
name. Importing this package imports no Keras.
"""

from __future__ import annotations

from kerasllm.presets.architecture import Architecture, Preset
from kerasllm.presets.hugging_face import HuggingFace
from kerasllm.presets.keras_hub import KerasHub
from kerasllm.presets.place import folder
from kerasllm.presets.saving import save_to_preset

__all__ = ["Architecture", "Preset", "find", "save_to_preset"]


def find(preset: str) -> Preset:
    """Open a preset, downloaded where it is not a directory; one that cannot be used raises InputError."""
    place = folder(preset)
    return KerasHub(place) if KerasHub.is_at(place) else HuggingFace(place)
