"""On a GPU: every recipe trains there, and its model answers alike on the CPU. Skipped where there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from kerasllm import recipes
from kerasllm.data.files import read
from tests.test_contract import hard, numbers

pytestmark = pytest.mark.slow

pytest.importorskip("keras", reason="the train extra is not installed")

from kerasllm.training import devices  # noqa: E402

ANSWER = "import sys, json, kerasllm; print(json.dumps(kerasllm.open(sys.argv[1]).predict(json.load(sys.stdin))))"


@pytest.fixture(autouse=True)
def a_gpu() -> None:
    if not devices.gpus():
        pytest.skip(f"{devices.backend()} sees no GPU on this machine")


@pytest.mark.parametrize("precision", ["float32", "auto"])
@pytest.mark.parametrize("name", recipes.names())
def test_a_recipe_trains_on_the_gpu_and_answers_alike_on_the_cpu(name: str, precision: str) -> None:
    run = recipes.find(name)(**hard(name, device="gpu", precision=precision)).train()
    assert run.sessions[0]["device"] == "gpu"
    assert run.state == "completed"
    assert devices.policy("auto", "gpu") == (
        "mixed_bfloat16" if devices.describe(devices.gpus()[0])["bfloat16"] else "float32"
    )
    rows = {column: cells[:20] for column, cells in read(run.asked["parameters"]["data"]).columns.items()}
    done = subprocess.run(
        [sys.executable, "-c", ANSWER, str(run.path)], input=json.dumps(rows), text=True, capture_output=True,
        check=True, env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
    )  # fmt: skip
    close = 0.01 if precision == "float32" else 0.05  # a GPU's float32 may multiply in TF32
    for here, there in zip(run.predict(rows), json.loads(done.stdout.splitlines()[-1]), strict=True):
        assert numbers(here) == pytest.approx(numbers(there), rel=close, abs=close)
