"""image_classifier on its own test pictures, a fifth, beside what others publish: accuracy.

Each set is written as a folder of pictures first, as a user has them.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.measured import Measured
from kerasllm.recipes.image_classifier import ImageClassifier

SCORE, PARTS = "accuracy", 1
# Keras' mnist_convnet has 0.99 on MNIST; TensorFlow's CNN tutorial and Keras' cifar10_cnn 0.70 to 0.79 on CIFAR-10.
PEER = "tutorials, published"
SETS: dict[str, float | None] = {"mnist": 0.992, "cifar10": 0.76, "hymenoptera": None}


def set_by_hand(name: str) -> dict[str, Any]:
    """Nothing."""
    return {}


def write(name: str, source: Path, folder: Path) -> None:
    """Write a set as folder/CLASS/NUMBER.png (or as the .jpg files that it consists of)."""
    pictures = {"mnist": mnist, "cifar10": cifar10, "hymenoptera": hymenoptera}[name](source / name)
    for number, (label, content, suffix) in enumerate(pictures):
        (folder / label).mkdir(parents=True, exist_ok=True)
        (folder / label / f"{number:05}{suffix}").write_bytes(content)


def mnist(source: Path) -> Iterator[tuple[str, bytes, str]]:
    """The 60,000 training digits, from the two idx files."""
    raw = gzip.decompress((source / "train-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((source / "train-labels-idx1-ubyte.gz").read_bytes())[8:]
    for pixels, label in zip(np.frombuffer(raw, "uint8", offset=16).reshape(-1, 28, 28), labels, strict=True):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG", compress_level=1)
        yield str(label), file.getvalue(), ".png"


def cifar10(source: Path) -> Iterator[tuple[str, bytes, str]]:
    """The 50,000 training pictures, JPEG files of 32 x 32 pixels."""
    with tarfile.open(source / "train.tar.xz") as archive:
        for member in archive:
            file = archive.extractfile(member)
            if file and member.name.endswith(".jpg"):
                yield Path(member.name).parent.name, file.read(), ".jpg"


def hymenoptera(source: Path) -> Iterator[tuple[str, bytes, str]]:
    """244 photographs of ants and bees."""
    for path in sorted(source.glob("*/*.jpg")):
        yield path.parent.name, path.read_bytes(), ".jpg"


def measure(name: str, data: Path, part: int, seed: int) -> Measured:
    """Train with defaults and score the test pictures."""
    with tempfile.TemporaryDirectory() as folder:
        write(name, data, Path(folder, name))
        began = time.perf_counter()
        run = ImageClassifier(data=str(Path(folder, name)), seed=seed).train(runs=Path(folder, "runs"))
        return Measured(run.scores["accuracy"], None, run.scores["rows"], time.perf_counter() - began)
