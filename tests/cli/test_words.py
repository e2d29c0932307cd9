"""Words: help and lists, what is said of a mistake, and how flags become a recipe's parameters."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kerasllm import cli, recipes
from kerasllm.cli import main
from kerasllm.cli.report import finish
from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.recipes.text_classifier import TextClassifier
from kerasllm.run import Run, create
from tests.cli.commands import Answer, one_line
from tests.cli.runs import a_run, write_status
from tests.conftest import last_json

Command = Callable[..., subprocess.CompletedProcess[str]]


# --- help and lists


def test_list_names_every_recipe_with_its_summary(call: Callable[..., Answer]) -> None:
    answer = call("list", "--json")
    assert answer.code == 0
    found = last_json(answer.out)["recipes"]
    assert list(found) == recipes.names()
    assert found["linear_regression"] == LinearRegression.summary()


@pytest.mark.parametrize("words", [["--help"], ["list"], ["runs"], ["train", "text_classifier", "--help"]])
def test_looking_around_imports_nothing_heavy(words: list[str], kerasllm: Command) -> None:
    heavy = "{'keras', 'tensorflow', 'jax', 'torch', 'pandas', 'matplotlib', 'sklearn', 'papermill'}"
    code = (
        f"import sys; from kerasllm.cli import main\ntry: main({words})\n"
        f"except SystemExit: print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_shows_the_recipes_groups_and_bounds(call: Callable[..., Answer]) -> None:
    shown = call("train", "text_classifier", "--help").out
    groups = [line.split()[1] for line in shown.splitlines() if line.startswith("╭")]
    assert groups == ["Data", "Network", "Training", "Computing", "Options"]
    words = " ".join(shown.replace("│", " ").split())
    assert "--learning-rate FLOAT step size of the optimizer (>0..10) [default: 0.02]" in words
    assert "[choices: adam, adamw, sgd, rmsprop, adagrad]" in words
    assert "--gaps --no-gaps" in words


def test_help_is_chinese_where_the_environment_is(kerasllm: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.delenv("LC_MESSAGES", raising=False)
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    shown = kerasllm("train", "text_classifier", "--help").stdout
    assert all(word in shown for word in ("数据", "网络", "训练", "计算", "选项", "优化器的步长", TextClassifier.zh))
    top = kerasllm("--help").stdout
    assert "比较几次运行" in top
    assert "Show" not in top
    assert TextClassifier.zh in kerasllm("list").stdout


@pytest.mark.parametrize("command", [name for name in cli.app if not name.startswith("-")])
def test_help_tells_what_every_word_and_option_is(command: str, call: Callable[..., Answer]) -> None:
    shown = call(command, "--help").out
    assert "╭" in shown
    assert not re.findall(r"│ \*? +[A-Z]+ +(?:\[.*)?│|--\S+(?: [A-Z]+)? +(?:\[.*)?│", shown)


# --- mistakes


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("trian", 'Did you mean "train"?'),
        ("train linear_regresion", "did you mean 'linear_regression'?"),
        ("train linear_regression --epoch 3", "Did you mean --epochs?"),
        ("train linear_regression --epochs many", "epochs: 'many' must be a whole number"),
        ("train linear_regression --epochs 2.5", "epochs: '2.5' must be a whole number"),
        ("train linear_regression --epochs 0", "must be 1 or more"),
        ("train linear_regression --learning-rate nan", "learning_rate: 'nan' must be a finite number"),
        (
            "train linear_regression --schedule slow",
            'Choose from: "constant", "linear", "cosine"',
        ),
        ("train linear_regression houses.csv", "'houses.csv' has no place here"),
        ("train linear_regression --data", "--data requires an argument"),
        ("train linear_regression --epochs 1 --epochs 2", "--epochs"),
        ("train text_classifier --test 20%", "test: '20%' is no share such as 0.2"),
        ("train text_classifier --validation 0,2", "validation: '0,2' is no share such as 0.2"),
        ("train linear_regression --name n\udcbb", r"a run's name is one folder's name, not 'n\udcbb'"),
        ("train bert_classifier --vocabulary-size 9999999", "must be 5000000 or less"),
        ("show nothing", "no run 'nothing'"),
        ("predict", "RUN requires an argument"),
        ("notebook linear_regression -p epochs 3 -p epochs 4", "epochs is given twice"),
        ("notebook linear_regression -p learning_rate -1", "learning_rate: '-1' must be greater than 0"),
        ("notebook linear_regression -p epochs", "-p requires 2"),
    ],
)
def test_a_mistake_is_one_line_and_makes_nothing(
    words: str, says: str, call: Callable[..., Answer], runs: Path
) -> None:
    assert says in one_line(call(*words.split()))
    assert not runs.exists()


def test_a_fault_of_ours_keeps_its_traceback() -> None:
    code = (
        "import kerasllm.cli as cli\n"
        "def broken(*words): raise ZeroDivisionError('ours')\n"
        "cli.list_runs = broken\ncli.main(['runs'])"
    )
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ZeroDivisionError: ours" in done.stderr


def test_a_full_disk_is_one_line_but_a_file_we_forgot_is_our_fault(
    call: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*words: Any) -> None:
        raise OSError(code, os.strerror(code), "/data/status.json")

    monkeypatch.setattr(cli, "list_runs", broken)
    code = errno.ENOSPC
    assert "cannot write /data/status.json: No space left on device" in one_line(call("runs"))
    code = errno.ENOENT
    with pytest.raises(FileNotFoundError):
        main(["runs"])


def test_a_wrong_backend_is_one_line(kerasllm: Command) -> None:
    done = kerasllm("train", "linear_regression", backend="jx")
    line = "kerasllm: KERAS_BACKEND=jx is none of tensorflow, jax, torch; did you mean 'jax'?\n"
    assert (done.returncode, done.stderr) == (2, line)


def test_an_interrupt_leaves_with_130(call: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*words: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "list_runs", interrupted)
    assert call("runs").code == 130


def test_a_reader_that_leaves_early_is_no_fault(runs: Path) -> None:
    for place in range(3):
        a_run(f"run-{place}")
    line = f"{sys.executable} -u -m kerasllm runs | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")


# --- from the words to a recipe


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """The runs that `train` would work on."""
    found: list[Run] = []
    monkeypatch.setattr("kerasllm.cli.training.follow", lambda run, work, json: found.append(run) or 0)
    return found


def test_flags_become_the_recipes_parameters(call: Callable[..., Answer], asked: list[Run]) -> None:
    words = "--batch_size 7 --learning-rate 1e-3 --no-gaps --optimizer sgd --validation= --epochs 3 --seed 5"
    assert call("train", "text_classifier", *words.split(), "--name", "mine").code == 0
    wanted = TextClassifier(
        batch_size=7, learning_rate=1e-3, gaps=False, optimizer="sgd", validation="", epochs=3, seed=5
    )
    assert asked[0].recipe == wanted
    assert (asked[0].name, asked[0].asked["surface"]) == ("mine", "cli")


def test_every_default_is_the_recipes(call: Callable[..., Answer], asked: list[Run]) -> None:
    for name in recipes.names():
        assert call("train", name).code == 0
        assert asked[-1].recipe == recipes.find(name)()


def test_a_reserved_run_is_the_one_that_is_trained(
    call: Callable[..., Answer], asked: list[Run], runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserved = create(LinearRegression(data="sample:line", epochs=4), surface="panel")
    monkeypatch.setenv("KERASLLM_RUN", str(reserved.path))
    call("train", "linear_regression", "--data", "sample:line", "--epochs", "4")
    assert asked[0].path == reserved.path
    call("train", "linear_regression", "--data", "sample:line", "--epochs", "5")
    assert asked[1].path != reserved.path


@pytest.mark.parametrize(
    ("encoding", "shown"), [("utf-8", "物流"), ("ascii", "\\u7269\\u6d41"), ("cp1252", "\\u7269\\u6d41")]
)
def test_what_the_terminals_encoding_lacks_is_shown_escaped(
    encoding: str, shown: str, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_status(a_run("mine"), state="failed", message="物流")
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    command = [sys.executable, "-m", "kerasllm", "runs", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, encoding=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    listed, last = done.stdout.splitlines()
    assert listed == f"mine  failed     {shown}"
    assert json.loads(last)["runs"][0]["message"] == "物流"


def test_numbers_that_json_lacks_are_null(capsys: pytest.CaptureFixture[str]) -> None:
    finish(True, {"rows": [{"y": float("nan")}]})
    assert json.loads(capsys.readouterr().out) == {"rows": [{"y": None}]}
