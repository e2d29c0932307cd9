"""A real JupyterLab on loopback, in folders of its own, and Debian's chromium to look at it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.lab.server import Server

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]  # fmt: skip
PATIENCE = 30_000  # milliseconds: the machines are slow


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM and not os.environ.get("CI"):
        pytest.skip("chromium is not installed; ci/install installs it")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("lab"), "jupyterlab") as server:
        yield server


@pytest.fixture
def page(browser: Browser, lab: Server) -> Iterator[Page]:
    """Lab as a person sees it first: the launcher."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    page = context.new_page()
    open_lab(page, lab)
    yield page
    context.close()


def open_lab(page: Page, lab: Server) -> None:
    page.goto(f"{lab.url}/lab?reset&token={lab.token}")
    page.wait_for_selector("#jupyterlab-splash", state="detached")
    page.wait_for_selector(".jp-Launcher")


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where pictures of Lab go, to be looked at."""
    folder = Path(os.environ.get("KERASLLM_SCREENSHOTS", "/tmp/kerasllm-screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
