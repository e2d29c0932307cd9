"""Where a preset lies: a directory as it is, anything else downloaded into the cache of its source."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from kerasllm.data.files import nearest_beside
from kerasllm.errors import InputError, did_you_mean, in_one_line, needs
from kerasllm.presets.architecture import read_json

CONFIG = "config.json"
ENCODERS = ("BertBackbone", "DistilBertBackbone")  # with WordPiece: KerasHub's other tokenizers are not read here

FILES = ["*.json", "*.safetensors", "vocab.txt", "*.weights.h5", "assets/*"]  # never a pickle


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
    if name.startswith(("/", ".", "~")) or ("/" in name and Path(name).parent.is_dir()):
        hint, zh = (nearest_beside(Path(name), language, Path.is_dir) for language in ("en", "zh"))
        raise InputError(f"preset: no directory {name}{hint}", f"preset：没有目录 {name}{zh}")
    if "/" in name:
        raise InputError(
            f"preset: {name!r} is no directory; for one of huggingface.co write hf://{name}",
            f"preset：{name!r} 不是目录；huggingface.co 上的模型请写作 hf://{name}",
        )
    with needs("train"):
        from kerasllm import backend  # noqa: F401  (first: the quiet way to import Keras)

        import keras_hub  # isort: skip
    known = {name: entry for kind in kinds for name, entry in getattr(keras_hub.models, kind).presets.items()}
    if name not in known and name in keras_hub.models.Backbone.presets:
        raise InputError(
            f"preset: {name!r} is none of {' or '.join(kinds)}; take its Hugging Face directory, or hf://…",
            f"preset：{name!r} 不是 {' 或 '.join(kinds)}；请用它的 Hugging Face 目录，或 hf://…",
        )
    if name not in known:
        raise InputError(
            f"preset: {name!r} is no directory and no preset of KerasHub{did_you_mean(name, known)}",
            f"preset：{name!r} 既不是目录，也不是 KerasHub 的预设{did_you_mean(name, known, 'zh')}",
        )
    return str(known[name]["kaggle_handle"])


@cache
def _from_hugging_face(name: str, file: str = "") -> Path:
    """Where a model's files lie, or one of them, once they are here."""
    with needs("train"):
        from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=[file] if file else FILES)) / file
    except (OSError, ValueError) as error:  # its own errors are of these
        raise _not_to_be_had(f"hf://{name}", error) from error


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
        raise _not_to_be_had(f"kaggle://{handle}", error) from error


def _not_to_be_had(preset: str, error: Exception) -> InputError:
    reason = in_one_line(error)
    return InputError(
        f"preset: cannot download {preset} ({reason}); "
        "give a directory that holds the files, or preset='' for a small network from scratch",
        f"preset：无法下载 {preset}（{reason}）；请给出存放这些文件的目录，或用 preset='' 从零训练一个小网络",
    )
