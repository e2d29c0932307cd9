"""The static output that a saved notebook keeps."""

from __future__ import annotations

from pathlib import Path

from kerasllm_widgets.still import html

from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.run import Run, create, files

MARKUP = "<img src=x onerror=alert(1)>"


def completed(lines: int = 3) -> Run:
    """A run's folder as a trainer would have left it, with markup wherever a user's word can stand."""
    run = create(LinearRegression(), name=f"a{MARKUP.replace('/', '')}")
    split = {"main": "rmse", "rmse": 1.5, MARKUP: 2.0}
    files.replace_json(run.path / "scores.json", {"splits": {MARKUP: split, "test": split}, "split": "test"})
    for n in range(1, lines + 1):
        files.append_line(
            run.path / "history.jsonl", {"kind": "epoch", "epoch": n, "step": n, "time": n, "loss": 1 / n}
        )
    files.replace_json(run.path / "status.json", {"state": "completed", "message": MARKUP})
    return run


def test_every_text_is_escaped(tmp_path: Path) -> None:
    text = html(completed())
    assert MARKUP not in text
    assert text.count("&lt;img") >= 3
    assert "1.5" in text


def test_it_needs_no_script_and_is_small_however_long_the_run() -> None:
    text = html(completed(2000))
    assert "<script" not in text
    assert len(text) < 20_000
    assert "data:image/svg+xml;base64," in text


def test_it_speaks_chinese() -> None:
    assert "已完成" in html(completed(), "zh")


def test_a_run_that_has_not_begun_has_one_too() -> None:
    assert "queued" in html(create(LinearRegression()))
