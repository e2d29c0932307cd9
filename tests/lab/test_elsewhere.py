"""The panel beyond today's Lab: in Notebook 7, on an older kernel, in a Chinese Lab, and through a server's restart."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from kerasllm.run import Run
from tests.lab.conftest import lacks
from tests.lab.pages import TRAINING, button, fill, item, open_lab, open_panel, refresh, serious, show_runs, state
from tests.lab.server import Server

pytestmark = pytest.mark.slow

PANEL = 'from kerasllm_widgets import Panel\nPanel("linear_regression")'
OLD_KERNEL = Path(sys.prefix) / "ipykernel6"  # where ci/install puts ipykernel 6.29


@pytest.fixture(scope="module")
def notebook7(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Notebook 7, with one kernel more: ipykernel 6.29 where it is installed."""
    place = tmp_path_factory.mktemp("notebook7")
    kernel = place / "data" / "kernels" / "old"
    kernel.mkdir(parents=True)
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Old",
        "language": "python",
        "env": {"PYTHONPATH": str(OLD_KERNEL)},
    }
    (kernel / "kernel.json").write_text(json.dumps(spec))
    with Server(place, "notebook") as server:
        yield server


def test_the_panel_trains_in_notebook_7(notebook7: Server, page: Page) -> None:
    open_panel(page, notebook7, "panel.ipynb", PANEL)
    fill(page, epochs="3")
    button(page, "Train").click()
    state(page, "completed")
    expect(page.locator(".kl-result .kl-main")).to_be_visible()
    button(page, "Try it").click()
    page.locator(".kl-playground").get_by_label("area").fill("120")
    expect(page.locator(".kl-number b")).to_be_visible(timeout=TRAINING)
    assert serious(page, ".kl-widget") == []

    name = page.locator(".kl-run strong").first.inner_text()
    open_view = "names => { void window.jupyterapp.commands.execute('kerasllm:open-runs', {names}); }"
    page.evaluate(open_view, [name])
    expect(page.locator(".kerasllm-view").get_by_role("heading")).to_have_text(name)
    expect(page.locator(".kerasllm-view .kl-chart").first).to_be_visible()
    assert serious(page, ".kerasllm-view") == []


@pytest.mark.parametrize(("ci", "end"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_part_fails_in_ci_and_skips_elsewhere(
    ci: str, end: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(end, match="chromium is not installed"):
        lacks("chromium")


def test_the_panel_trains_on_ipykernel_6(notebook7: Server, page: Page) -> None:
    if not OLD_KERNEL.exists():
        lacks("ipykernel 6.29 beside this environment")
    version = "import ipykernel\nprint(ipykernel.__version__)\n"
    open_panel(page, notebook7, "old.ipynb", version + PANEL, kernel="old")
    expect(page.locator(".jp-OutputArea-output").first).to_contain_text("6.29")
    fill(page, epochs="100000")
    button(page, "Train").click()
    state(page, "running")
    button(page, "Stop").click()
    state(page, "stopped")


def test_a_chinese_lab_reads_chinese_in_the_sidebar_and_the_panel(tmp_path: Path, page: Page) -> None:
    if not find_spec("jupyterlab_language_pack_zh_CN"):
        lacks("Lab's Chinese language pack")
    with Server(tmp_path / "zh", "jupyterlab") as lab:
        lab.set("translation-extension/plugin", locale="zh_CN")
        open_lab(page, lab)
        show_runs(page)
        expect(page.locator(".kerasllm-runs")).to_contain_text("还没有")
        page.evaluate("() => { void window.jupyterapp.commands.execute('settingeditor:open', {query: 'kerasllm'}); }")
        for text in ("运行结束时告知", "同时进行的后台运行数", "其余的排队等待"):
            expect(page.get_by_text(text)).to_be_visible()
        page.locator(".lm-TabBar-tab", has_text="启动页").click()
        page.locator(".jp-LauncherCard", has_text="linear_regression").click()
        page.wait_for_selector("form.kl-box", timeout=TRAINING)
        expect(button(page, "训练")).to_be_visible()


def test_a_training_from_a_folders_card_outlives_its_server_and_is_seen_again_by_the_next(
    tmp_path: Path, page: Page
) -> None:
    with Server(tmp_path / "lab", "jupyterlab") as lab:
        (lab.root / "mine").mkdir()
        (lab.root / "mine" / "flats.tsv").write_text("area\tprice\n" + "".join(f"{n}\t{2 * n}\n" for n in range(50)))
        open_lab(page, lab)
        refresh(page)
        page.locator(".jp-DirListing-item", has_text="mine").dblclick()
        expect(page.locator(".jp-DirListing-item")).to_have_text(re.compile("flats"))
        page.locator(".jp-LauncherCard", has_text="linear_regression").click()
        page.wait_for_selector("form.kl-box", timeout=TRAINING)
        assert (lab.root / "mine" / "linear_regression.ipynb").exists()
        fill(page, data="flats.tsv", epochs="100000")
        button(page, "Train").click()
        state(page, "running")
        name = page.locator(".kl-run strong").first.inner_text()
        assert Run(lab.runs / name).asked["parameters"]["data"] == str(lab.root / "mine" / "flats.tsv")
        lab.stop()
        lab.start()
        open_lab(page, lab)
        show_runs(page)
        row = item(page, name)
        expect(row.locator(".kerasllm-state")).to_have_text("running")
        expect(row.locator(".kerasllm-detail")).to_contain_text("left", timeout=TRAINING)
        row.get_by_role("button", name="Stop").click()
        expect(row.locator(".kerasllm-state")).to_have_text("stopped", timeout=TRAINING)
