"""Every recipe on its sample: launcher card, panel, playground, sidebar, and the dialog."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from kerasllm_widgets.playground import Playground
from PIL import Image
from playwright.sync_api import Page, expect

from kerasllm import open as open_run
from kerasllm import recipes
from kerasllm.run import Run
from tests.conftest import SMALL
from tests.lab.pages import TRAINING, button, fill, item, open_lab, show_runs, state
from tests.lab.server import Server

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", recipes.names())
def test_a_recipe_goes_from_its_card_to_an_answer(name: str, lab: Server, page: Page, tmp_path: Path) -> None:
    values = {key: str(value) for key, value in {"epochs": 1, **SMALL.get(name, {})}.items()}
    open_lab(page, lab)
    page.locator(".jp-LauncherCard", has_text=name).click()
    page.wait_for_selector("form.kl-box", timeout=TRAINING)
    fill(page, **values)
    button(page, "Train").click()
    state(page, "completed")
    run = Run(lab.runs / page.locator(".kl-run strong").first.inner_text())
    assert run.asked["surface"] == "panel"

    button(page, "Try it").click()
    ask(page, run, tmp_path)
    expect(page.locator(".kl-answer").locator(".kl-number b, .kl-shares li, .kl-written").first).to_be_visible(
        timeout=TRAINING
    )
    expect(page.locator(".kl-answer .kl-problem")).to_have_count(0)

    show_runs(page)
    expect(item(page, run.name).locator(".kerasllm-state")).to_have_text("completed")
    main = run.scores["main"]
    expect(item(page, run.name)).to_contain_text(main)

    page.locator("[data-jp-item-name=kerasllm-run]:visible").click()
    form = page.locator(".kerasllm-form")
    for key, value in values.items():
        field = form.locator(f"input[id$=_{key}]")
        folded = field.locator("xpath=ancestor::details[not(@open)]")
        if folded.count():
            folded.locator("summary").click()
        field.fill(value)
    page.get_by_role("button", name="Run in the background").click()
    row = page.locator(f".kerasllm-run[data-name^={name}-]").first
    expect(row).not_to_have_attribute("data-name", run.name)
    expect(row.locator(".kerasllm-state")).to_have_text("completed", timeout=TRAINING)
    other = Run(lab.runs / str(row.get_attribute("data-name")))
    assert other.asked["surface"] == "notebook"
    assert other.report["weights"] == run.report["weights"]


def ask(page: Page, run: Run, folder: Path) -> None:
    """Ask a playground what the run's kind answers."""
    box = page.locator(".kl-playground")
    kind = Playground(run).kind
    if kind == "table":
        box.locator("input").first.fill("120")
    elif kind == "language":
        box.get_by_label("Prompt").fill("我")
        box.get_by_role("button", name="Write on").click()
    elif kind == "picture":
        Image.effect_noise((20, 20), 60).save(folder / "digit.png")
        box.locator("input[type=file]").set_input_files(folder / "digit.png")
    else:
        box.get_by_label("Your text").fill("Where is my parcel?")


def test_a_real_table_of_messages_trains_to_the_command_lines_weights(shared: Path, lab: Server, page: Page) -> None:
    shutil.copy(shared / "waimai_10k" / "train.csv", lab.root / "waimai.csv")
    open_lab(page, lab)
    page.locator(".jp-LauncherCard", has_text="text_classifier").click()
    page.wait_for_selector("form.kl-box", timeout=TRAINING)
    fill(page, data="waimai.csv", epochs="1")
    page.get_by_text(re.compile("^First rows")).click()
    expect(page.locator(".kl-data td").first).to_be_visible()
    button(page, "Train").click()
    state(page, "completed")
    run = Run(lab.runs / page.locator(".kl-run strong").first.inner_text())
    by_command = lab.kerasllm("train", "text_classifier", "--data", "waimai.csv", "--epochs", "1", "--name", "waimai")
    assert by_command.wait(120) == 0
    assert open_run(lab.runs / "waimai").report["weights"] == run.report["weights"]
