"""What the tests share: real data where it is at hand, a folder for runs, and the command line in a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
# Sizes at which a step takes milliseconds: what a recipe keeps does not depend on them.
SMALL: dict[str, dict[str, Any]] = {
    "bert_classifier": {"depth": 1, "width": 8, "heads": 2, "max_length": 16},
    "image_classifier": {"filters": 4, "depth": 2},
    "lstm_text": {"data": "sample:messages", "units": 16, "embedding_size": 8, "window": 64},
}
# JAX may keep what it compiled for the many processes of the tests: half of their time else.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(tempfile.gettempdir()) / "kerasllm-tests-jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")


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


def last_json(output: str) -> dict[str, Any]:
    """The JSON object that ends a command's stdout."""
    found: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return found
