"""Where a preset lies: a directory as it is, anything else downloaded into the cache of its source."""

from __future__ import annotations

from pathlib import Path

from kerasllm.errors import InputError, did_you_mean, needs

FILES = ["*.json", "*.safetensors", "vocab.txt", "*.weights.h5", "assets/*"]  # never a pickle
CURE = "give a directory that holds the files, or preset='' for a small encoder from scratch"


def folder(preset: str) -> Path:
    """The directory of a preset; what is neither known nor reachable raises InputError."""
    if Path(preset).is_dir():
        return Path(preset)
    if preset.startswith("hf://"):
        return _from_hugging_face(preset.removeprefix("hf://"))
    if not preset.startswith("kaggle://"):
        preset = _handle(preset)
    return _from_kaggle(preset.removeprefix("kaggle://"))


def _handle(name: str) -> str:
    """Where KerasHub keeps the preset of that name."""
    if "/" in name or name.startswith("."):
        raise InputError(f"preset: {name!r} is no directory; for one of huggingface.co write hf://{name}")
    with needs("train"):
        import keras_hub
    kinds = ("BertBackbone", "DistilBertBackbone", "RobertaBackbone", "XLMRobertaBackbone")
    known = {name: entry for kind in kinds for name, entry in getattr(keras_hub.models, kind).presets.items()}
    if name not in known:
        raise InputError(f"preset: {name!r} is no directory and no preset of KerasHub{did_you_mean(name, known)}")
    return str(known[name]["kaggle_handle"])


def _from_hugging_face(name: str) -> Path:
    with needs("train"):
        from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=FILES))
    except (OSError, ValueError) as error:  # its own errors are of these
        raise InputError(_not_to_be_had(f"hf://{name}", error)) from error


def _from_kaggle(handle: str) -> Path:
    with needs("train"):
        import kagglehub
        import requests
        from kagglehub.exceptions import KaggleApiHTTPError

    try:
        return Path(kagglehub.model_download(handle))
    except (OSError, ValueError, KaggleApiHTTPError, requests.RequestException) as error:
        raise InputError(_not_to_be_had(f"kaggle://{handle}", error)) from error


def _not_to_be_had(preset: str, error: Exception) -> str:
    reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    return f"preset: cannot download {preset} ({type(error).__name__}: {reason[:120]}); {CURE}"
