"""Accuracy of `image_classifier`, with default parameters, on a test split of its own, beside what others publish.

    python -m benchmarks.image_classifier [--data FOLDER] [--seed 0] [SET ...]

Each set is written as a folder of pictures first, as a user has them. A fifth of the pictures is the test.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kerasllm.recipes.image_classifier import ImageClassifier

# Accuracy to reach. MNIST: Keras' mnist_convnet has 0.991; CIFAR-10: TensorFlow's CNN tutorial 0.70 to 0.72, Keras'
# cifar10_cnn 0.75 to 0.79; ants and bees: small networks from scratch about 0.60 to 0.72.
SETS = {"mnist": 0.992, "cifar10": 0.76, "hymenoptera": 0.60}


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


def measure(name: str, data_folder: Path, seed: int) -> dict[str, Any]:
    """Train with defaults and score the test pictures: score, target, rows, seconds."""
    with tempfile.TemporaryDirectory() as folder:
        write(name, Path(data_folder), Path(folder, name))
        began = time.perf_counter()
        run = ImageClassifier(data=str(Path(folder, name)), seed=seed).train(runs=Path(folder, "runs"))
        seconds = time.perf_counter() - began
        return {
            "score": run.scores["accuracy"],
            "target": SETS[name],
            "rows": run.scores["rows"],
            "seconds": round(seconds, 1),
            "epochs": run.status["epochs"],
            "train_score": run.report["splits"]["train"]["accuracy"],
        }


def main() -> None:
    """Print a line of JSON per set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"default: {', '.join(SETS)}")
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for name in options.sets or SETS:
        print(json.dumps({"set": name, "seed": options.seed, **measure(name, options.data, options.seed)}), flush=True)


if __name__ == "__main__":
    main()
