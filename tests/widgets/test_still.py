"""The static output that a saved notebook keeps."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from kerasllm_widgets import Compare, Playground, RunView, children, playground
from kerasllm_widgets.still import Still, html, said

from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.run import Run, create, files
from kerasllm.run.folder import ENDED
from kerasllm.run.process import myself
from tests.widgets.pages import run_view

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


class Output:
    """A cell's output that can be replaced, as IPython hands it out."""

    def __init__(self) -> None:
        self.html = ""

    def update(self, content: Any) -> None:
        self.html = content.data


def displayed(view: Any) -> Output:
    view.still._handle = Output()
    return view.still._handle


def wait_for(words: str, output: Output) -> None:
    end = time.monotonic() + 10
    while words not in output.html:
        assert time.monotonic() < end, output.html
        time.sleep(0.02)


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


def test_it_tells_in_chinese_why_a_run_failed_where_that_is_known() -> None:
    run = create(LinearRegression())
    files.replace_json(run.path / "status.json", {"state": "failed", "message": "no rows", "message_zh": "没有行"})
    assert ["没有行" in html(run, language) for language in ("en", "zh")] == [False, True]
    files.replace_json(run.path / "status.json", {"state": "failed", "message": "no rows"})
    assert "no rows" in html(run, "zh")


def test_a_run_that_has_not_begun_has_one_too() -> None:
    assert "queued" in html(create(LinearRegression()))


def test_an_ended_run_has_its_curve_before_and_after_it_was_read() -> None:
    view = RunView()
    output = displayed(view)
    view.follow(completed())
    wait_for("data:image/svg+xml", output)
    view.close()
    view.curve = {}
    assert "data:image/svg+xml" in view.kept()


def test_it_turns_chinese_when_the_browser_says_so() -> None:
    run = completed()
    for view in (RunView(run), Playground(run), Compare(run, run)):
        output = displayed(view)
        view.language = "zh"
        assert "已完成" in output.html
        view.close()


def test_a_playgrounds_tells_what_became_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playground, "REST", 0.02)
    monkeypatch.setattr(children, "park", lambda: None)
    monkeypatch.setattr(Still, "display", lambda self, view: displayed(view))
    run = create(LinearRegression())
    files.replace_json(run.path / "status.json", {"state": "running", **myself()})
    view = Playground(run)
    view._ipython_display_()
    files.replace_json(run.path / "status.json", {"state": "completed"})
    wait_for("completed", view.still._handle)
    view.close()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_says_of_a_state_what_the_live_view_says(language: str) -> None:
    states = ["queued", "running", "stopping", "gone", *ENDED]
    live = run_view("words.js", f"for (const state of {states}) console.log(say(state));", language)
    assert [said(state, language) for state in states] == [words.rstrip("…") for words in live]
