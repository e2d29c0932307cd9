"""A real Jupyter server on loopback, in folders of its own."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from kerasllm.run import runs

PATIENCE = 60.0  # seconds a server may take to start
# A test asks the page's application when a notebook is ready.
EXPOSED = {
    "jupyterlab": ["--LabApp.expose_app_in_browser=True"],
    "notebook": ["--JupyterNotebookApp.expose_app_in_browser=True"],
}


class Server:
    """A process of `jupyter lab`, `jupyter notebook` or `jupyter server`, which can be stopped and started again."""

    def __init__(self, place: Path, application: str = "jupyter_server", *options: str):
        self.place, self.root = place, place / "root"
        self.application, self.options = application, options
        self.runs = self.root / "runs"
        self.root.mkdir(parents=True)
        self.token = secrets.token_hex(16)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = place / "settings"
        self.set("apputils-extension/notification", fetchNews="false", checkForUpdates=False)
        # What is not looked at costs seconds of every start.
        has_pages = application in EXPOSED
        unused = ["jupyter_lsp"] if has_pages else ["jupyter_lsp", "jupyterlab", "notebook", "notebook_shim"]
        config = {"ServerApp": {"jpserver_extensions": dict.fromkeys(unused, False)}}
        (place / "config" / "jupyter_server_config.d").mkdir(parents=True)
        (place / "config" / "jupyter_server_config.d" / "unused.json").write_text(json.dumps(config))
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "KERASLLM"))},
            **{f"JUPYTER_{what}_DIR": str(place / what.lower()) for what in ("CONFIG", "DATA", "RUNTIME")},
            "JUPYTER_PREFER_ENV_PATH": "0",  # a kernel that a test describes goes before the environment's
            "HOME": str(place),
            "XDG_DATA_HOME": str(place / "share"),
            "JUPYTERLAB_SETTINGS_DIR": str(self.settings),
            "JUPYTERLAB_WORKSPACES_DIR": str(place / "workspaces"),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        self.start()

    def set(self, plugin: str, **values: Any) -> None:
        """Change one of Lab's own settings before a page is opened."""
        file = self.settings / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))

    def start(self) -> None:
        with (self.place / "server.log").open("a") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable, "-m", self.application, "--no-browser", "--allow-root", "--ip=127.0.0.1",
                    f"--port={self.port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={self.root}",
                    f"--IdentityProvider.token={self.token}", *EXPOSED.get(self.application, []), *self.options,
                ],
                env=self.environment, cwd=self.root, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.ask("GET", "/api/status")
                return
            except ConnectionError:
                assert self.process.poll() is None, self.log
                assert time.monotonic() < deadline, self.log
                time.sleep(0.1)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)

    def end_kernels(self) -> None:
        """Half a gigabyte each, with the worker that is parked in it."""
        for kernel in self.ask("GET", "/api/kernels")[1]:
            self.ask("DELETE", f"/api/kernels/{kernel['id']}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Leave nothing behind: the runs would outlive the server."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:  # Jupyter waits a minute for a kernel that was just being started
            self.process.kill()
            self.process.wait()
        for run in runs(self.runs):
            if run.state == "running":
                run.stop()

    @property
    def log(self) -> str:
        return (self.place / "server.log").read_text()

    def ask(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any, http.client.HTTPMessage]:
        """Status, content (JSON where it is) and headers of an answer; with the token unless `headers` are given.

        The path goes out as it is: no client tidies its dots.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {"Authorization": f"token {self.token}"} if headers is None else headers
        connection.request(method, path, None if body is None else json.dumps(body), sent)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        try:
            return answer.status, json.loads(content), answer.headers
        except ValueError:
            return answer.status, content.decode(errors="replace"), answer.headers

    def notebook(self, name: str, *cells: str, kernel: str = "python3") -> Path:
        """Write a notebook of code cells."""
        made = new_notebook(cells=[new_code_cell(cell) for cell in cells])
        made.metadata["kernelspec"] = {"name": kernel, "display_name": kernel, "language": "python"}
        path = self.root / name
        nbformat.write(made, path)
        return path

    def kerasllm(self, *words: str) -> subprocess.Popen[bytes]:
        """Run the command line beside the server, with its folder of runs."""
        with (self.place / "cli.log").open("a") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "kerasllm", *words],
                env={**self.environment, "KERASLLM_RUNS": str(self.runs)}, cwd=self.root, stdout=log, stderr=log,
            )  # fmt: skip
