"""Which backend, devices and precision this process computes with.

The one place that speaks to a backend by name: each is asked only where it is Keras' backend.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any

import keras

from kerasllm.errors import InputError

# The least compute capability with bfloat16 in hardware (Ampere).
BFLOAT16 = 8


_parts: ContextVar[int] = ContextVar("parts", default=1)


def parts() -> int:
    """Among how many devices each batch is split here and now: more than one inside of `scope("gpus")` only."""
    return _parts.get()


def backend() -> str:
    """Keras' backend: tensorflow, jax or torch."""
    return str(keras.config.backend())


def gpus() -> list[str]:
    """The GPUs that the backend sees, as Keras names them."""
    if backend() == "torch":  # Keras has no distribution there
        import torch

        return [f"cuda:{place}" for place in range(torch.cuda.device_count())]
    return [name for name in keras.distribution.list_devices() if name.startswith(("gpu", "cuda"))]


def used(device: str) -> list[str]:
    """The devices that `device` means here; what is not there raises InputError with its cure."""
    if device == "cpu":
        return ["cpu:0"]
    found = gpus()
    if device != "auto" and not found:
        raise InputError(
            f"device: no GPU that {backend()} can use; `kerasllm doctor` tells why; or device=auto",
            f"device：没有 {backend()} 能用的 GPU；原因见 `kerasllm doctor`；或设 device=auto",
        )
    if device == "gpus":
        if backend() == "torch":
            raise InputError(
                "device: on torch one GPU only; device=gpu, or KERAS_BACKEND=jax",
                "device：torch 只能用一块 GPU；请设 device=gpu，或 KERAS_BACKEND=jax",
            )
        return found
    return found[:1] or ["cpu:0"]


def describe(name: str) -> dict[str, Any]:
    """A device's name as its maker calls it, and `bfloat16`: whether its hardware has that."""
    place = name.partition(":")[2]
    if name.startswith("cpu"):
        return {"name": "cpu", "bfloat16": False}
    if backend() == "tensorflow":
        import tensorflow as tf

        details = tf.config.experimental.get_device_details(tf.config.list_physical_devices("GPU")[int(place)])
        major = details.get("compute_capability", (0, 0))[0]
        return {"name": details.get("device_name", name), "bfloat16": major >= BFLOAT16}
    if backend() == "jax":
        import jax

        found = jax.devices("gpu")[int(place)]
        major = int(float(getattr(found, "compute_capability", "0") or 0))
        return {"name": found.device_kind, "bfloat16": major >= BFLOAT16}
    import torch

    major = torch.cuda.get_device_capability(int(place))[0]
    return {"name": torch.cuda.get_device_name(int(place)), "bfloat16": major >= BFLOAT16}


def policy(precision: str, device: str) -> str:
    """The dtype policy for a recipe's precision: arithmetic in bfloat16 keeps the weights in float32."""
    if precision == "auto":
        has_it = all(describe(name)["bfloat16"] for name in used(device))
        precision = "bfloat16" if has_it else "float32"
    return "mixed_bfloat16" if precision == "bfloat16" else "float32"


@contextmanager
def scope(device: str) -> Iterator[None]:
    """Put what is built and trained inside on a device ("auto": the backend's choice), whatever the user's defaults.

    Keras' dtype policy and float type are the user's own; the weights must not depend on them.
    """
    names = used(device)
    policy, floats = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    try:
        with ExitStack() as stack:
            if len(names) > 1:
                stack.enter_context(_spread(names))
                token = _parts.set(len(names))
                stack.callback(_parts.reset, token)
            elif device != "auto":
                stack.enter_context(keras.device(names[0]))
            yield
    finally:
        keras.config.set_floatx(floats)
        keras.config.set_dtype_policy(policy)


@contextmanager
def _spread(names: list[str]) -> Iterator[None]:
    """Copy the variables to each device, and split each batch among them (its size is a multiple of their number)."""
    if backend() == "tensorflow":
        import tensorflow as tf

        with tf.distribute.MirroredStrategy([name.replace("cuda", "gpu") for name in names]).scope():
            yield
        return
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=names, auto_shard_dataset=False))
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)


@contextmanager
def synchronized(model: keras.Model) -> Iterator[None]:
    """Let batch normalization see the whole batch of several devices while a network trains: JAX always does.

    Not for longer: a file that says so is refused by other backends than TensorFlow. Rows that fill a batch up enter
    the statistics, since what takes a mask is not synchronized (see `Batches`).
    """
    norms = list(_norms(model)) if parts() > 1 and backend() == "tensorflow" else []
    for layer in norms:
        layer.synchronized = True
    try:
        yield
    finally:
        for layer in norms:
            layer.synchronized = False


def _norms(model: keras.Model) -> Iterator[keras.layers.BatchNormalization]:
    """The batch normalizations of a network, and of the networks in it."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            yield layer
        elif hasattr(layer, "layers"):
            yield from _norms(layer)


def on_the_whole_batch(change: Callable[[list[Any]], list[Any]], gradients: list[Any]) -> list[Any]:
    """Change gradients as they are over the whole batch: TensorFlow's devices have each its part's, added up later."""
    if backend() != "tensorflow":
        return change(gradients)
    import tensorflow as tf

    # Of an embedding it has the rows that a batch looked up, one by one, whose norm is another than the array's.
    dense = [tf.convert_to_tensor(one) for one in gradients]
    replica = tf.distribute.get_replica_context()
    if replica.num_replicas_in_sync == 1:
        return change(dense)
    whole = replica.all_reduce(tf.distribute.ReduceOp.SUM, dense)
    return [one / replica.num_replicas_in_sync for one in change(whole)]


def jit_compile() -> bool | str:
    """On small networks TensorFlow's own kernels beat XLA's and need no compiling; JAX is slow without."""
    return False if backend() == "tensorflow" else "auto"


@contextmanager
def memory(batch_size: int) -> Iterator[None]:
    """Turn the backend's error of a device without memory left into a line that says what to try."""
    try:
        yield
    except _full() as error:
        if not isinstance(error, MemoryError) and not any(
            words in str(error) for words in ("RESOURCE_EXHAUSTED", "out of memory", "OOM", "Out of memory")
        ):
            raise
        half = f"batch_size={batch_size // 2}" if batch_size > 1 else ""
        raise InputError(
            f"the device has no memory left with batch_size={batch_size}: try {half or 'a smaller network'}",
            f"batch_size={batch_size} 时设备内存不足：请试 {half or '更小的网络'}",
        ) from error


def _full() -> tuple[type[BaseException], ...]:
    if backend() == "tensorflow":
        import tensorflow as tf

        return (MemoryError, tf.errors.ResourceExhaustedError)
    if backend() == "jax":
        import jax

        return (MemoryError, jax.errors.JaxRuntimeError)
    import torch

    return (MemoryError, torch.OutOfMemoryError)


def threads() -> dict[str, Any]:
    """The numbers of threads that were asked for. TensorFlow's weights depend on those within an operation."""
    named = {name: value for name, value in os.environ.items() if name.endswith(("_THREADS", "OP_PARALLELISM_THREADS"))}
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if backend() == "tensorflow":
        import tensorflow as tf

        asked = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
        asked_here = tf.config.threading.get_intra_op_parallelism_threads()
        usable = asked_here or (int(asked) if asked.isdigit() else 0) or usable
    return {**named, "within_an_operation": usable}
