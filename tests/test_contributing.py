"""CONTRIBUTING's example: the page's two files, in a package of one's own, are a recipe."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

TRAIN = """
from my_package.deep_regression import DeepRegression
from kerasllm.errors import InputError
print(DeepRegression(epochs=2).train().state)
try:
    DeepRegression(data="sample:houses", epochs=2).train()
except InputError as error:
    print(error)
"""


@pytest.mark.slow
def test_the_pages_recipe_trains_and_refuses_what_its_network_has_no_room_for(tmp_path: Path) -> None:
    network, recipe = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.DOTALL)
    package = tmp_path / "my_package"
    package.mkdir()
    (package / "deep.py").write_text(network, "utf-8")
    (package / "deep_regression.py").write_text(recipe.replace("kerasllm.models.deep", "my_package.deep"), "utf-8")
    about = tmp_path / "my_package-1.dist-info"  # as pip leaves it, with the page's entry point
    about.mkdir()
    (about / "METADATA").write_text("Name: my_package\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[kerasllm.recipes]\ndeep_regression = my_package.deep_regression\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))}
    done = subprocess.run([sys.executable, "-c", TRAIN], env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.splitlines() == [
        "completed", "deep_regression takes numeric columns only; use linear_regression"
    ], done.stderr  # fmt: skip
