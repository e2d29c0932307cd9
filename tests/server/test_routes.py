"""A real server's routes: who may ask, what lies below the root, what a queue does."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.run import Run, create, files
from kerasllm.run.process import myself
from tests.lab.server import Server
from tests.lab.written import SILENT, write_run
from tests.server.waiting import wait

TABLE = """
import json
import platform
from jupyter_server.serverapp import ServerApp
app = ServerApp()
app.initialize(argv=["--no-browser", "--allow-root", "--port=0"], new_httpserver=False)
routes = {}
def walk(router):
    for rule in router.rules:
        if hasattr(rule.target, "rules"):
            walk(rule.target)
        elif getattr(rule.target, "__module__", "").startswith("kerasllm_widgets"):
            verbs = [verb for verb in rule.target.SUPPORTED_METHODS if verb.lower() in vars(rule.target)]
            routes[rule.matcher.regex.pattern] = verbs
walk(app.web_app.default_router)
print(json.dumps(routes))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def routes(server: Server) -> list[tuple[str, str]]:
    """Each of our routes as (verb, an example of its path)."""
    return table(server)


def table(server: Server) -> list[tuple[str, str]]:
    """The same, from the table of a server that has loaded everything."""
    done = subprocess.run(
        [sys.executable, "-c", TABLE], text=True, capture_output=True, env=server.environment, cwd=server.root
    )
    assert done.returncode == 0, done.stderr
    table = json.loads(done.stdout.splitlines()[-1])
    return [(verb, re.sub(r"\(\?P<.*?\)", "x", path.rstrip("$"))) for path, verbs in table.items() for verb in verbs]


@pytest.mark.slow
def test_no_route_answers_without_a_token(server: Server, routes: list[tuple[str, str]]) -> None:
    assert len(routes) >= 10
    for verb, path in routes:
        status, content, _ = server.ask(verb, path, {} if verb != "GET" else None, headers={})
        assert status == 403, (verb, path, content)


@pytest.mark.slow
def test_no_route_changes_anything_for_another_sites_page(server: Server, routes: list[tuple[str, str]]) -> None:
    """A browser that is logged in by a cookie sends it along; only our own pages know the XSRF value."""
    _, _, headers = server.ask("GET", f"/login?token={server.token}", headers={})
    cookies = "; ".join(cookie.split(";")[0] for cookie in headers.get_all("Set-Cookie") or [])
    assert server.ask("GET", "/kerasllm/runs", headers={"Cookie": cookies, "Sec-Fetch-Site": "same-origin"})[0] == 200
    for verb, path in routes:
        if verb != "GET":
            status, content, _ = server.ask(verb, path, {}, headers={"Cookie": cookies})
            assert status == 403, (verb, path)
            assert "_xsrf" in content["message"]


OUT = ["..", "../secret", "%2e%2e%2fsecret", "%252e%252e%252fsecret", "..%5csecret", "..\\secret", "secret%00", "link"]


@pytest.mark.slow
@pytest.mark.parametrize("name", OUT)
def test_a_name_that_leads_out_of_the_folder_of_runs_is_not_there(server: Server, name: str) -> None:
    secret = server.root / "secret"
    if not secret.exists():
        create(LinearRegression(), server.root, "secret")
        server.runs.mkdir(exist_ok=True)
        (server.runs / "link").symlink_to(secret)
    for verb, path in [("GET", ""), ("DELETE", ""), ("POST", "/stop"), ("POST", "/resume")]:
        status, content, _ = server.ask(verb, f"/kerasllm/runs/{name}{path}", {} if verb == "POST" else None)
        assert status == 404, (verb, content)
        assert "linear" not in str(content)
        assert str(server.place) not in str(content)
    assert secret.exists()


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["..", "../..", "/etc", "a/../..", "%2e%2e", "..\\..", "x\0", "out", "nowhere"])
def test_a_path_that_leads_out_of_the_root_is_not_there(server: Server, folder: str) -> None:
    if not (server.root / "out").is_symlink():
        (server.root / "out").symlink_to("/tmp")
    before = sorted(server.place.rglob("*.ipynb"))
    status, content, _ = server.ask("POST", "/kerasllm/notebooks", {"recipe": "linear_regression", "folder": folder})
    assert status == 404
    asked = {"source": "linear_regression", "values": {"data": f"{folder}/passwd"}, "folder": ""}
    status, told, _ = server.ask("POST", "/kerasllm/runs", asked)
    assert status == 404
    assert "/etc" not in str([content, told])
    assert sorted(server.place.rglob("*.ipynb")) == before


QUERIES = ["notebooks?path=", "recipes?data=", "recipes/linear_regression?data="]


@pytest.mark.slow
@pytest.mark.parametrize("query", QUERIES)
def test_a_query_that_leads_out_of_the_root_is_answered_as_one_that_leads_nowhere(server: Server, query: str) -> None:
    for secret in ("secret.ipynb", "secret.csv"):
        (server.place / secret).write_text('{"cells": ["a secret"]}')
        (server.place / "outside").mkdir(exist_ok=True)
        (server.place / "outside" / secret).write_text("a secret")
    if not (server.root / "leaves").is_symlink():
        (server.root / "leaves").symlink_to(server.place / "outside")
        (server.root / "leaves.ipynb").symlink_to(server.place / "secret.ipynb")
    nowhere = server.ask("GET", f"/kerasllm/{query}nowhere.csv")[:2]
    assert nowhere[0] == 404
    out = [
        f"{start}{secret}"
        for secret in ("secret.ipynb", "secret.csv", "none.csv")
        for start in (
            "../",
            "%2e%2e%2f",
            "%252e%252e%252f",
            "..%5c",
            "a/../../",
            "leaves/",
            "..%00/",
            f"{server.place}/",
        )
    ]
    for path in [*out, "leaves.ipynb", "/etc/passwd", "%2fetc%2fpasswd", "..", "~", "C:%5csecret"]:
        assert server.ask("GET", f"/kerasllm/{query}{path}")[:2] == nowhere, path
    asked = {"source": "../secret.ipynb", "values": {}, "folder": ""}
    assert server.ask("POST", "/kerasllm/runs", asked)[0] == 404


@pytest.mark.slow
@pytest.mark.parametrize("query", QUERIES)
def test_what_is_told_of_a_file_that_cannot_be_read_does_not_say_where_the_root_is(server: Server, query: str) -> None:
    (server.root / "torn.ipynb").write_text("{")
    (server.root / "torn.csv").write_bytes(b"\xff\xfe\x00")
    (server.root / "torn").mkdir(exist_ok=True)
    for path in ("torn.ipynb", "torn.csv", "torn", "", "."):
        status, content, _ = server.ask("GET", f"/kerasllm/{query}{path}")
        assert status < 500, (path, content)
        assert str(server.place) not in str(content)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"epoch": 3}, "no parameter 'epoch'; did you mean 'epochs'?"),
        ({"epochs": 0}, "epochs: 0 must be 1 or more"),
        ({"target": "price", "data": "sample:hous"}, "no sample 'hous'; did you mean 'houses'?"),
    ],
)
def test_wrong_parameters_are_told_before_anything_starts(server: Server, values: dict[str, Any], line: str) -> None:
    before = sorted(server.runs.glob("*"))
    status, content, _ = server.ask(
        "POST", "/kerasllm/runs", {"source": "linear_regression", "values": values, "folder": ""}
    )
    assert (status, line in content["message"]) == (400, True), content
    assert sorted(server.runs.glob("*")) == before


@pytest.mark.slow
def test_runs_wait_for_their_turn_outlive_the_server_and_go_on_after_it(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        asked = {"source": "linear_regression", "values": {"epochs": 100_000}, "folder": ""}
        names = [server.ask("POST", "/kerasllm/runs", asked)[1]["name"] for _ in range(2)]
        first, second = (Run(server.runs / name) for name in names)
        wait(lambda: first.status.get("phase") == "training")
        rows = server.ask("GET", "/kerasllm/runs")[1]["runs"]
        assert [(row["name"], row["waits"]) for row in rows] == [(second.name, 1), (first.name, 0)]
        assert server.ask("DELETE", f"/kerasllm/runs/{first.name}")[0] == 400

        server.stop()
        assert first.state == "running"
        first.stop()
        wait(lambda: first.state == "stopped")
        server.start()
        wait(lambda: second.status.get("phase") == "training")
        assert server.ask("POST", f"/kerasllm/runs/{second.name}/stop", {})[0] == 204
        wait(lambda: second.state == "stopped")
        wait(lambda: server.ask("DELETE", f"/kerasllm/runs/{second.name}")[0] == 204)
        assert not second.path.exists()
        assert list((tmp_path / "share" / "Trash" / "files").iterdir())

        assert server.ask("POST", f"/kerasllm/runs/{first.name}/resume", {})[0] == 202
        assert server.ask("POST", f"/kerasllm/runs/{first.name}/resume", {})[0] == 400
        assert server.ask("GET", f"/kerasllm/runs/{first.name}")[1]["state"] == "queued"
        wait(lambda: first.state == "running")


@pytest.mark.slow
def test_the_limit_goes_back_to_the_servers_own(server: Server) -> None:
    for limit, now in ((3, 3), (0, 1)):
        assert server.ask("PUT", "/kerasllm/limit", {"limit": limit})[0] == 204
        answer = server.ask("GET", "/kerasllm/runs")[1]
        assert (answer["limit"], answer["own_limit"]) == (now, 1)
    assert server.ask("PUT", "/kerasllm/limit", {"limit": -1})[0] == 400
    assert server.ask("GET", "/kerasllm/runs")[1]["server"] == answer["server"] != ""


@pytest.mark.slow
def test_a_run_that_never_came_to_train_says_why(server: Server) -> None:
    data = server.root / "bad.csv"
    data.write_text("a,b\n1,x\n3,y\n")
    asked = {"source": "linear_regression", "values": {"data": "bad.csv", "target": "b"}, "folder": ""}
    run = Run(server.runs / server.ask("POST", "/kerasllm/runs", asked)[1]["name"])
    wait(lambda: run.state == "failed")
    assert "column 'b'" in run.status["message"]


@pytest.mark.slow
def test_nothing_new_is_answered_with_304(server: Server) -> None:
    _, _, headers = server.ask("GET", "/kerasllm/runs")
    again = {"Authorization": f"token {server.token}", "If-None-Match": headers["ETag"]}
    assert server.ask("GET", "/kerasllm/runs", headers=again)[0] == 304


@pytest.mark.slow
def test_a_view_that_looks_on_does_not_keep_an_idle_server_up(server: Server) -> None:
    run = create(LinearRegression(), server.runs)
    before = server.ask("GET", "/api/status")[1]["last_activity"]
    time.sleep(1)
    status, content, _ = server.ask("GET", f"/kerasllm/runs/{run.name}")
    assert (status, content["curve"]) == (200, {})
    assert server.ask("GET", "/api/status")[1]["last_activity"] == before


@pytest.mark.slow
def test_a_copied_runs_nan_reaches_no_browser(server: Server) -> None:
    run = create(LinearRegression(), server.runs)
    asked = (run.path / "run.json").read_text().replace('"learning_rate": 0.2', '"learning_rate": Infinity')
    (run.path / "run.json").write_text(asked.replace('"created": ', '"created": 1e999, "was": '))
    (run.path / "scores.json").write_text('{"split": "test", "splits": {"test": {"main": "rmse", "rmse": NaN}}}')
    listed, shown = (server.ask("GET", path)[1] for path in ("/kerasllm/runs", f"/kerasllm/runs/{run.name}"))
    for answer in (listed, shown):
        json.dumps(answer, allow_nan=False)
    assert next(row["created"] for row in listed["runs"] if row["name"] == run.name) is None
    assert (shown["splits"]["test"]["rmse"], shown["parameters"]["learning_rate"]) == (None, None)
    shutil.rmtree(run.path)


@pytest.fixture
def waiting(server: Server) -> Iterator[Run]:
    """A run that failed and was resumed, and waits for one that this process stands for."""
    failed = {"phase": "training", "epoch": 2, "epochs": 6, "step": 30, "steps": 60, "eta": 75, "started": 1.5}
    run = write_run(server.runs, "waiting", state="failed", message="loss is NaN", **failed)
    busy = write_run(server.runs, "busy", **SILENT)
    queue = {"waiting": [run.name], "started": [{"run": busy.name, "before": 0, **myself()}]}
    files.replace_json(server.runs / ".queue.json", queue)
    yield run
    (server.runs / ".queue.json").unlink()
    for one in (run, busy):
        shutil.rmtree(one.path)


@pytest.mark.slow
def test_a_view_tells_what_the_list_tells(server: Server, waiting: Run) -> None:
    odd = {"history.jsonl": "[]\n", "scores.json": '{"split": "test"}', "status.json": "[]"}
    for file, text in odd.items():
        (write_run(server.runs, f"odd-{file}").path / file).write_text(text)
    rows = {row["name"]: row for row in server.ask("GET", "/kerasllm/runs")[1]["runs"]}
    told = ("state", "message", "phase", "epoch", "epochs", "step", "steps", "eta")
    for name, state in (("busy", "stalled"), (waiting.name, "queued")):
        status, view, _ = server.ask("GET", f"/kerasllm/runs/{name}")
        assert (status, view["state"]) == (200, state)
        assert {one: view[one] for one in told} == {one: rows[name][one] for one in told}
    assert [rows[waiting.name][one] for one in told] == ["queued", "", "", None, None, None, None, None]
    assert rows[waiting.name]["written"] == (waiting.path / "status.json").stat().st_mtime_ns
    assert rows["busy"]["written"] is None  # a heart that beats changes no row
    told_twice = write_run(server.runs, "broken", state="failed", message="loss is NaN", message_zh="损失是 NaN")
    for language, message in (("en", "loss is NaN"), ("zh-CN", "损失是 NaN")):
        listed = server.ask("GET", f"/kerasllm/runs?language={language}")[1]["runs"]
        view = server.ask("GET", f"/kerasllm/runs/broken?language={language}")[1]
        assert [one["message"] for one in (*listed, view) if one["name"] == "broken"] == [message] * 2
    shutil.rmtree(told_twice.path)
    for name in [f"odd-{file}" for file in odd]:
        assert rows[name]["state"] == "unreadable"
        for _ in range(2):  # a second look does not pass over what is odd
            status, content, _ = server.ask("GET", f"/kerasllm/runs/{name}")
            assert (status, content["message"][:20]) == (400, rows[name]["message"][:20])
        shutil.rmtree(server.runs / name)
    for verb, path in (("DELETE", ""), ("POST", "/resume")):
        assert server.ask(verb, f"/kerasllm/runs/busy{path}", {} if path else None)[0] == 400
