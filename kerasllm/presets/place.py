"""Where a preset lies: a directory as it is, anything else downloaded into the cache of its source."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from kerasllm.errors import InputError, did_you_mean, needs
from kerasllm.presets.architecture import read_json

CONFIG = "config.json"
ENCODERS = ("BertBackbone", "DistilBertBackbone", "RobertaBackbone", "XLMRobertaBackbone")

FILES = ["*.json", "*.safetensors", "vocab.txt", "*.weights.h5", "assets/*"]  # never a pickle
CURE = "give a directory that holds the files, or preset='' for a small encoder from scratch"


def configuration(preset: str) -> dict[str, Any]:
    """The config.json of a preset of any kind, its weights left where they are."""
    if Path(preset).is_dir():
        return read_json(Path(preset) / CONFIG)
    if preset.startswith("hf://"):
        return read_json(_from_hugging_face(preset.removeprefix("hf://"), CONFIG))
    if not preset.startswith("kaggle://"):
        preset = _handle(preset, ("Backbone",))
    return read_json(_from_kaggle(preset.removeprefix("kaggle://"), CONFIG))


def folder(preset: str) -> Path:
    """The directory of a preset; what is neither known nor reachable raises InputError."""
    if Path(preset).is_dir():
        return Path(preset)
    if preset.startswith("hf://"):
        return _from_hugging_face(preset.removeprefix("hf://"))
    if not preset.startswith("kaggle://"):
        preset = _handle(preset, ENCODERS)
    return _from_kaggle(preset.removeprefix("kaggle://"))


@cache
def _handle(name: str, kinds: tuple[str, ...]) -> str:
    """Where KerasHub keeps the preset of that name."""
    if "/" in name or name.startswith("."):
        raise InputError(f"preset: {name!r} is no directory; for one of huggingface.co write hf://{name}")
    with needs("train"):
        from kerasllm import backend  # noqa: F401  (first: the quiet way to import Keras)

        import keras_hub  # isort: skip
    known = {name: entry for kind in kinds for name, entry in getattr(keras_hub.models, kind).presets.items()}
    if name not in known:
        raise InputError(f"preset: {name!r} is no directory and no preset of KerasHub{did_you_mean(name, known)}")
    return str(known[name]["kaggle_handle"])


@cache
def _from_hugging_face(name: str, file: str = "") -> Path:
    """Where a model's files lie, or one of them, once they are here."""
    with needs("train"):
        from huggingface_hub import hf_hub_download, snapshot_download

    try:
        return Path(hf_hub_download(name, file) if file else snapshot_download(name, allow_patterns=FILES))
    except (OSError, ValueError) as error:  # its own errors are of these
        raise InputError(_not_to_be_had(f"hf://{name}", error)) from error


@cache
def _from_kaggle(handle: str, file: str = "") -> Path:
    """Where a model's files lie, or one of them, once they are here."""
    with needs("train"):
        import kagglehub
        import requests
        from kagglehub.exceptions import KaggleApiHTTPError

    try:
        return Path(kagglehub.model_download(handle, file or None))
    except (OSError, ValueError, KaggleApiHTTPError, requests.RequestException) as error:
        raise InputError(_not_to_be_had(f"kaggle://{handle}", error)) from error


def _not_to_be_had(preset: str, error: Exception) -> str:
    reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    return f"preset: cannot download {preset} ({type(error).__name__}: {reason[:120]}); {CURE}"
