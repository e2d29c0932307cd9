"""The Lab extension in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from kerasllm.run import Run
from tests.lab.server import Server

pytestmark = pytest.mark.slow
TRAINING = 120_000  # milliseconds until a training has imported Keras and begun


def test_a_card_opens_the_recipes_notebook_in_the_current_folder(page: Page, lab: Server, screenshots: Path) -> None:
    card = page.locator(".jp-LauncherCard", has_text="text_classifier")
    expect(card).to_be_visible()
    page.screenshot(path=screenshots / "launcher.png")
    card.click()
    expect(page.locator(".jp-NotebookPanel")).to_be_visible()
    expect(page.locator(".jp-CodeCell").first).to_contain_text('Panel("text_classifier")')
    assert (lab.root / "text_classifier.ipynb").exists()
    expect(page.locator(".jp-CodeCell").first.locator(".jp-OutputArea-child")).not_to_have_count(0)
    page.screenshot(path=screenshots / "notebook.png")


def test_a_run_of_the_command_line_appears_within_two_seconds_and_is_stopped_and_resumed(
    page: Page, lab: Server, screenshots: Path
) -> None:
    show_runs(page)
    expect(page.locator(".kerasllm-runs")).to_contain_text("No runs yet")
    trainer = lab.kerasllm("train", "linear_regression", "--epochs", "100000", "--name", "mine")
    row = page.locator(".kerasllm-run[data-name=mine]")
    while not (lab.runs / "mine" / "run.json").exists():
        page.wait_for_timeout(50)
    expect(row).to_be_visible(timeout=2000)
    expect(row.locator(".kerasllm-state")).to_have_text("running", timeout=TRAINING)
    expect(row.locator(".kerasllm-sparkline")).to_be_visible(timeout=TRAINING)
    page.screenshot(path=screenshots / "sidebar.png")
    page.reload()
    expect(row.locator(".kerasllm-state")).to_have_text("running", timeout=TRAINING)

    row.get_by_role("button", name="Stop").click()
    expect(row.locator(".kerasllm-state")).to_have_text("stopped", timeout=TRAINING)
    expect(page.get_by_text("mine has stopped.")).to_be_visible()
    trainer.wait(60)
    stopped_at = Run(lab.runs / "mine").status["epoch"]
    row.get_by_role("button", name="Resume").click()
    expect(row.locator(".kerasllm-state")).to_have_text("running", timeout=TRAINING)
    expect(row.locator(".kerasllm-detail")).to_contain_text("left", timeout=TRAINING)
    assert Run(lab.runs / "mine").status["epoch"] >= stopped_at

    row.get_by_role("button", name="mine", exact=True).click()
    view = page.locator(".kerasllm-view")
    expect(view.locator(".kerasllm-chart").first).to_be_visible()
    page.screenshot(path=screenshots / "view.png")
    row.get_by_role("button", name="Stop").click()
    expect(row.locator(".kerasllm-state")).to_have_text("stopped", timeout=TRAINING)
    row.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    assert not (lab.runs / "mine").exists()


def show_runs(page: Page) -> None:
    page.get_by_role("tab", name="Runs of kerasllm").click()
