"""Forked kernels of a batch's worker: to the notebook they are fresh ones, and nothing of them is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest

from kerasllm.forked_kernel import Kernels
from kerasllm.kernels import environment
from kerasllm.notebook_run import _may_find_keras, execute, reserve
from kerasllm.recipes.linear_regression import LinearRegression
from tests.conftest import ROOT

slow = pytest.mark.slow
LINE = {"data": "sample:line", "epochs": "2"}
TELL = """import json, os
told = [sorted(globals()), In[1:3], os.getcwd(), dict(os.environ), os.getppid()]
open(run.path / "told.json", "w").write(json.dumps(told))"""


def book(*, before: str = "", after: str = "") -> Any:
    """The recipe's notebook, with further cells."""
    found = nbformat.read(ROOT / "notebooks" / "linear_regression.ipynb", as_version=4)
    place = next(place for place, cell in enumerate(found.cells) if ".train(" in cell.source)
    found.cells.insert(place + 1, nbformat.v4.new_code_cell(after))
    if before:
        found.cells.insert(place, nbformat.v4.new_code_cell(before))
    return found


@pytest.fixture
def kernels() -> Iterator[Kernels]:
    found = Kernels()
    yield found
    found.end()


def test_code_before_the_training_that_is_not_the_recipes_gets_a_fresh_kernel() -> None:
    assert _may_find_keras(book(after="import os; os.environ['KERAS_BACKEND'] = 'jax'"), LinearRegression)
    assert not _may_find_keras(book(before="import os; os.environ['KERAS_BACKEND'] = 'jax'"), LinearRegression)


@slow
def test_a_run_in_a_forked_kernel_is_the_run_of_a_fresh_one(kernels: Kernels, tmp_path: Path) -> None:
    path = tmp_path / "mine.ipynb"
    nbformat.write(book(after=TELL), path)
    fresh = execute(reserve(str(path), LINE))
    runs = [execute(reserve(str(path), {**LINE, "seed": seed}), kernels) for seed in ("1", "0")]
    origin = kernels._origin
    assert origin
    assert {json.loads((run.path / "told.json").read_text())[4] for run in runs} == {origin.pid}
    assert not any(psutil.pid_exists(run.sessions[0]["pid"]) for run in runs), "a kernel ends with its notebook"
    assert fresh.report["weights"] == runs[1].report["weights"]
    assert fresh.report["weights"] == LinearRegression(**LINE).train().report["weights"]
    there, here = (json.loads((run.path / "told.json").read_text())[:4] for run in (fresh, runs[1]))
    assert here[3].pop("KERASLLM_RUN") == str(runs[1].path)
    for told in (there, here):
        for name in ("JUPYTER_PATH", "KERASLLM_RUN", "JPY_PARENT_PID"):
            told[3].pop(name, None)
    assert here == there, "names, inputs, folder and environment"


def command() -> list[str]:
    """Of a kernel's kind, but at its end at once."""
    return [sys.executable, "-m", "platform"]


@slow
def test_a_process_to_fork_from_that_died_or_has_another_environment_is_replaced(kernels: Kernels) -> None:
    assert kernels.fork(command(), dict(os.environ))
    first = kernels._origin
    assert first
    assert kernels.fork(command(), dict(os.environ))
    assert kernels._origin is first
    with environment(KERAS_BACKEND="nosuch"):
        assert kernels.fork(command(), dict(os.environ)) is None, "its import fails"
    assert first.returncode == -signal.SIGKILL
    assert kernels.fork(command(), dict(os.environ)), "and here it does not"


@slow
def test_kernels_end_with_the_worker_that_was_killed() -> None:
    code = (
        "import os, sys, time, tempfile; from kerasllm.forked_kernel import Kernels; kernels = Kernels()\n"
        "words = ['-f', tempfile.mktemp(), '--log-level=50']\n"
        "found = kernels.fork([sys.executable, '-m', 'ipykernel_launcher', *words], dict(os.environ))\n"
        "print(found.pid, kernels._origin.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout
        processes = [psutil.Process(int(pid)) for pid in worker.stdout.readline().split()]
        worker.kill()
    psutil.wait_procs(processes, timeout=60)
    assert not any(process.is_running() for process in processes)
