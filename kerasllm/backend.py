"""Keras, imported quietly, on the backend that is there, with memory that is taken as needed and kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from kerasllm.errors import InputError, nearest, needs


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep off the terminal what TensorFlow's C++ side says of itself at every start (no CUDA, no logging yet).

    It speaks past Python, so file descriptor 2 is turned away for the time of the import. Python's own warnings and
    errors are not touched. Who sets TF_CPP_MIN_LOG_LEVEL hears everything.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ or "keras" in sys.modules:
        yield
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
        del os.environ["TF_CPP_MIN_LOG_LEVEL"]  # read once; children are to be quiet in the same way


# Take a GPU's memory as it is needed, so that others can share the card: read when a GPU is first used.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

# Let TensorFlow keep a CPU's memory for the next step: given back to the system, each large tensor costs its page
# faults again, up to half of a training's time. Read when the first tensor is made.
os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")

BACKENDS = ("tensorflow", "jax", "torch")
if (wanted := os.environ.get("KERAS_BACKEND") or BACKENDS[0]) not in BACKENDS:
    raise InputError(
        f"KERAS_BACKEND={wanted} is none of {', '.join(BACKENDS)}{nearest(wanted, BACKENDS)}",
        f"KERAS_BACKEND={wanted} 不是 {'、'.join(BACKENDS)} 之一{nearest(wanted, BACKENDS, 'zh')}",
    )

# Keras takes TensorFlow unless it is told otherwise, also where only another backend is installed.
if "KERAS_BACKEND" not in os.environ and not find_spec("tensorflow"):
    there = [name for name in BACKENDS if find_spec(name)]
    if len(there) == 1:
        os.environ["KERAS_BACKEND"] = there[0]

with _quiet(), needs("train"):
    import keras  # noqa: F401
