"""The server's side of the Lab extension: who may ask, what lies below the root, what a queue does."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.run import Run, create, files
from tests.lab.server import Server

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
    """Each of our routes as (verb, an example of its path), from the table of a server that has loaded everything."""
    done = subprocess.run(
        [sys.executable, "-c", TABLE], text=True, capture_output=True, env=server.environment, cwd=server.root
    )
    assert done.returncode == 0, done.stderr
    table = json.loads(done.stdout.splitlines()[-1])
    return [(verb, re.sub(r"\(\?P<.*?\)", "x", path.rstrip("$"))) for path, verbs in table.items() for verb in verbs]


def wait(is_so: Callable[[], Any], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"epoch": 3}, "no parameter 'epoch'; did you mean 'epochs'?"),
        ({"epochs": 0}, "epochs: 0 should be greater than or equal to 1"),
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


EPOCHS = range(1, 101)


def test_a_hundred_runs_cost_little(runs: Path, tmp_path: Path) -> None:
    from kerasllm_widgets.server.rows import Rows

    for place in range(100):
        run = create(LinearRegression(), runs, f"run-{place:03}")
        files.replace_json(run.path / "status.json", {"state": "completed", "epoch": 100, "epochs": 100})
        lines = [json.dumps({"kind": "epoch", "epoch": epoch, "loss": 1 / epoch, "time": epoch}) for epoch in EPOCHS]
        (run.path / "history.jsonl").write_text("\n".join([*lines, ""]))
    rows = Rows(tmp_path, runs)
    assert len(rows.read()) == 100
    start = time.perf_counter()
    shown = rows.read()
    assert time.perf_counter() - start < 0.1
    assert shown[0]["name"] == "run-099"
    assert len(shown[0]["curve"]) == 40


def own_notebook(place: Path, *cells: str) -> Path:
    """A notebook whose first cell is tagged `parameters`."""
    made = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    made.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(made, place)
    return place


TRAINS = (
    "from kerasllm.recipes.linear_regression import LinearRegression\nrecipe = parameters(LinearRegression, globals())"
)


def test_a_recipes_notebook_keeps_its_own_settings(runs: Path, tmp_path: Path) -> None:
    from kerasllm_widgets.server.forms import Filled
    from kerasllm_widgets.server.notebooks import form, reserve_notebook

    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "flats.csv").write_text("area,price\n50,100\n60,120\n")
    cell = 'data: str = "flats.csv"\nepochs: int = 7\nseed: int = 3'
    path = own_notebook(folder / "own.ipynb", cell, TRAINS)
    shown = form(path, "en")
    assert shown["recipe"] == "linear_regression"
    assert [shown["schema"]["properties"][name]["default"] for name in ("data", "epochs")] == ["flats.csv", 7]

    run = reserve_notebook(tmp_path, runs, path, Filled({"seed": 5}, "mine"))
    assert (run.recipe.epochs, run.recipe.seed, run.recipe.data) == (7, 5, str(folder / "flats.csv"))
    assert "epochs: int = 7" in (run.path / "source.ipynb").read_text("utf-8")


def test_a_recipes_notebook_names_no_file_outside_the_root(runs: Path, tmp_path: Path) -> None:
    from kerasllm_widgets.server.forms import Filled
    from kerasllm_widgets.server.notebooks import reserve_notebook
    from tornado.web import HTTPError

    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret.csv").write_text("area,price\n50,100\n60,120\n")
    for named in (tmp_path / "secret.csv", "../secret.csv"):
        path = own_notebook(root / "own.ipynb", f'data: str = "{named}"', TRAINS)
        with pytest.raises(HTTPError, match="no such file"):
            reserve_notebook(root, runs, path, Filled({}, "."))


def test_a_computed_default_is_an_empty_field(tmp_path: Path) -> None:
    from kerasllm_widgets.server.notebooks import form

    path = own_notebook(tmp_path / "own.ipynb", 'n: int = 60 * 60\nm = 60 * 60\nname: str = "x"\nanything = None')
    drawn = form(path, "en")["schema"]["properties"]
    assert {name: one.get("default", "empty") for name, one in drawn.items()} == {
        "n": "empty", "m": "empty", "name": "x", "anything": "None",
    }  # fmt: skip


ODD = ['{"phase": "x"}', "[]", "no JSON", '{"state": "running", "pid": "x"}', '{"state": "running", "heartbeat": {}}']


def test_an_odd_folder_takes_no_other_run_down(runs: Path, tmp_path: Path) -> None:
    from kerasllm_widgets.server.rows import Rows

    create(LinearRegression(), runs, "good")
    for place, text in enumerate(ODD):
        (create(LinearRegression(), runs, f"odd-{place}").path / "status.json").write_text(text)
    folder = create(LinearRegression(), runs, "odd-folder").path / "status.json"
    folder.unlink()
    folder.mkdir()
    (create(LinearRegression(), runs, "odd-curve").path / "history.jsonl").write_text("[]\n")
    (create(LinearRegression(), runs, "odd-scores").path / "scores.json").write_text("{}")
    files.replace_json(create(LinearRegression(), runs, "odd-score").path / "scores.json", {"split": "test"})
    (create(LinearRegression(), runs, "none").path / "run.json").write_text('{"created": "now"}')
    here = {"state": "running", "host": platform.node()}
    files.replace_json(create(LinearRegression(), runs, "without-pid").path / "status.json", here)
    files.replace_json(
        create(LinearRegression(), runs, "pid").path / "status.json", {**here, "pid": -1, "pid_started": 0}
    )
    shown = {row["name"]: row for row in Rows(tmp_path, runs).read()}
    assert "none" not in shown
    assert [shown[name]["state"] for name in ("good", "odd-scores", "without-pid", "pid")] == [
        "queued", "queued", "gone", "gone",
    ]  # fmt: skip
    odd = [row for name, row in shown.items() if name.startswith("odd-") and name != "odd-scores"]
    assert len(odd) == len(ODD) + 3
    assert all(row["state"] == "unreadable" and row["message"] for row in odd)


@pytest.fixture
def slow_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Children that never come to write."""
    sleeper = tmp_path / "sleeper"
    sleeper.write_text("#!/bin/sh\nexec sleep 60\n")
    sleeper.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(sleeper))


@pytest.mark.parametrize("before", ["queued", "running", "failed"])
def test_a_run_whose_child_has_not_written_yet_is_queued_and_can_be_stopped(
    before: str, runs: Path, tmp_path: Path, slow_child: None
) -> None:
    from kerasllm_widgets.server.curves import Curves
    from kerasllm_widgets.server.queue import Queue
    from kerasllm_widgets.server.routes import Context
    from kerasllm_widgets.server.rows import Rows

    run = create(LinearRegression(), runs, "mine")
    files.replace_json(run.path / "status.json", {**run.status, "state": before, "pid_started": 0})
    queue = Queue(runs, 1)
    context = Context(tmp_path, runs, queue, Rows(tmp_path, runs), Curves())
    queue.add(run)
    assert (queue.waiting(), context.queued(), context.state(run)) == ([], {"mine": 0}, "queued")
    assert queue.stop(run)
    wait(lambda: queue.tick() or not queue.works_on(run), 10)
    assert context.state(run) == ("failed" if before == "failed" else "stopped")


def test_who_leaves_the_queue_while_another_process_trains_it_is_left_to_that_one(runs: Path, slow_child: None) -> None:
    from kerasllm_widgets.server.queue import Queue

    queue, first, run = (
        Queue(runs, 1),
        create(LinearRegression(), runs, "first"),
        create(LinearRegression(), runs, "run"),
    )
    queue.add(first)
    queue.add(run)
    status = {**run.status, "state": "running"}
    files.replace_json(run.path / "status.json", status)
    assert queue.stop(run)
    assert (queue.waiting(), run.status) == ([], status)
    assert queue.stop(first)
    wait(lambda: queue.tick() or not queue.works_on(first), 10)


def test_a_view_of_a_long_run_gets_a_short_curve_and_reads_it_once(runs: Path) -> None:
    from kerasllm_widgets.server.curves import Curves

    run, curves = create(LinearRegression(), runs, "long"), Curves()
    line = '{{"kind": "epoch", "epoch": {0}, "time": {0}, "loss": 0.5, "val_loss": 0.25}}\n'
    (run.path / "history.jsonl").write_text("".join(line.format(epoch) for epoch in range(1, 20_001)))
    drawn = curves.drawn(run)["loss"]
    assert all(len(drawn[part][0]) <= 301 and drawn[part][0][-1] == 20_000 for part in ("train", "validation"))
    with (run.path / "history.jsonl").open("a") as file:
        file.write(line.format(20_001))
    start = time.process_time()
    assert curves.drawn(run)["loss"]["train"][0][-1] == 20_001
    assert time.process_time() - start < 0.05


@pytest.mark.parametrize(
    "preset", ["../..", "../../elsewhere", "/", "{outside}", "./missing", ".hidden", "hf://../x", "a\\b"]
)
def test_a_preset_lies_below_the_root_or_is_a_name(preset: str, tmp_path: Path) -> None:
    from kerasllm_widgets.server.forms import Filled, anchored
    from tornado.web import HTTPError

    from kerasllm.recipes.bert_classifier import BertClassifier

    root, outside = tmp_path / "root", tmp_path / "elsewhere"
    (root / "mine" / "tiny").mkdir(parents=True)
    outside.mkdir()
    with pytest.raises(HTTPError) as refused:
        anchored(root, BertClassifier, Filled({"preset": preset.format(outside=outside)}, "mine"))
    assert refused.value.status_code == 404
    place, one, other = str(root / "mine" / "tiny"), "bert_tiny_en_uncased", "hf://google-bert/bert-base-chinese"
    for given, meant in (("tiny", place), (place, place), (one, one), (other, other)):
        assert anchored(root, BertClassifier, Filled({"preset": given}, "mine"))["preset"] == meant


def test_a_strangers_run_is_no_module_of_a_child(runs: Path) -> None:
    """numpy, say, which the child imports at once: its folder of runs is its working directory."""
    from kerasllm_widgets.server.queue import LOG, Queue

    for name in ("kerasllm", "psutil", "pydantic"):
        stranger = create(LinearRegression(), runs, name)
        (stranger.path / "__init__.py").write_text(
            f"open({str(runs / 'imported')!r}, 'w')\nraise SystemExit('trapped')"
        )
    run = create(LinearRegression(data="sample:none"), runs, "mine")
    queue = Queue(runs, 1)
    queue.add(run)
    wait(lambda: queue.tick() or not queue.works_on(run))
    assert not (runs / "imported").exists()
    assert "no sample 'none'" in (run.path / LOG).read_text()
