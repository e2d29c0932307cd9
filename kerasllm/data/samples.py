"""Small data sets that need no network, by name: sample:line, :houses, :diabetes, :messages, :manual and :digits."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable
from importlib import resources
from typing import Any, NamedTuple

from PIL import Image

from kerasllm.errors import InputError, did_you_mean, needs

Columns = dict[str, list[Any]]


class Sample(NamedTuple):
    """A built-in sample, made when it is asked for."""

    make: Callable[[], Columns]
    holds: set[str]  # so that a form can offer those that a recipe learns from


def sample(name: str) -> Columns:
    """The columns of a built-in sample."""
    return named(name).make()


def named(name: str) -> Sample:
    """The sample of a name; an unknown one raises InputError with the nearest."""
    if name not in SAMPLES:
        raise InputError(
            f"no sample {name!r}{did_you_mean(name, SAMPLES)}",
            f"没有样例 {name!r}{did_you_mean(name, SAMPLES, 'zh')}",
        )
    return SAMPLES[name]


def line() -> Columns:
    """The document's five points: y = x - 1."""
    return {"x": [1.0, 2.0, 3.0, 4.0, 5.0], "y": [0.0, 1.0, 2.0, 3.0, 4.0]}


def houses() -> Columns:
    """100 houses with area (m²), orientation and price (10,000 yuan), generated from a rule plus noise.

    price = 20 + 1.8 area + what the orientation adds, with a standard deviation of 12.
    """
    draw = random.Random(2024)  # Python keeps this generator's numbers the same across versions
    adds = {"south": 25.0, "east": 8.0, "west": 0.0, "north": -15.0}
    columns: Columns = {"area": [], "orientation": [], "price": []}
    for _ in range(100):
        area = round(draw.uniform(45, 180), 1)
        orientation = draw.choice(list(adds))
        columns["area"].append(area)
        columns["orientation"].append(orientation)
        columns["price"].append(round(20 + 1.8 * area + adds[orientation] + draw.gauss(0, 12), 1))
    return columns


def diabetes() -> Columns:
    """scikit-learn's diabetes table: ten measures of 442 patients, and the disease a year later."""
    with needs("train"):
        from sklearn.datasets import load_diabetes
    bunch = load_diabetes(scaled=False)
    columns: Columns = {name: bunch.data[:, i].tolist() for i, name in enumerate(bunch.feature_names)}
    return {**columns, "progression": bunch.target.tolist()}


def messages() -> Columns:
    """Customer messages in Chinese and English with their intents, written for this project."""
    text = (resources.files("kerasllm.data") / "messages.csv").read_text("utf-8")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    return {"text": [row["text"] for row in rows], "label": [row["label"] for row in rows]}


def manual() -> Columns:
    """Python's own manual, as `help()` shows it: a text per topic, of the Python that runs."""
    from pydoc_data.topics import topics

    return {"text": [topics[name].strip() for name in sorted(topics)]}


def digits() -> Columns:
    """scikit-learn's digits: 1,797 handwritten ones, 8 x 8 pixels, as the bytes of PNG files."""
    with needs("train"):
        from sklearn.datasets import load_digits
    bunch = load_digits()
    pictures = []
    for shades in bunch.images:  # 0 to 16
        file = io.BytesIO()
        Image.fromarray((shades * 255 / 16).round().astype("uint8")).save(file, "PNG")
        pictures.append(file.getvalue())
    return {"picture": pictures, "label": [str(digit) for digit in bunch.target]}


SAMPLES = {
    "line": Sample(line, {"numbers"}),
    "houses": Sample(houses, {"numbers"}),
    "diabetes": Sample(diabetes, {"numbers"}),
    "messages": Sample(messages, {"texts", "labels"}),
    "manual": Sample(manual, {"texts"}),
    "digits": Sample(digits, {"pictures", "labels"}),
}
