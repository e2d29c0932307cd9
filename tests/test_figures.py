"""The figures: Chinese is readable, and the user's matplotlib is left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

matplotlib = pytest.importorskip("matplotlib", reason="the train extra is not installed")

from kerasllm import figures  # noqa: E402


def drawn(figure: Any, path: Path) -> np.ndarray:
    figures.save(figure, path)
    return np.asarray(Image.open(path).convert("L"))


def test_chinese_labels_have_glyphs(tmp_path: Path) -> None:
    """matplotlib warns of a missing glyph, and a warning is an error here."""
    one = drawn(figures.confusion_matrix([[3, 1], [0, 2]], ["退款", "发票"]), tmp_path / "one.png")
    other = drawn(figures.confusion_matrix([[3, 1], [0, 2]], ["退货", "发票"]), tmp_path / "other.png")
    assert (one != other).any()  # boxes would be alike


def test_without_our_font_the_labels_would_be_boxes(tmp_path: Path) -> None:
    figure = figures.confusion_matrix([[3, 1], [0, 2]], ["退款", "发票"])
    for label in figure.axes[0].get_xticklabels():
        label.set_fontfamily("DejaVu Sans")
    with pytest.warns(UserWarning, match="missing from font"):
        figure.savefig(tmp_path / "boxes.png")


def test_the_users_settings_are_left_as_they_were(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    figures.save(figures.predicted_against_true([1.0, 2.0], [1.5, 1.5], "价格"), tmp_path / "scatter.png")
    assert dict(matplotlib.rcParams) == before


def test_many_classes_are_drawn_without_names(tmp_path: Path) -> None:
    names = [f"class {number}" for number in range(100)]
    figure = figures.confusion_matrix(np.eye(100, dtype=int).tolist(), names)
    assert not [label for label in figure.axes[0].get_xticklabels() if label.get_text().startswith("class")]
    assert drawn(figure, tmp_path / "many.png").size


def test_a_curve_shows_training_and_validation() -> None:
    history = [{"epoch": 1, "loss": 2.0, "val_loss": 2.5}, {"epoch": 2, "loss": 1.0, "val_loss": 2.0}]
    lines = figures.curve(history).axes[0].get_lines()
    assert [list(line.get_ydata()) for line in lines] == [[2.0, 1.0], [2.5, 2.0]]
    assert [line.get_label() for line in lines] == ["training", "validation"]
