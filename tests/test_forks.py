"""Forks of a process that has imported Keras: what they do is what a fresh process does, and none is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager, suppress
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest

from kerasllm.forks import Fork, Origin
from kerasllm.kernels import Kernels, environment
from kerasllm.notebook_run import _may_find_keras, execute, reserve
from kerasllm.recipes.linear_regression import LinearRegression
from tests.conftest import ROOT
from tests.server.waiting import wait

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
    assert {json.loads((run.path / "told.json").read_text())[4] for run in runs} == {origin.process.pid}
    for run in runs:
        with suppress(psutil.NoSuchProcess):
            psutil.Process(run.sessions[0]["pid"]).wait(5)  # a kernel ends with its notebook
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
    assert first.process.returncode == -signal.SIGKILL
    assert kernels.fork(command(), dict(os.environ)), "and here it does not"


@slow
def test_kernels_end_with_the_worker_that_was_killed() -> None:
    code = (
        "import os, sys, time, tempfile; from kerasllm.kernels import Kernels; kernels = Kernels()\n"
        "words = ['-f', tempfile.mktemp(), '--log-level=50']\n"
        "found = kernels.fork([sys.executable, '-m', 'ipykernel_launcher', *words], dict(os.environ))\n"
        "print(found.pid, kernels._origin.process.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout
        processes = [psutil.Process(int(pid)) for pid in worker.stdout.readline().split()]
        worker.kill()
    psutil.wait_procs(processes, timeout=60)
    assert not any(process.is_running() for process in processes)


MODULES = {
    "speaks": "import sys; print(sys.argv[1:], sys.stdin.read(), __name__); print('why', file=sys.stderr)",
    "fails": "1 / 0",
    "gives_up": "raise SystemExit('enough')",
    "refuses": "import sys; sys.exit(7)",
    "lingers": "import threading, time; threading.Thread(target=time.sleep, args=[0.5]).start()",
    "leaves": "import os, time; os.fork() or time.sleep(600)",
    "nests": "import os; pid = os.fork() or (f := open('held', 'w')) and os.fork(); print('one'); pid and os.wait()",
    "denies": "raise SystemExit(-1)",
    "tells": "import os; os.write(1, os.environ['LARGE'][:3].encode())",
    "waits": "import time; time.sleep(600)",
}


@contextmanager
def an_origin(folder: Path) -> Iterator[Origin]:
    """Its folder is where modules are looked for first, as `python -m` does."""
    for name, code in MODULES.items():
        (folder / f"{name}.py").write_text(code)
    with chdir(folder):
        found = Origin()
        yield found
    found.end()


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    with an_origin(tmp_path_factory.mktemp("forks")) as found:
        yield found


def run(origin: Origin, *words: str, said: str = "") -> tuple[int, list[str]]:
    """The exit code of a fork, and what it prints."""
    with open("in", "w+") as stdin, open("out", "w") as out:
        stdin.write(said)
        stdin.seek(0)
        fork = origin.fork(words, dict(os.environ), (stdin.fileno(), out.fileno(), out.fileno()))
        code = fork.wait(60)
    with suppress(ProcessLookupError):
        os.killpg(fork.pid, signal.SIGKILL)  # the children that it has left
    return code, Path("out").read_text().splitlines()


@slow
def test_a_fork_reads_prints_and_ends_as_a_process_of_python_does(origin: Origin) -> None:
    code, said = run(origin, "speaks", "one", said="two")
    assert (code, sorted(said)) == (0, ["['one'] two __main__", "why"])
    code, said = run(origin, "fails")
    assert (code, said[-1]) == (1, "ZeroDivisionError: division by zero")
    assert run(origin, "gives_up") == (1, ["enough"])
    assert run(origin, "refuses") == (7, [])
    assert run(origin, "denies") == (255, [])
    assert run(origin, "lingers") == (0, []), "it waits for its threads"
    assert run(origin, "leaves") == (0, []), "and not for its children"
    assert run(origin, "nests") == (0, ["one"] * 3)
    with environment(LARGE="x" * 1_000_000):
        assert run(origin, "tells") == (0, ["xxx"])


def begin(origin: Origin, *words: str) -> Fork:
    with open(os.devnull, "r+") as nothing:
        return origin.fork(words, dict(os.environ), (nothing.fileno(),) * 3)


@slow
def test_a_fork_is_sent_signals_also_before_it_has_begun(origin: Origin) -> None:
    fork = begin(origin, "waits")
    assert fork.begins()
    assert fork.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        fork.wait(0.1)
    fork.terminate()
    assert fork.wait(20) < 0
    fork.kill()  # there is nobody any more
    os.kill(origin.process.pid, signal.SIGSTOP)
    early = begin(origin, "waits")
    early.terminate()
    os.kill(origin.process.pid, signal.SIGCONT)
    assert early.wait(20) == -signal.SIGTERM


@slow
def test_a_fork_outlives_its_origin_and_then_none_begins(tmp_path: Path) -> None:
    with an_origin(tmp_path) as origin:
        fork = begin(origin, "waits")
        assert fork.begins()
        origin.process.kill()
        origin.process.wait()
        assert fork.poll() is None
        fork.kill()
        assert fork.wait(20) < 0
        late = begin(origin, "waits")
        assert not late.begins()
        assert late.wait(20) == 1, "as of a process that could not import"


@slow
def test_an_origin_ends_when_nobody_wants_forks_for_long() -> None:
    origin = Origin(idle=0.1)
    assert origin.process.wait(120) == 0
    origin.end()


@slow
def test_an_origin_that_is_left_makes_the_forks_that_were_asked_for() -> None:
    origin = Origin()
    fork = begin(origin, "this")
    origin.leave()  # still importing
    assert fork.wait(120) == 0
    assert origin.process.wait(20) == 0


@slow
def test_a_fork_that_was_asked_for_does_its_work_though_who_asked_was_killed(tmp_path: Path) -> None:
    (tmp_path / "works.py").write_text("open('done.part', 'w').close(); import os; os.rename('done.part', 'done')")
    code = (
        "import os, signal; from kerasllm.forks import Origin\n"
        "origin = Origin(); origin.fork(['works'], dict(os.environ), (0, 1, 2)); os.kill(os.getpid(), signal.SIGKILL)"
    )
    with (tmp_path / "said").open("w") as said:
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, stdout=said, stderr=said)
    wait(lambda: (tmp_path / "done").exists(), 60)
    assert (tmp_path / "said").read_text() == ""
