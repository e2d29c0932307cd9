"""The spare kernel of a batch's worker: to the notebook it is a fresh one, and nothing of it is left behind."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from nbclient.util import run_sync

from kerasllm.kernels import environment, this_interpreter
from kerasllm.notebook import _may_find_keras, execute, reserve
from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.spare_kernel import Spare
from tests.conftest import ROOT

slow = pytest.mark.slow
LINE = {"data": "sample:line", "epochs": "2"}
TELL = """import json, os
told = [sorted(globals()), In[1:3], os.getcwd(), dict(os.environ)]
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
def spare() -> Iterator[Spare]:
    found = Spare()
    yield found
    found.end()


def process_of(spare: Spare) -> psutil.Process:
    return psutil.Process(spare._kernel.provisioner.pid)


def test_code_before_the_training_that_is_not_the_recipes_gets_a_fresh_kernel() -> None:
    assert _may_find_keras(book(after="import os; os.environ['KERAS_BACKEND'] = 'jax'"), LinearRegression)
    assert not _may_find_keras(book(before="import os; os.environ['KERAS_BACKEND'] = 'jax'"), LinearRegression)


@slow
def test_a_run_in_a_spare_kernel_is_the_run_of_a_fresh_one(spare: Spare, tmp_path: Path) -> None:
    path = tmp_path / "mine.ipynb"
    nbformat.write(book(after=TELL), path)
    fresh = execute(reserve(str(path), LINE), spare)
    waiting = process_of(spare)
    second = execute(reserve(str(path), LINE), spare)
    assert second.sessions[0]["pid"] == waiting.pid
    assert not waiting.is_running(), "it ends with the notebook"
    assert fresh.report["weights"] == second.report["weights"]
    assert second.report["weights"] == LinearRegression(**LINE).train().report["weights"]
    there, here = (json.loads((run.path / "told.json").read_text()) for run in (fresh, second))
    assert here[3].pop("KERASLLM_RUN") == str(second.path)
    for told in (there, here):
        told[3].pop("JUPYTER_PATH")
        told[3].pop("KERASLLM_RUN", None)
    assert here == there, "names, inputs, folder and environment"


@slow
def test_a_spare_kernel_that_died_or_is_of_another_environment_is_not_taken(spare: Spare) -> None:
    with this_interpreter() as name:
        spare.park(name)
        process_of(spare).kill()
        time.sleep(1)
        assert spare.take() is None
        spare.park(name)
        process = process_of(spare)
        with environment(KERAS_BACKEND="another"):
            assert spare.take() is None
        assert not process.is_running()
        spare.park(name)
        process = process_of(spare)
        taken = spare.take()
        assert taken.provisioner.pid == process.pid
        assert spare.take() is None
        run_sync(taken.shutdown_kernel)(now=True)


@slow
def test_a_spare_kernel_ends_with_the_process_that_was_killed() -> None:
    code = (
        "import time; from kerasllm.kernels import this_interpreter; from kerasllm.spare_kernel import Spare\n"
        "with this_interpreter() as name:\n"
        "    spare = Spare(); spare.park(name); print(spare._kernel.provisioner.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout
        kernel = psutil.Process(int(worker.stdout.readline()))
        worker.kill()
    kernel.wait(timeout=300)
