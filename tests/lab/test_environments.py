"""Extension, server and kernel in different environments: each gap is told, and its cure."""

from __future__ import annotations

import json
import shutil
import sys
import sysconfig
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from kerasllm import __version__
from tests.lab.pages import open_lab
from tests.lab.server import Server

pytestmark = pytest.mark.slow


def other_environment(place: Path) -> Path:
    """A folder of everything that is installed here but kerasllm."""
    place.mkdir()
    for folder in {sysconfig.get_path(kind) for kind in ("purelib", "platlib")}:
        for entry in Path(folder).iterdir():
            if not entry.name.startswith("kerasllm"):
                (place / entry.name).symlink_to(entry)
    return place


def test_who_lacks_kerasllm_or_has_another_one_is_told_with_the_cure(lab: Server, page: Page, tmp_path: Path) -> None:
    packages = other_environment(tmp_path / "packages")
    kernel = lab.place / "data" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    spec = {
        "argv": [sys.executable, "-S", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Other",
        "language": "python",
        "env": {"PYTHONPATH": str(packages)},
    }
    (kernel / "kernel.json").write_text(json.dumps(spec))
    try:
        page.route("**/kerasllm/recipes?*", lambda route: route.fulfill(status=404, json={"message": "Not Found"}))
        open_lab(page, lab)
        expect(page.get_by_text("The server lives in another environment than this extension")).to_contain_text(
            "There: pip install 'kerasllm[lab]', then start it again."
        )
        page.unroute("**/kerasllm/recipes?*")

        open_lab(page, lab)
        page.locator(".jp-LauncherCard", has_text="linear_regression").click()
        expect(page.get_by_text("The kernel Other lives in another environment, without kerasllm.")).to_contain_text(
            "In a cell: %pip install 'kerasllm[all]'"
        )
        (packages / "kerasllm-9.9.dist-info").mkdir()
        (packages / "kerasllm-9.9.dist-info" / "METADATA").write_text("Name: kerasllm\nVersion: 9.9\n")
        page.evaluate(
            "() => { void window.jupyterapp.commands.execute('kerasllm:new', {recipe: 'linear_regression'}); }"
        )
        expect(page.get_by_text(f"The kernel Other has kerasllm 9.9, the server {__version__}.")).to_contain_text(
            "In a cell: %pip install -U kerasllm"
        )
    finally:
        shutil.rmtree(kernel)
