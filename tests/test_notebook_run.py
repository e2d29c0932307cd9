"""A recipe's notebook run by papermill: checked before it starts, a run like any other, stopped, failed, resumed."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from kerasllm import notebook, notebook_run
from kerasllm.cli import main
from kerasllm.errors import InputError
from kerasllm.kernels import this_interpreter
from kerasllm.notebook import draw, parameters
from kerasllm.notebook_run import execute, reserve
from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.recipes.text_classifier import TextClassifier
from kerasllm.run import Run, files
from tests.cli.commands import end, one_line, start, wait_for_an_epoch
from tests.conftest import ROOT, last_json

slow = pytest.mark.slow
QUICK = {"data": "sample:line", "epochs": "2"}


@pytest.fixture
def no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that starts fails the test."""

    def started(*words: Any, **more: Any) -> None:
        raise AssertionError("a kernel started")

    monkeypatch.setattr("papermill.execute_notebook", started)
    monkeypatch.setattr("jupyter_client.manager.AsyncKernelManager.start_kernel", started)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"lerning_rate": "0.5"}, "no parameter 'lerning_rate'; did you mean 'learning_rate'?"),
        ({"epochs=1; import os; x": "1"}, "no parameter 'epochs=1; import os; x'"),
        ({"epochs": "many"}, "epochs: 'many' must be a whole number"),
        ({"epochs": "2.5"}, "epochs: '2.5' must be a whole number"),
        ({"learning_rate": "99"}, "learning_rate: '99' must be 10 or less"),
        ({"optimizer": "newton"}, "optimizer: 'newton' must be one of"),
        ({"data": "missing.csv"}, "no file .*missing.csv"),
    ],
)
def test_a_wrong_parameter_starts_no_kernel_and_makes_no_run(
    values: dict[str, str], says: str, runs: Path, no_kernel: None
) -> None:
    with pytest.raises(InputError, match=says) as error:
        execute(reserve("linear_regression", values))
    assert "\n" not in str(error.value)
    assert not runs.exists()


def test_an_unknown_recipe_starts_no_kernel(runs: Path, no_kernel: None) -> None:
    with pytest.raises(InputError, match="did you mean 'text_classifier'"):
        execute(reserve("text_clasifier", {}))
    assert not runs.exists()


def test_a_notebook_takes_the_run_that_was_reserved_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    first = reserve("linear_regression", QUICK)
    monkeypatch.setenv("KERASLLM_RUN", str(first.path))
    assert reserve("linear_regression", QUICK).path == first.path
    assert reserve("linear_regression", {**QUICK, "epochs": "3"}).path != first.path


def test_a_kernel_that_never_starts_leaves_a_failed_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def dead(*words: Any, **more: Any) -> None:
        raise RuntimeError("Kernel died before replying to kernel_info")

    monkeypatch.setattr("papermill.execute_notebook", dead)
    run = reserve("linear_regression", QUICK)
    with pytest.raises(RuntimeError, match="Kernel died"):
        execute(run)
    assert run.state == "failed"
    assert "KERASLLM_RUN" not in os.environ


def test_the_kernel_is_this_interpreter_whatever_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jupyter_client.kernelspec import KernelSpecManager

    for name in ("python3", "kerasllm"):
        folder = tmp_path / "kernels" / name
        folder.mkdir(parents=True)
        spec = {"argv": ["/bin/false", "{connection_file}"], "display_name": "false", "language": "python"}
        (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    with this_interpreter() as name:
        assert KernelSpecManager().get_kernel_spec(name).argv[0] == sys.executable
    assert os.environ["JUPYTER_PATH"] == str(tmp_path)
    assert KernelSpecManager().get_kernel_spec("kerasllm").argv[0] == "/bin/false"


NASTY = [
    "a'b",
    'a"b',
    "a # b",
    "a\nb = 1",
    "a\\",
    "'''",
    '"""',
    "{x}",
    "价格",
    "a\u2028b",
    "__import__('os')",
]


@pytest.mark.parametrize("value", NASTY)
def test_a_value_cannot_break_out_of_its_cell(value: str) -> None:
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    book = load_notebook_node(str(ROOT / "notebooks" / "linear_regression.ipynb"))
    given = parameterize_notebook(book, {"target": value}, kernel_name="python3", language="python")
    injected = next(cell for cell in given.cells if "injected-parameters" in cell.metadata.get("tags", []))
    space: dict[str, Any] = {}
    exec(injected.source, space)
    assert {name for name in space if not name.startswith("__")} == {"target"}
    recipe = parameters(LinearRegression, {**space, "In": ["", injected.source]})
    assert recipe.target == value


@slow
def test_a_notebook_is_a_run_with_its_figures_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chinese names, a wrong kernel named python3 in front, braces in the path: all at once."""
    folder = tmp_path / "jupyter" / "kernels" / "python3"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps({"argv": ["/bin/false"], "display_name": "x", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    rows = [f"好评{place},满意\n差评 {place},失望\n" for place in range(20)]
    (tmp_path / "客户留言.csv").write_text("留言,态度\n" + "".join(rows), "utf-8")
    pairs = {"data": "客户留言.csv", "text": "留言", "label": "态度", "epochs": "2"}
    words = [word for pair in pairs.items() for word in ("-p", *pair)]
    flags = ["--runs", "{运行}", "--name", "first", "--json"]
    answer = end(start("notebook", "text_classifier", *words, *flags, folder=tmp_path))
    assert (answer.code, answer.err) == (0, "")
    assert "epoch 2: " in answer.out, "progress is shown while the notebook runs"
    found = last_json(answer.out)
    run = Run(tmp_path / "{运行}" / "first")
    assert (found["run"], found["state"]) == (str(run.path), "completed")
    assert found["scores"]["main"] == "accuracy"
    assert run.asked["surface"] == "notebook"
    assert run.recipe == TextClassifier(**{**pairs, "data": str(tmp_path / "客户留言.csv")})
    assert [path.name for path in run.path.parent.iterdir()] == ["first"]

    book = nbformat.read(run.path / "notebook.ipynb", as_version=4)
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    pictures = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == len(list((run.path / "figures").glob("*.png"))) >= 2
    assert all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in pictures)
    assert not any(output.get("name") == "stderr" for output in outputs)
    assert book.metadata.kernelspec.name == "python3"


def test_a_notebooks_run_that_nobody_came_to_execute_is_resumed_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a server that reserved it and ended: its training alone would leave the notebook out."""
    path = tmp_path / "own.ipynb"
    path.write_text((ROOT / "notebooks" / "linear_regression.ipynb").read_text("utf-8"), "utf-8")
    run = reserve(str(path), QUICK)
    files.replace_json(run.path / "status.json", {**run.status, "pid_started": 0})
    assert run.state == "gone"
    executed: list[Run] = []
    monkeypatch.setattr(notebook_run, "execute", executed.append)
    with pytest.raises(SystemExit):
        main(["resume", str(run.path)])
    assert [one.path for one in executed] == [run.path]


@pytest.mark.parametrize("kept", ["notebook.ipynb", ""])
def test_a_stopped_run_is_executed_again_where_a_notebook_of_it_is_kept(
    kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else papermill, of whose file nothing is known, was called by hand."""
    run = reserve("linear_regression", QUICK)
    files.replace_json(run.path / "status.json", {**run.status, "state": "stopped"})
    if kept:
        (run.path / kept).touch()
    resumed: list[str] = []
    monkeypatch.setattr(notebook_run, "execute", lambda run: resumed.append("notebook.ipynb"))
    monkeypatch.setattr(Run, "resume", lambda run: resumed.append(""))
    with pytest.raises(SystemExit):
        main(["resume", str(run.path)])
    assert resumed == [kept]


def test_a_notebooks_run_that_is_being_trained_is_not_executed_beside(capsys: pytest.CaptureFixture[str]) -> None:
    run = reserve("linear_regression", QUICK)
    (run.path / "notebook.ipynb").touch()
    files.replace_json(run.path / "status.json", {**run.status, "state": "running"})
    with pytest.raises(SystemExit):
        main(["resume", str(run.path)])
    assert capsys.readouterr().err == f"kerasllm: {run.name} is being trained already (process {os.getpid()})\n"
    assert (run.path / "notebook.ipynb").read_text() == ""


@slow
def test_a_stopped_run_that_is_resumed_has_its_results_in_its_notebook() -> None:
    run = reserve("linear_regression", QUICK)
    run.stop()
    execute(run)
    assert (run.state, "image/png" in (run.path / "notebook.ipynb").read_text("utf-8")) == ("stopped", False)
    with pytest.raises(SystemExit) as left:
        main(["resume", str(run.path)])
    assert (left.value.code, run.state, len(run.sessions)) == (0, "completed", 2)
    assert "image/png" in (run.path / "notebook.ipynb").read_text("utf-8")


@slow
def test_plain_papermill_works_and_its_first_cell_refuses_an_unknown_name(tmp_path: Path, runs: Path) -> None:
    def papermill(*words: str) -> subprocess.CompletedProcess[str]:
        book = str(ROOT / "notebooks" / "linear_regression.ipynb")
        command = [sys.executable, "-m", "papermill", book, "out.ipynb", *words]
        return subprocess.run(command, cwd=tmp_path, text=True, capture_output=True)

    wrong = papermill("-p", "epochs", "2", "-p", "lerning_rate", "0.5")
    assert wrong.returncode == 1
    assert "InputError: no parameter 'lerning_rate'; did you mean 'learning_rate'?" in wrong.stderr
    assert not runs.exists()
    done = papermill("-p", "epochs", "2", "-p", "data", "sample:line")
    assert done.returncode == 0, done.stderr
    (path,) = runs.iterdir()
    run = Run(path)
    assert (run.state, run.asked["surface"], run.recipe.epochs) == ("completed", "notebook", 2)


@slow
def test_a_cell_that_fails_by_the_users_data_is_one_line_and_a_failed_run(tmp_path: Path, runs: Path) -> None:
    (tmp_path / "houses.csv").write_text("area,price\n50,cheap\n60,70\n")
    words = ("-p", "data", "houses.csv", "--name", "mine", "--json")
    answer = end(start("notebook", "linear_regression", *words, folder=tmp_path))
    assert one_line(answer) == "kerasllm: houses.csv, line 2, column 'price': 'cheap' is not a number\n"
    run = Run(runs / "mine")
    assert run.state == "failed"
    assert run.status["message"] == "houses.csv, line 2, column 'price': 'cheap' is not a number"
    assert (run.path / "notebook.ipynb").exists()


@slow
def test_a_cell_that_fails_after_the_training_is_our_fault_and_costs_no_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = draw(LinearRegression)
    book.cells[-1].source = "1 / 0"
    book.cells[1].source = book.cells[1].source.replace("batch_size: int = 65536", "batch_size: int = 64")
    nbformat.write(book, tmp_path / "broken.ipynb")
    monkeypatch.setattr(notebook, "template", lambda recipe: tmp_path / "broken.ipynb")
    run = reserve("linear_regression", QUICK)
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        execute(run)
    assert run.state == "completed", "the notebook trained this run, though a default in it had drifted"
    assert "division by zero" in (run.path / "notebook.ipynb").read_text("utf-8")


@slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_run_of_a_notebook_with_a_valid_model(number: signal.Signals, runs: Path) -> None:
    pairs = ["-p", "epochs", "100000", "-p", "batch_size", "16"]
    process = start("notebook", "linear_regression", *pairs, "--name", "mine", "--json")
    run = Run(runs / "mine")
    wait_for_an_epoch(run, process)
    process.send_signal(number)
    answer = end(process)
    assert (answer.code, answer.err) == (130, "")
    assert last_json(answer.out)["state"] == run.state == "stopped"
    assert len(run.predict([{"area": 90, "orientation": "south"}])) == 1
