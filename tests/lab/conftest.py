"""A real JupyterLab on loopback, in folders of its own, and Debian's chromium to look at it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]  # fmt: skip
PATIENCE = 30_000  # milliseconds: the machines are slow


class Lab:
    """A JupyterLab server in a process of its own."""

    def __init__(self, place: Path, language: str = ""):
        self.place, self.root, self.language = place, place / "root", language
        self.runs = self.root / "runs"
        self.root.mkdir()
        self.token = secrets.token_hex(16)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        folders = {f"JUPYTER_{what}_DIR": str(place / what.lower()) for what in ("CONFIG", "DATA", "RUNTIME")}
        settings = place / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
        settings.parent.mkdir(parents=True)
        settings.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "KERASLLM"))},
            **folders,
            "HOME": str(place),
            "XDG_DATA_HOME": str(place / "share"),
            "JUPYTERLAB_SETTINGS_DIR": str(place / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(place / "workspaces"),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        self.start()

    def start(self) -> None:
        with (self.place / "server.log").open("a") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
                    f"--port={self.port}", f"--IdentityProvider.token={self.token}", "--ServerApp.port_retries=0",
                    f"--ServerApp.root_dir={self.root}",
                    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
                ],
                env=self.environment, cwd=self.root, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                self.get("api/status")
                return
            except (urllib.error.URLError, ConnectionError):
                assert self.process.poll() is None, (self.place / "server.log").read_text()
                time.sleep(0.2)
        raise TimeoutError((self.place / "server.log").read_text())

    def get(self, path: str) -> bytes:
        request = urllib.request.Request(f"{self.url}/{path}", headers={"Authorization": f"token {self.token}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            content: bytes = answer.read()
        return content

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)

    def kerasllm(self, *words: str) -> subprocess.Popen[bytes]:
        """Run the command line beside the server, with its folder of runs."""
        environment = {**self.environment, "KERASLLM_RUNS": str(self.runs)}
        with (self.place / "cli.log").open("a") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "kerasllm", *words], env=environment, cwd=self.root, stdout=log, stderr=log
            )


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("chromium is not installed; ci/install installs it")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    server = Lab(tmp_path_factory.mktemp("lab"))
    yield server
    server.stop()


@pytest.fixture
def page(browser: Browser, lab: Lab) -> Iterator[Page]:
    """Lab as a person sees it first: the launcher."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    page = context.new_page()
    open_lab(page, lab)
    yield page
    context.close()


def open_lab(page: Page, lab: Lab) -> None:
    page.goto(f"{lab.url}/lab?reset&token={lab.token}")
    page.wait_for_selector("#jupyterlab-splash", state="detached")
    page.wait_for_selector("#main .jp-Launcher")


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where pictures of Lab go, to be looked at."""
    folder = Path(os.environ.get("KERASLLM_SCREENSHOTS", "/tmp/kerasllm-screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
