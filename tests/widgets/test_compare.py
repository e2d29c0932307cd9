"""Compare: runs side by side, and the rows that they judge differently."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import Any

import pytest
from kerasllm_widgets import children
from kerasllm_widgets.compare import Compare

from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.recipes.text_classifier import TextClassifier
from kerasllm.run import create, files
from tests.widgets.conftest import click, wait
from tests.widgets.pages import run_view


def test_why_no_rows_can_be_compared_is_told_in_the_viewers_language(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends without a word, and one that tells what is wrong."""
    told = {"problem": {"en": "no rows", "zh": "没有行"}}

    def answer_with(says: str) -> None:
        code = f"print('ready', flush=True); input(); print(end={says!r}, flush=True)"
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        monkeypatch.setattr(
            children, "_worker", lambda: subprocess.Popen([sys.executable, "-c", code], text=True, **pipes)
        )

    run = create(LinearRegression())
    compare = Compare(run, create(LinearRegression()))
    for says, problem in ((json.dumps(told) + "\n", told["problem"]), ("", children.lost(run, 0))):
        answer_with(says)
        click(compare, "flips")
        wait(lambda: "problem" in compare.flips, 20)
        assert compare.flips["problem"] == problem
    page = f"console.log(flipped([], {json.dumps(told)})[0].text);"
    assert [run_view("compare.js", page, language) for language in ("en", "zh")] == [["no rows"], ["没有行"]]


def test_a_view_that_is_closed_ends_the_process_that_compares_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        code = "import time; print('ready', flush=True); input(); time.sleep(60)"
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        started.append(subprocess.Popen([sys.executable, "-c", code], text=True, **pipes))
        return started[-1]

    monkeypatch.setattr(children, "_worker", start)
    compare = Compare(create(LinearRegression()), create(LinearRegression()))
    click(compare, "flips")
    click(compare, "flips")  # a double-click
    compare.close()
    wait(lambda: started[0].poll() is not None, 20)
    assert len(started) == 1


@pytest.mark.slow
def test_a_workers_problem_is_in_both_languages() -> None:
    """Regressions have no verdicts."""
    run = LinearRegression(epochs=1).train()
    worker = children.Worker()
    worker.give(do="flips", runs=[str(run.path), str(run.path)])
    worker.imported.wait(200)
    assert worker.process.stdout
    problem = json.loads(worker.process.stdout.readline())["problem"]
    worker.bury()
    assert problem["en"] == f"{run.name} predicts no classes; verdicts are of classifiers"
    assert problem["zh"] == f"{run.name} 不预测类别；只有分类器才有判断"


@pytest.mark.slow
def test_rows_of_other_data_than_the_run_was_trained_on_are_not_taken_for_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from kerasllm_widgets import answers

    framed, edited = create(TextClassifier(), replayable=False), create(TextClassifier())
    files.append_line(framed.path / "sessions.jsonl", {"data": {}})
    files.append_line(edited.path / "sessions.jsonl", {"data": {"data": "another file's"}})
    for run, words in ((framed, "was trained on data given in Python"), (edited, "has changed since")):
        out = io.StringIO()
        monkeypatch.setattr(answers, "_quiet", lambda out=out: out)
        answers.flips([str(run.path), str(run.path)])
        assert words in json.loads(out.getvalue())["problem"]["en"]


@pytest.mark.slow
def test_runs_are_compared_with_the_rows_that_they_judge_differently(kerasllm: Any) -> None:
    for name, epochs in (("one", "1"), ("two", "6")):
        kerasllm("train", "text_classifier", "--epochs", epochs, "--name", name)
    compare = Compare("one", "two")
    assert compare.parameters == {"epochs": [1, 6]}
    assert compare.scores["accuracy"][0] < compare.scores["accuracy"][1]
    click(compare, "flips")
    wait(lambda: "flips" in compare.flips)
    assert compare.flips["rows"] == 310
    assert all(one["answers"][0] != one["answers"][1] for one in compare.flips["flips"])
    assert "one" in compare.still._content()


def test_parameters_that_differ_look_different() -> None:
    page = "console.log([0.0031412, 0.003141, { a: 1 }, [1, 2], true, ''].map(exact).join(' '))"
    assert run_view("compare.js", page) == ['0.0031412 0.003141 {"a":1} [1,2] true ']


def test_a_number_keeps_all_before_its_point() -> None:
    page = "console.log([452613.7, 20241.5, 0.123456, 1e300, 12].map((one) => number(one)), number(1234.567, 6))"
    assert run_view("compare.js", page) == ["[ '452614', '20242', '0.1235', '1e+300', '12' ] 1234.57"]
