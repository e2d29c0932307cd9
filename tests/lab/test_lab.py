"""The Lab extension in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.lab.server import Server

pytestmark = pytest.mark.slow


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
