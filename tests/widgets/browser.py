"""A real JupyterLab on loopback, and a real browser on it."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

CHROMIUM = shutil.which("chromium") or ""
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]  # fmt: skip
NEWS = {"fetchNews": "false", "checkForUpdates": False}


class Lab:
    """A running server: its folder of notebooks, and pages on it."""

    def __init__(self, folder: Path, port: int, token: str, app: str):
        self.folder, self._app = folder, app
        self._address, self._token = f"http://127.0.0.1:{port}", token

    def notebook(self, name: str, *cells: str) -> Path:
        """Write a notebook of code cells."""
        import nbformat
        from nbformat.v4 import new_code_cell, new_notebook

        made = new_notebook(cells=[new_code_cell(cell) for cell in cells])
        made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = self.folder / name
        nbformat.write(made, path)
        return path

    def open(self, page: Any, name: str) -> None:
        """Open a notebook and wait for its kernel."""
        place = f"lab/tree/{name}" if self._app == "lab" else f"notebooks/{name}"
        page.goto(f"{self._address}/{place}?token={self._token}" + ("&reset" if self._app == "lab" else ""))
        page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
        idle(page)


def idle(page: Any) -> None:
    """Wait until the kernel has nothing to do."""
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=60_000, state="attached")


def run_cell(page: Any, place: int = 0) -> None:
    """Run one cell of the open notebook; a notebook that is still busy with itself may miss the first key."""
    cell = page.locator(".jp-CodeCell").nth(place)
    prompt = cell.locator(".jp-InputPrompt")
    before = prompt.inner_text()
    for _ in range(10):
        cell.locator(".cm-content").click()
        page.keyboard.press("Control+Enter")
        for _ in range(20):
            if prompt.inner_text() != before:
                return
            page.wait_for_timeout(100)


@contextmanager
def server(folder: Path, home: Path, app: str = "lab", **environment: str) -> Iterator[Lab]:
    """Start `jupyter lab` (or `notebook`) with a home of its own; end it and its kernels, and nothing else."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = home / ".jupyter/lab/user-settings/@jupyterlab/apputils-extension"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(NEWS))
    kernel = home / "share/kernels/python3"
    kernel.mkdir(parents=True, exist_ok=True)
    spec = {"argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps({**spec, "display_name": "Python 3"}))
    places = [str(ROOT), str(ROOT / "widgets"), os.environ.get("PYTHONPATH", "")]
    variables = {
        **os.environ, "HOME": str(home), "PYTHONPATH": os.pathsep.join(filter(None, places)),
        "JUPYTER_CONFIG_DIR": str(home / ".jupyter"), "JUPYTER_DATA_DIR": str(home / "share"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"), "IPYTHONDIR": str(home / ".ipython"), **environment,
    }  # fmt: skip
    token = "0123456789abcdef"
    command = [
        sys.executable, "-m", "jupyter", app, "--no-browser", "--allow-root", f"--port={port}",
        f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}", "--ServerApp.ip=127.0.0.1",
    ]  # fmt: skip
    if app == "lab":
        command.append("--LabApp.expose_app_in_browser=True")
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=variables, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait_for(f"http://127.0.0.1:{port}/api?token={token}", process, home / "server.log")
        yield Lab(folder, port, token, app)
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 90
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(address, timeout=2).read()
            return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.2)
    raise RuntimeError(re.sub(r"token=\w+", "token=…", log.read_text("utf-8"))[-2000:])
