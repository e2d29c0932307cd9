"""What the tests share: real data where it is at hand, a folder for runs, the command line, and a count of reads."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.forked import Forked

ROOT = Path(__file__).parent.parent
# Sizes at which a step takes milliseconds: what a recipe keeps does not depend on them.
SMALL: dict[str, dict[str, Any]] = {
    "bert_classifier": {"depth": 1, "width": 8, "heads": 2, "max_length": 16},
    "image_classifier": {"filters": 4, "depth": 2},
    "lstm_text": {"data": "sample:messages", "units": 16, "embedding_size": 8, "window": 64},
}
# A linear regression of some milliseconds.
HOUSES: dict[str, Any] = {"data": "sample:houses", "optimizer": "adam", "batch_size": 8, "learning_rate": 0.05}
# JAX may keep what it compiled for the many processes of the tests: half of their time else.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(tempfile.gettempdir()) / "kerasllm-tests-jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")


@contextmanager
def asked_to_stop(step: int, moment: str = "on_train_batch_begin") -> Iterator[None]:
    """Each training is asked to stop once it stands at this step, at a moment that a Keras callback has."""
    from kerasllm.training.recorder import Recorder

    before_batch = getattr(Recorder, moment)

    def ask(recorder: Recorder, batch: int, logs: Any = None) -> None:
        recorder.writer.interrupted = recorder.progress.step == step
        before_batch(recorder, batch, logs)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Recorder, moment, ask)
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The real data sets beside the checkout; CI has them, users do not."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the shared data sets are not beside this checkout")
    return folder


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has a folder of runs of its own."""
    folder = tmp_path / "runs"
    monkeypatch.setenv("KERASLLM_RUNS", str(folder))
    monkeypatch.delenv("KERASLLM_RUN", raising=False)
    return folder


@pytest.fixture
def kerasllm(runs: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line in a process of its own, in an empty folder."""

    def call(*words: str, backend: str = "tensorflow", **options: Any) -> subprocess.CompletedProcess[str]:
        # ipykernel and TensorFlow log to stderr unless told otherwise; our own lines are what is looked at.
        environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONWARNINGS": "default"}
        environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
        return subprocess.run(
            [sys.executable, "-m", "kerasllm", *words],
            env=environment, cwd=tmp_path, text=True, capture_output=True, timeout=300, **options,
        )  # fmt: skip

    return call


@pytest.fixture(scope="session")
def forked() -> Iterator[Forked]:
    """Forks of a process that has imported Keras."""
    from tests.forked import Forked

    found = Forked()
    yield found
    found.end()


@pytest.fixture
def bytes_read(monkeypatch: pytest.MonkeyPatch) -> Counter[Path]:
    """How much was read of each file that was opened by its `Path`: what a look costs, on any machine."""
    found: Counter[Path] = Counter()
    open_file = Path.open

    class Counted(io.FileIO):
        def readall(self) -> bytes:
            content = super().readall()
            found[Path(str(self.name))] += len(content)
            return content

        def readinto(self, buffer: Any) -> int:
            size = super().readinto(buffer) or 0
            found[Path(str(self.name))] += size
            return size

    def counted(path: Path, mode: str = "r", buffering: int = -1, *words: Any, **more: Any) -> Any:
        if mode not in ("r", "rb"):
            return open_file(path, mode, buffering, *words, **more)
        file = io.BufferedReader(Counted(str(path)))
        found[path] += 0  # opened, if only to find nothing new
        return file if mode == "rb" else io.TextIOWrapper(file, *words, **more)

    monkeypatch.setattr(Path, "open", counted)
    return found


def last_json(output: str) -> dict[str, Any]:
    """The JSON object that ends a command's stdout."""
    found: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return found
