"""What the person who starts the server decides: who may ask, and whether runs outlive it."""

from __future__ import annotations

from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.run import Run, create, files
from kerasllm.run.process import myself
from tests.lab.server import Server
from tests.lab.written import write_run
from tests.server.test_routes import table
from tests.server.waiting import wait

pytestmark = pytest.mark.slow

NOBODY = """
from jupyter_server.auth import Authorizer
class Nobody(Authorizer):
    def is_authorized(self, handler, user, action, resource):
        return False
c.ServerApp.authorizer_class = Nobody
"""


def test_no_route_answers_who_is_logged_in_but_not_authorized(tmp_path: Path) -> None:
    (tmp_path / "nobody.py").write_text(NOBODY)
    with Server(tmp_path / "server", "jupyter_server", f"--config={tmp_path / 'nobody.py'}") as server:
        run = create(LinearRegression(), server.runs, "x")
        before = {path: path.stat().st_mtime_ns for path in server.runs.rglob("*")}
        routes = table(server)
        assert len(routes) >= 10
        for verb, path in routes:
            status, content, _ = server.ask(verb, path, {} if verb != "GET" else None)
            assert status == 403, (verb, path, content)
            assert content["message"].startswith("User is not authorized to")
            assert content["message"].endswith("on resource: kerasllm.")
        assert run.state == "queued"
        assert {path: path.stat().st_mtime_ns for path in server.runs.rglob("*")} == before


@pytest.mark.parametrize("keeps", [True, False])
def test_a_notebook_of_ones_own_outlives_the_server_unless_that_is_set_otherwise(keeps: bool, tmp_path: Path) -> None:
    waits = "from pathlib import Path\nimport os, time\nPath('pid').write_text(str(os.getpid()))"
    waits += "\nwhile not Path('go').exists():\n    time.sleep(0.05)"
    with Server(tmp_path, "jupyter_server", *([] if keeps else ["--KerasLLM.keep_running=False"])) as server:
        cells = [new_code_cell("n = 1", metadata={"tags": ["parameters"]}), new_code_cell(waits)]
        nbformat.write(new_notebook(cells=cells), server.root / "own.ipynb")
        asked = {"source": "own.ipynb", "values": {}}
        run = Run(server.runs / server.ask("POST", "/kerasllm/runs", asked)[1]["name"])
        pid = server.root / "pid"
        wait(lambda: pid.exists() and pid.read_text())
        server.stop()
        if keeps:
            assert (run.state, psutil.pid_exists(int(pid.read_text()))) == ("running", True)
            (server.root / "go").touch()
            wait(lambda: run.state == "completed")
        else:
            wait(lambda: run.state == "stopped")
            wait(lambda: not psutil.pid_exists(int(pid.read_text())))
            assert run.status["message"] == ""


def test_the_folder_of_runs_may_lie_elsewhere_and_what_waits_there_waits_on_after_the_server(tmp_path: Path) -> None:
    runs = tmp_path / "elsewhere"
    write_run(runs, "done")
    queue = {"waiting": [], "started": [{"run": "done", "before": 0, **myself()}]}  # nothing else begins
    files.replace_json(runs / ".queue.json", queue)
    with Server(tmp_path / "server", "jupyter_server", f"--KerasLLM.runs={runs}") as server:
        asked = {"source": "linear_regression", "values": {}, "folder": ""}
        name = server.ask("POST", "/kerasllm/runs", asked)[1]["name"]
        assert Run(runs / name).asked["recipe"] == "linear_regression"
        server.stop()
        server.start()
        rows = server.ask("GET", "/kerasllm/runs")[1]["runs"]
        assert [(row["name"], row["state"], row["waits"]) for row in rows] == [
            (name, "queued", 1),
            ("done", "completed", 0),
        ]
        wait(lambda: Run(runs / name).state == "queued")  # not "gone", though who said so was the server before
        assert server.ask("POST", f"/kerasllm/runs/{name}/stop", {})[0] == 204
        assert not server.runs.exists()
