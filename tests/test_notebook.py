"""Recipes as notebooks: the parameters cell, its drift, and runs by papermill, checked before they start."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest

from kerasllm import notebook, notebook_run, recipes
from kerasllm.cli import main
from kerasllm.errors import InputError
from kerasllm.kernels import this_interpreter
from kerasllm.notebook import draw, parameters, parameters_cell, template
from kerasllm.notebook_run import execute, from_notebook, reserve
from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.recipes.text_classifier import TextClassifier
from kerasllm.run import Run, files
from tests.cli.commands import end, one_line, start, users, wait_for_an_epoch
from tests.conftest import ROOT, last_json

slow = pytest.mark.slow
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
QUICK = {"data": "sample:line", "epochs": "2"}


# --- the parameters cell


@pytest.mark.parametrize("name", recipes.names())
def test_papermill_reads_every_parameter_with_its_type_and_default(name: str, caplog: pytest.LogCaptureFixture) -> None:
    from papermill import inspect_notebook

    found = inspect_notebook(str(ROOT / "notebooks" / f"{name}.ipynb"))
    assert "Unable to parse" not in caplog.text
    fields = recipes.find(name).model_fields
    assert list(found) == list(fields)
    for field, entry in found.items():
        kind = fields[field].annotation
        assert entry["inferred_type_name"] == (kind.__name__ if kind in (bool, int, float) else "str")
        assert eval(entry["default"]) == fields[field].get_default()
        assert entry["help"], field


@pytest.mark.parametrize("name", recipes.names())
def test_the_cell_alone_makes_the_recipes_defaults(name: str) -> None:
    recipe = recipes.find(name)
    space: dict[str, Any] = {}
    exec(parameters_cell(recipe), space)
    assert parameters(recipe, space) == recipe()


def test_an_injected_name_that_the_recipe_lacks_is_one_line() -> None:
    cells = ["", "# Parameters\nepochs = 3\nlerning_rate = 0.5\n"]
    with pytest.raises(InputError, match="no parameter 'lerning_rate'; did you mean 'learning_rate'"):
        parameters(LinearRegression, {"In": cells, "epochs": 3, "lerning_rate": 0.5})
    mine = "lerning_rate = 0.5"  # of a person's own cell: no business of ours
    assert parameters(LinearRegression, {"In": ["", mine], "epochs": 3}) == LinearRegression(epochs=3)


def test_a_type_that_papermill_lets_through_is_refused() -> None:
    with pytest.raises(InputError, match="epochs: 'many' should be a valid integer"):
        parameters(LinearRegression, {"epochs": "many"})


# --- drift


@pytest.fixture
def drift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """ci/notebooks.py at work on a copy of the notebooks."""
    spec = importlib.util.spec_from_file_location("ci_notebooks", ROOT / "ci" / "notebooks.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for path in NOTEBOOKS:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    return module


def test_every_recipe_has_a_notebook_that_has_not_drifted(drift: ModuleType) -> None:
    assert [path.stem for path in NOTEBOOKS] == recipes.names()
    assert drift.main(check=True) == 0


def test_a_changed_default_is_drift(
    drift: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(LinearRegression.model_fields["epochs"], "default", 77)
    assert drift.main(check=True) == 1
    assert "linear_regression.ipynb" in capsys.readouterr().out
    assert drift.main(check=False) == 0
    assert "epochs: int = 77" in (drift.FOLDER / "linear_regression.ipynb").read_text("utf-8")
    assert drift.main(check=True) == 0


@pytest.mark.parametrize("change", ["a parameter", "an output", "a kernel", "no parameters cell", "no recipe"])
def test_a_changed_notebook_is_drift(change: str, drift: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    path = drift.FOLDER / "text_classifier.ipynb"
    book = nbformat.read(path, as_version=4)
    cell = next(cell for cell in book.cells if cell.cell_type == "code")
    if change == "a parameter":
        cell.source = cell.source.replace("words: int = 3", "words: int = 2")
    elif change == "an output":
        cell.outputs = [nbformat.v4.new_output("stream", text="3")]
    elif change == "a kernel":
        book.metadata.kernelspec.name = "mine"
    elif change == "no parameters cell":
        cell.metadata.tags = []
    else:
        path = drift.FOLDER / "gone.ipynb"
    nbformat.write(book, path)
    assert drift.main(check=True) == 1
    assert path.name in capsys.readouterr().out


def test_notebooks_are_committed_without_outputs_and_check_their_parameters_first() -> None:
    for path in NOTEBOOKS:
        code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        assert not any(cell.outputs or cell.execution_count for cell in code)
        assert code[0].metadata.tags == ["parameters"]
        assert f"parameters({recipes.find(path.stem).__name__}, globals())" in code[1].source


def test_a_recipe_without_a_notebook_gets_one_drawn() -> None:
    book = draw(LinearRegression)
    nbformat.validate(book)
    assert book.cells[1].source == parameters_cell(LinearRegression)


def test_what_an_earlier_execution_injected_counts_and_is_injected_once(tmp_path: Path) -> None:
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    book = parameterize_notebook(load_notebook_node(str(ROOT / "notebooks" / "linear_regression.ipynb")), {"epochs": 2})
    nbformat.write(book, tmp_path / "executed.ipynb")
    assert from_notebook(LinearRegression, tmp_path / "executed.ipynb", {}).epochs == 2
    assert from_notebook(LinearRegression, tmp_path / "executed.ipynb", {"epochs": "100"}).epochs == 100
    assert "epochs = 2" not in nbformat.writes(draw(LinearRegression, book))


def test_a_recipes_notebook_without_a_parameters_cell_reserves_nothing(tmp_path: Path, runs: Path) -> None:
    book = draw(LinearRegression)
    book.cells[1].metadata.tags = []
    nbformat.write(book, tmp_path / "own.ipynb")
    with pytest.raises(InputError, match=r"own\.ipynb has no cell tagged `parameters`"):
        reserve(str(tmp_path / "own.ipynb"), QUICK)
    assert not runs.exists()


# --- checked before a kernel starts


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
        ({"epochs": "many"}, "epochs: 'many' should be a valid integer"),
        ({"epochs": "2.5"}, "epochs: '2.5' should be a valid integer"),
        ({"learning_rate": "99"}, "learning_rate: '99' should be less than or equal to 10"),
        ({"optimizer": "newton"}, "optimizer: 'newton' should be"),
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


# --- executed


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


@slow
def test_an_installed_wheel_brings_the_notebooks(tmp_path: Path) -> None:
    """The package alone, unpacked from its wheel, used far from any checkout."""
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--quiet",
        "--wheel-dir",
        str(tmp_path),
        str(ROOT),
    ]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("kerasllm-*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    (tmp_path / "elsewhere").mkdir()
    code = (
        "import kerasllm, sys; from kerasllm.cli import main\n"
        "from kerasllm.notebook import template\n"
        "print(kerasllm.__file__, template('linear_regression'))\n"
        "main('notebook linear_regression -p data sample:line -p epochs 2 --json'.split())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "elsewhere", text=True, capture_output=True,
        env={**users(), "PYTHONPATH": str(tmp_path / "site")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    package, book = done.stdout.splitlines()[0].split()
    assert Path(package).is_relative_to(tmp_path / "site")
    assert Path(book) == tmp_path / "site" / "kerasllm" / "templates" / "linear_regression.ipynb"
    assert last_json(done.stdout)["state"] == "completed"


def test_the_template_of_a_checkout_is_the_notebook_itself() -> None:
    assert template("linear_regression") == ROOT / "notebooks" / "linear_regression.ipynb"
    assert template("no_such") is None
