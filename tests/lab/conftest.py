"""A real JupyterLab on loopback, in folders of its own, and Debian's chromium to look at it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from tests.lab.server import Server

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]  # fmt: skip
PATIENCE = 30_000  # milliseconds: the machines are slow
OURS = ("kerasllm", "kl-", "blob:")  # in an error's text, where it is of our scripts: a view's is a blob


def lacks(part: str) -> NoReturn:
    """Skip a test for which a part is missing, or fail it in CI, which has them all."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{part} is not installed; ci/install installs it")


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """The browser of all tests; with a profile on the disk it compiles Lab's scripts once, and not for every page."""
    if not CHROMIUM:
        lacks("chromium")
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"),
            executable_path=CHROMIUM,
            args=FLAGS,
            viewport={"width": 1280, "height": 1000},
        )
        context.set_default_timeout(PATIENCE)
        yield context
        context.close()


@pytest.fixture(scope="session")
def jupyterlab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("lab"), "jupyterlab") as server:
        yield server


@pytest.fixture
def lab(jupyterlab: Server) -> Iterator[Server]:
    """The JupyterLab of all tests; each leaves it without kernels."""
    yield jupyterlab
    jupyterlab.end_kernels()


@pytest.fixture
def page(browser: BrowserContext, screenshots: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """An empty page; its test fails on an error in our scripts, and what it looked like at the end is kept."""
    page = browser.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(f"{error}\n{error.stack}"))
    yield page
    try:
        page.screenshot(path=screenshots / f"{request.node.name}.png")
    finally:
        for one in browser.pages[1:]:  # with its first page the browser would end
            one.close()
        browser.clear_cookies()
    assert not [error for error in errors if any(word in error for word in OURS)]


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where pictures of Lab go, to be looked at."""
    folder = Path(os.environ.get("KERASLLM_SCREENSHOTS", "/tmp/kerasllm-screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
