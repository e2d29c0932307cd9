"""Notebooks of one's own as runs: their parameters read and checked, each cell told, nothing falsely completed."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest

from kerasllm.errors import InputError
from kerasllm.notebook_run import execute, reserve
from kerasllm.parameters_cell import checked, declared
from kerasllm.run import Run, open_run
from kerasllm.run.watch import watch

slow = pytest.mark.slow
CELL = """alpha: float = 0.5  # how much
count = 3
name = "a # b"  # whose
is_big: bool = False
choices = ["x"]
nothing = None
seed: int = 0"""


def book(folder: Path, *cells: str, parameters: str = CELL, name: str = "mine.ipynb") -> Path:
    """A notebook with a parameters cell and these code cells."""
    new = nbformat.v4
    first = new.new_code_cell(parameters, metadata={"tags": ["parameters"]})
    found = new.new_notebook(cells=[new.new_markdown_cell("# Mine"), first, *map(new.new_code_cell, cells)])
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(found, folder / name)
    return folder / name


def test_the_parameters_cell_is_read_as_python_reads_it(tmp_path: Path) -> None:
    found = declared(book(tmp_path))
    kinds = {name: one.kind for name, one in found.items()}
    assert kinds == {
        "alpha": "float",
        "count": "int",
        "name": "str",
        "is_big": "bool",
        "choices": "list",
        "nothing": "",
        "seed": "int",
    }
    assert found["name"].default == "a # b"
    assert (found["alpha"].help, found["name"].help) == ("how much", "whose")


def test_words_become_the_declared_types(tmp_path: Path) -> None:
    words = {"alpha": "1", "count": "7", "name": "12", "is_big": "true", "choices": "['y', 1]", "nothing": "none yet"}
    values = checked(book(tmp_path), words)
    assert values == {
        "alpha": 1.0, "count": 7, "name": "12", "is_big": True, "choices": ["y", 1], "nothing": "none yet",
    }  # fmt: skip
    assert type(values["alpha"]) is float


def test_what_an_earlier_execution_injected_counts_where_nothing_else_is_given(tmp_path: Path) -> None:
    path = book(tmp_path)
    executed = nbformat.read(path, as_version=4)
    cell = nbformat.v4.new_code_cell(
        "# Parameters\nalpha = 1\nmore = None\n", metadata={"tags": ["injected-parameters"]}
    )
    executed.cells.insert(2, cell)
    nbformat.write(executed, path)
    alpha = declared(path)["alpha"]
    assert (alpha.kind, alpha.default, alpha.help) == ("float", 1, "how much")
    assert checked(path, {"count": "7"}) == {"alpha": 1.0, "more": None, "count": 7}
    assert checked(path, {"alpha": "2"}) == {"alpha": 2.0, "more": None}
    cell.source = "# Parameters\nnothing = '1'\n"
    nbformat.write(executed, path)
    assert checked(path, {}) == {"nothing": "1"}, "a value, and no word to be read"
    cell.source = "# Parameters\ncount = 2.5\n"
    nbformat.write(executed, path)
    with pytest.raises(InputError, match=r"^count: 2.5 is no int; an earlier execution injected 2.5$"):
        checked(path, {})
    cell.source = "# Parameters\nalpha = 1 / 3"
    nbformat.write(executed, path)
    with pytest.raises(InputError, match=r"mine.ipynb: alpha is computed .* give it a plain value"):
        checked(path, {})


def test_an_annotation_says_what_will_do(tmp_path: Path) -> None:
    cell = (
        'mode: Literal["fast", "slow"] = "fast"\nsize: typing.Literal[1, 2] = 1\nrate: float | None = None\n'
        'label: Optional[str] = "x"\nitems: list[int] = [1]\nmany = {"a": 1}\nother: "np.ndarray" = None'
    )
    path = book(tmp_path, parameters=cell)
    kinds = {name: (one.kind, one.choices, one.or_none) for name, one in declared(path).items()}
    assert kinds == {
        "mode": ("str", ("fast", "slow"), False),
        "size": ("int", (1, 2), False),
        "rate": ("float", (), True),
        "label": ("str", (), True),
        "items": ("list", (), False),
        "many": ("dict", (), False),
        "other": ("", (), False),
    }
    words = {"mode": "slow", "size": "2", "rate": "1", "label": "12", "items": "[4, 5]", "many": "{}", "other": "x"}
    good = {"mode": "slow", "size": 2, "rate": 1.0, "label": "12", "items": [4, 5], "many": {}, "other": "x"}
    assert checked(path, words) == good
    assert checked(path, {"rate": "None", "label": "None"}) == {"rate": None, "label": None}
    assert checked(path, {"rate": None, "label": "'x'"}) == {"rate": None, "label": "x"}
    for name, word, says in (
        ("mode", "medium", "mode: 'medium' must be one of 'fast', 'slow'"),
        ("size", "True", "size: 'True' must be one of 1, 2"),
        ("rate", "abc", "rate: 'abc' is no float and not None; its default is None"),
        ("items", "[4, 5", "items: '[4, 5' is no list; its default is [1]"),
        ("many", "[]", "many: '[]' is no dict"),
    ):
        with pytest.raises(InputError) as error:
            checked(path, {name: word})
        assert says in str(error.value)


@pytest.mark.parametrize(
    "word", ["{1, 2}", "(1, 2)", "[(1, 2)]", "{1: 2}", "1e999", "[-1e999]", "b'a'", "1j", "...", "'\\ud800'"]
)
def test_what_run_json_would_lose_or_change_is_refused(word: str, tmp_path: Path, runs: Path) -> None:
    with pytest.raises(InputError, match=r"^nothing: .* cannot be kept in run.json, which holds finite numbers"):
        reserve(str(book(tmp_path)), {"nothing": word})
    assert not runs.exists()


def test_what_python_cannot_read_as_a_literal_is_a_text(tmp_path: Path) -> None:
    for word in ("{[1]: 2}", "-" * 3000 + "1", "-" * 100_000 + "1", "[" * 1000):
        assert checked(book(tmp_path), {"nothing": word}) == {"nothing": word}
    assert declared(book(tmp_path, parameters="a = {[1]: 2}"))["a"].kind == ""


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"alhpa": "1"}, "mine.ipynb: no parameter 'alhpa'; did you mean 'alpha'?"),
        ({"count=1; import os; x": "1"}, "no parameter 'count=1; import os; x'"),
        ({"count": "many"}, "count: 'many' is no int; its default is 3"),
        ({"count": "2.5"}, "count: '2.5' is no int"),
        ({"alpha": "1e999"}, "alpha: '1e999' cannot be kept in run.json"),
        ({"alpha": "1" + 400 * "0"}, "0' is no float; its default is 0.5"),
        ({"is_big": "1"}, "is_big: '1' is no bool"),
        ({"alpha": "__import__('os')"}, "alpha: \"__import__('os')\" is no float"),
    ],
)
def test_a_wrong_name_or_value_reserves_nothing(words: dict[str, str], says: str, tmp_path: Path, runs: Path) -> None:
    with pytest.raises(InputError) as error:
        reserve(str(book(tmp_path)), words)
    assert says in str(error.value)
    assert not runs.exists()


def test_what_is_no_notebook_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no notebook"):
        reserve(str(tmp_path / "gone.ipynb"), {})
    (tmp_path / "bad.ipynb").write_text("{")
    with pytest.raises(InputError, match="is no notebook"):
        reserve(str(tmp_path / "bad.ipynb"), {})
    for content in (
        b"[]",
        b"\xff\xfe{",
        b'{"cells": 3, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
        b"[" * 100_000,
    ):
        (tmp_path / "bad.ipynb").write_bytes(content)
        with pytest.raises(InputError, match="is no notebook"):
            reserve(str(tmp_path / "bad.ipynb"), {})
    (tmp_path / "folder.ipynb").mkdir()
    with pytest.raises(InputError, match=r"folder.ipynb cannot be read: Is a directory"):
        reserve(str(tmp_path / "folder.ipynb"), {})
    with pytest.raises(InputError, match="parameters cell, line 1"):
        reserve(str(book(tmp_path, parameters="a = = 1")), {})
    plain = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    nbformat.write(plain, tmp_path / "plain.ipynb")
    with pytest.raises(InputError, match="no cell tagged `parameters`"):
        reserve(str(tmp_path / "plain.ipynb"), {"a": "1"})
    plain.metadata.kernelspec = {"name": "no-such-kernel", "display_name": "", "language": "python"}
    nbformat.write(plain, tmp_path / "plain.ipynb")
    with pytest.raises(InputError, match="its kernel 'no-such-kernel' is not installed"):
        reserve(str(tmp_path / "plain.ipynb"), {})


def test_a_run_of_a_notebook_is_no_recipes(tmp_path: Path) -> None:
    run = reserve(str(book(tmp_path)), {"count": "7"}, name="mine")
    assert (run.state, run.asked["recipe"], run.asked["parameters"]) == ("queued", "", {"count": 7})
    with pytest.raises(InputError, match=r"mine is a run of .*mine.ipynb, of no recipe"):
        _ = run.recipe
    assert open_run("mine").scores == {}


def told(run: Run) -> list[Any]:
    """Execute a run, and collect what its status says."""
    phases: list[Any] = []
    done = threading.Event()

    def look() -> None:
        for one in watch(run, 0.02, done):
            status = one["status"]
            now = (status.get("phase"), status.get("step"), status.get("steps"))
            if now not in phases:
                phases.append(now)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        execute(run)
    finally:
        done.set()
        watcher.join()
    return phases


@slow
def test_a_notebook_runs_in_its_own_folder_with_each_cell_told(tmp_path: Path) -> None:
    path = book(tmp_path / "价格", "import time; time.sleep(1)", "open(f'{name}-{count}.txt', 'w').close()")
    run = reserve(str(path), {"count": "7"})
    phases = told(run)
    assert run.state == "completed"
    assert (path.parent / "a # b-7.txt").exists()
    assert ("cell 3/4", 2, 4) in phases, "papermill's own cell counts"
    assert len(run.sessions) == 1
    executed = nbformat.read(run.path / "notebook.ipynb", as_version=4)
    assert all(cell.execution_count for cell in executed.cells if cell.cell_type == "code")
    assert execute(run).sessions == run.sessions, "a completed run is left as it is"


@slow
def test_a_cell_that_fails_makes_a_failed_run_which_can_be_resumed(tmp_path: Path) -> None:
    path = book(tmp_path, "assert open('ready.txt').read() == 'yes'")
    run = reserve(str(path), {})
    with pytest.raises(InputError, match=r"cell \d+: FileNotFoundError"):
        execute(run)
    assert run.state == "failed"
    assert "FileNotFoundError" in run.status["message"]
    (tmp_path / "ready.txt").write_text("yes")
    path.write_text("the user's file may change: the run has its own")
    assert run.resume().state == "completed"


@slow
def test_a_kernel_that_dies_makes_a_failed_run(tmp_path: Path) -> None:
    run = reserve(str(book(tmp_path, "import os; os._exit(0)")), {})
    with pytest.raises(InputError, match="kernel"):
        execute(run)
    assert run.state == "failed"


@slow
@pytest.mark.parametrize("by", ["a stop file", "a signal"])
def test_a_notebook_stops_in_the_midst_of_a_cell(by: str, tmp_path: Path) -> None:
    run = reserve(str(book(tmp_path, "open('here', 'w').close(); import time; time.sleep(60)")), {})

    def stop() -> None:
        while not (tmp_path / "here").exists():
            time.sleep(0.05)
        run.stop() if by == "a stop file" else os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=stop).start()
    began = time.monotonic()
    execute(run)
    assert run.state == "stopped"
    assert time.monotonic() - began < 30
    assert json.loads((run.path / "run.json").read_text("utf-8"))["notebook"] == str(tmp_path / "mine.ipynb")
