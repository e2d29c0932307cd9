"""Which backend, device and precision this process computes with."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import keras

from kerasllm.errors import InputError

PACKAGES = ("kerasllm", "keras", "tensorflow", "jax", "torch", "numpy", "tokenizers")


def backend() -> str:
    """Keras' backend: tensorflow, jax or torch."""
    return str(keras.config.backend())


def has_gpu() -> bool:
    """Whether the backend sees a GPU."""
    if backend() == "torch":  # Keras has no distribution there
        import torch

        return bool(torch.cuda.is_available())
    return any(name.startswith(("gpu", "cuda")) for name in keras.distribution.list_devices())


def policy(precision: str, device: str) -> str:
    """The dtype policy for a recipe's precision: arithmetic in bfloat16 keeps the weights in float32."""
    if precision == "auto":
        precision = "bfloat16" if device != "cpu" and has_gpu() else "float32"
    return "mixed_bfloat16" if precision == "bfloat16" else "float32"


@contextmanager
def scope(device: str) -> Iterator[None]:
    """Put what is built and trained inside on a device ("auto": the backend's choice), whatever the user's defaults.

    Keras' dtype policy and float type are the user's own; the weights must not depend on them.
    """
    if device == "gpu" and not has_gpu():
        raise InputError(f"device: no GPU that {backend()} can use; pip install 'kerasllm[gpu]', or device=auto")
    policy, floats = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    try:
        with nullcontext() if device == "auto" else keras.device(f"{device}:0"):
            yield
    finally:
        keras.config.set_floatx(floats)
        keras.config.set_dtype_policy(policy)


def jit_compile() -> bool | str:
    """On small networks TensorFlow's own kernels beat XLA's and need no compiling; JAX is slow without."""
    return False if backend() == "tensorflow" else "auto"


def session() -> dict[str, Any]:
    """What the weights depend on beside the recipe and the data: a line of sessions.jsonl."""
    return {
        "backend": backend(),
        "device": "gpu" if has_gpu() else "cpu",
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "threads": {name: value for name, value in os.environ.items() if name.endswith("_THREADS")},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
