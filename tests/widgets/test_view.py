"""RunView without a browser: one run, whatever becomes of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from kerasllm_widgets import Panel, RunView, cells, children
from kerasllm_widgets import view as views
from kerasllm_widgets.playground import Playground
from kerasllm_widgets.server.rows import seen

from kerasllm.errors import InputError
from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.run import Run, create, files
from kerasllm.run.process import STALLED, myself
from tests.conftest import ROOT
from tests.widgets.conftest import click, wait
from tests.widgets.pages import run_view


def test_a_message_that_no_view_knows_is_passed_over() -> None:
    view = RunView(create(LinearRegression()))
    click(view, "delete")
    assert view.problem == ""
    view.close()


def test_a_stop_that_comes_after_the_end_is_no_problem() -> None:
    """The server was asked too, and was quicker than the kernel."""
    run = create(LinearRegression())
    files.replace_json(run.path / "status.json", {"state": "stopped"})
    view = RunView(run)
    click(view, "stop")
    assert view.problem == ""
    assert view.look["created"] == run.asked["created"]  # by which the server's run of this name is known as this one
    view.close()


def test_a_run_of_a_vanished_process_can_be_seen() -> None:
    run = create(LinearRegression())
    files.replace_json(
        run.path / "status.json", {"state": "running", "pid": 1 << 22, "pid_started": 1.0, "host": os.uname().nodename}
    )
    view = RunView(run)
    assert view.look["state"] == "gone"
    view.close()


def test_a_cell_run_again_closes_the_views_that_it_made_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "_shown", {})
    monkeypatch.setattr(children, "park", lambda: None)
    execution = ("cell", "1")
    monkeypatch.setattr(cells, "here", lambda: execution)

    def shown(view: Any) -> Any:
        view._ipython_display_()
        return view

    run = create(LinearRegression())
    made = [shown(RunView(run)), shown(Playground(run)), shown(Panel("linear_regression"))]
    execution = ("another cell", "2")
    shown(made[0])
    execution = ("another cell", "3")
    shown(RunView(run)).close()
    assert all(view.comm is not None for view in made)
    execution = ("cell", "4")
    shown(RunView(run)).close()
    assert [view.comm for view in made] == [None, None, None]
    assert made[0]._until.is_set()
    assert made[2].view.comm is None


@pytest.mark.parametrize("told", [{"replayable": False}, {}], ids=["told", "a copied run.json that does not tell"])
def test_a_run_that_no_file_can_replay_is_refused_in_the_same_words_everywhere(told: dict[str, bool]) -> None:
    run = create(LinearRegression())
    asked = {name: value for name, value in run.asked.items() if name != "replayable"}
    files.replace_json(run.path / "run.json", {**asked, **told})
    files.replace_json(run.path / "status.json", {"state": "stopped"})
    run = Run(run.path)
    with pytest.raises(InputError, match="data or callbacks given in Python") as caught:
        run.resume()
    view = RunView(run)
    click(view, "resume")
    assert view.problem == str(caught.value)
    view.close()


@pytest.mark.slow
@pytest.mark.parametrize(("does", "code"), [("exit 3", 3), ("kill -9 $$", -9)])
def test_a_trainer_that_dies_before_it_can_tell_is_told_by_its_starter(
    does: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "python").write_text(f"#!/bin/sh\n{does}\n")
    (tmp_path / "python").chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    run = create(LinearRegression())
    view = RunView(run)
    children.train(run)
    wait(lambda: view.look["state"] == "failed", 10)
    assert f"code {code}" in view.look["message"]
    assert f"代码 {code} " in view.look["message_zh"]
    view.close()


def test_a_resume_that_is_refused_is_told_in_both_languages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "python").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "python").chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    run = create(LinearRegression())
    files.replace_json(run.path / "status.json", {"state": "stopped", "heartbeat": 1.0})
    view = RunView(run)
    children.train(run)
    wait(lambda: "problem" in view.look, 10)
    assert view.look["problem"] == {"en": "its process ended with code 3", "zh": "进程以代码 3 结束"}
    view.close()
    page = f"""{SHOW}
    show({{ ...{LOOK}, state: "stopped", problem: {{ en: "no rows", zh: "没有行" }} }});
    console.log(page.all((one) => one.attributes.role === "alert")[0].textContent);
    """
    assert [run_view("run.js", page, language) for language in ("en", "zh")] == [["no rows"], ["没有行"]]


def test_a_notebooks_run_no_longer_starts_once_its_kernel_writes() -> None:
    run = create(LinearRegression())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, text=True) as trainer:
        children._trainers[str(run.path)] = trainer, run.status["heartbeat"]
        assert children.is_starting(run, run.status)
        status = {**run.status, "state": "running", "heartbeat": time.time()}  # by another pid than the trainer's
        assert not children.is_starting(run, status)


def running(**status: Any) -> Run:
    """A run that this process trains, as its folder tells it."""
    run = create(LinearRegression())
    status = {**myself(), "state": "running", "heartbeat": time.time() + 3600, **status}
    files.replace_json(run.path / "status.json", status)
    return run


def test_a_stop_that_comes_late_leaves_a_later_session_alone() -> None:
    run = running(started=1.5)
    view = RunView(run)
    assert view.look["session"] == 1.5
    files.replace_json(run.path / "status.json", {**run.status, "started": 2.5})
    click(view, "stop", session=1.5)
    assert run.state == "running"
    click(view, "stop", session=2.5)
    assert run.state == "stopping"
    view.close()


LOOK = '{ name: "one", created: 1, state: "running", session: 1.5 }'
SCORES = {"split": "test", "weights": "", "splits": {"test": {"rows": 4, "rmse": 1.0, "main": "rmse"}}}
TRAITS = 'look, language: "en", curve: {}, result: {}, figures: [], log: "", problem: "", offers_trying: false'
SHOW = f"""
const show = (look) => {{
  const model = new Model({{ {TRAITS} }});
  render({{ model, el: page }});
  return model;
}};
const state = () => page.all((one) => one.attributes.class === "kl-state").at(-1).textContent;
"""


def test_the_kernel_is_asked_to_stop_only_where_the_server_could_not() -> None:
    page = f"""{SHOW}
    let ok = true;
    const answer = () => ({{ ok, json: async () => ({{ runs: [{{ name: "one", created: 1 }}] }}) }});
    globalThis.fetch = async () => answer();
    const config = {{ textContent: '{{"baseUrl": "/"}}' }};
    for (const here of [config, null]) for (ok of [true, false]) {{
      document.getElementById = () => here;
      page.childNodes = [];
      const model = show({LOOK});
      await named("Stop").heard.click();
      console.log(JSON.stringify(model.sent));
    }}
    """
    asked = '[{"do":"stop","session":1.5}]'
    assert run_view("run.js", page) == ["[]", asked, asked, asked]


def test_a_stop_is_acknowledged_at_once_in_each_state_and_forgotten_with_its_session() -> None:
    page = f"""{SHOW}
    for (const first of ["queued", "starting", "running", "stalled"]) {{
      page.childNodes = [];
      const session = ["running", "stalled"].includes(first) ? 1.5 : undefined;
      const model = show({{ ...{LOOK}, state: first, session }});
      named("Stop").heard.click();
      const said = [state()];
      for (const next of [{LOOK}, {{ ...{LOOK}, session: 2.5 }}]) {{
        model.set("look", next);
        said.push(state());
      }}
      console.log(said.join(" "));
    }}
    """
    assert run_view("run.js", page) == ["stopping… stopping… running"] * 4


def test_a_process_that_is_silent_is_told_as_in_the_sidebar() -> None:
    run = running(started=1.5, heartbeat=time.time() - STALLED - 1)
    assert [RunView(run).look[name] for name in ("state", "session")] == [seen(run)["state"], 1.5] == ["stalled", 1.5]
    (run.path / "stop").touch()
    assert RunView(run).look["state"] == "stalled"
    files.replace_json(run.path / "status.json", {**run.status, "heartbeat": time.time() - STALLED + 5})
    assert RunView(run).look["state"] == "stopping"


def test_a_lasting_phase_is_sent_rarely_and_what_ends_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def tell(**status: Any) -> None:
        files.replace_json(run.path / "status.json", {**run.status, **status})

    for name, value in (("POLL", 0.02), ("SHARE", 1e6), ("LATEST", 1e6)):
        monkeypatch.setattr(views, name, value)
    run = running(phase="training", step=1)
    view = RunView(run)
    tell(step=2)
    wait(lambda: view.look["step"] == 2, 10)
    tell(step=3)
    files.append_line(run.path / "history.jsonl", {"kind": "epoch", "epoch": 1, "loss": 0.5})
    time.sleep(0.5)
    assert (view.look["step"], view.curve) == (2, {})
    tell(phase="scoring")
    wait(lambda: view.look["phase"] == "scoring", 10)
    tell(state="completed")
    wait(lambda: view.look["state"] == "completed", 10)
    assert view.curve == {"loss": {"train": [[1], [0.5]]}}
    view.close()


def test_every_phase_that_a_run_has_is_said_in_both_languages() -> None:
    sources = "".join(file.read_text("utf-8") for file in (ROOT / "kerasllm").rglob("*.py"))
    phases = {name for name in re.findall(r"""phase(?:=|": )f?"([^"{]+)""", sources) if name != "training"}
    assert {"starting", "starting the kernel", "cell ", "compiling"} <= phases
    names = [name + "2/5" if name.endswith(" ") else name for name in sorted(phases)]
    page = f"console.log({names}.map(phase).join('|'));"
    told = [run_view("run.js", page, language)[0].split("|") for language in ("en", "zh")]
    assert all(one != two for one, two in zip(*told, strict=True)), told
    assert told[1][names.index("cell 2/5")] == "单元格 2/5"
    assert told[0][names.index("starting")] == "starting"


def test_keras_is_loaded_only_where_a_recipe_starts() -> None:
    page = """
    console.log(words({ state: "running", phase: "starting", recipe: "lstm_text" }));
    console.log(words({ state: "starting", recipe: "" }));
    console.log(words({ state: "starting", recipe: "lstm_text" }));
    """
    assert run_view("run.js", page) == ["starting", "starting", "Loading Keras…"]


def test_a_failure_is_told_in_chinese_where_that_is_known() -> None:
    run = running(message="no rows", message_zh="没有行")
    view = RunView(run)
    assert view.look["message_zh"] == "没有行"
    view.close()
    page = f"""{SHOW}
    const failed = {{ ...{LOOK}, state: "failed", message: "no rows" }};
    const model = show({{ ...failed, message_zh: "没有行" }});
    const problem = page.all((one) => one.attributes.role === "alert")[0];
    console.log(problem.textContent);
    model.set("look", failed);
    console.log(problem.textContent);
    """
    told = [run_view("run.js", page, language) for language in ("en", "zh")]
    assert told == [["no rows", "no rows"], ["没有行", "no rows"]]


def test_what_trains_a_run_is_told() -> None:
    run = running(device="2 x NVIDIA H200, jax 0.7", note="not as when it began (cores 2 -> 4)")
    view = RunView(run)
    assert view.look["device"] == "2 x NVIDIA H200, jax 0.7"
    assert view.look["note"] == "not as when it began (cores 2 -> 4)"
    view.close()
    page = f"""{SHOW}
    const model = show({{ ...{LOOK}, device: "GPU", note: "" }});
    const told = page.all((one) => one.attributes.class === "kl-help")[0];
    console.log(told.textContent);
    model.set("look", {{ ...{LOOK}, device: "GPU", note: "not as before" }});
    console.log(told.textContent);
    model.set("look", {LOOK});
    console.log(told.hidden);
    """
    assert run_view("run.js", page) == ["trained on GPU", "trained on GPU · not as before", "true"]


def test_the_details_of_a_failure_go_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later one has its own, asked for when they are unfolded."""
    monkeypatch.setattr(children, "train", lambda run: None)
    run = create(LinearRegression())
    files.replace_json(run.path / "status.json", {"state": "failed", "message": "no"})
    (run.path / "log.txt").write_text("no")
    view = RunView(run)
    click(view, "log")
    assert view.log == "no"
    click(view, "resume")
    assert view.log == ""
    view.close()
    page = f"""{SHOW}
    const model = show({{ ...{LOOK}, state: "failed", message: "no" }});
    const details = page.all((one) => one.tag === "details")[0];
    details.open = true;
    for (const state of ["failed", "starting", "failed"]) {{
      model.set("look", {{ ...{LOOK}, state, message: "no" }});
      console.log(details.hidden, details.open);
    }}
    """
    assert run_view("run.js", page) == ["false true", "true false", "false false"]


def test_a_run_that_was_deleted_meanwhile_is_said_to_be_and_offers_nothing() -> None:
    run = create(LinearRegression())
    files.replace_json(run.path / "status.json", {"state": "stopped"})
    files.replace_json(run.path / "scores.json", SCORES)
    view = RunView(run)
    wait(lambda: view.result, 5)
    shutil.rmtree(run.path)
    wait(lambda: view.look["state"] == "deleted", 5)
    assert view.result["splits"]  # what was shown stays
    for what in ("resume", "stop", "figures", "log"):
        click(view, what)
        assert view.problem == f"{run.name} was deleted"
    view.close()
    page = f"""{SHOW}
    const model = show({{ name: "one", created: 1, state: "deleted" }});
    model.set("offers_trying", true);
    model.set("look", model.get("look"));
    console.log(state(), page.all((one) => one.tag === "button" && !one.hidden).length);
    """
    assert run_view("run.js", page) == ["deleted 0"]
    assert run_view("run.js", page, "zh") == ["已删除 0"]


def test_a_stop_that_the_folder_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: Any) -> None:
        raise PermissionError(13, "Permission denied")

    view = RunView(running())
    monkeypatch.setattr(Path, "touch", refuse)
    click(view, "stop")
    assert view.problem.endswith("cannot be asked to stop: Permission denied")
    view.close()


def test_a_screen_reader_is_told_of_states_and_not_of_epochs() -> None:
    page = f"""{SHOW}
    const model = show({LOOK});
    const live = page.all((one) => one.attributes.role === "status").at(-1);
    let [writes, told] = [0, ""];
    const write = (given) => {{ told = given; writes += 1; }};
    Object.defineProperty(live, "textContent", {{ get: () => told, set: write }});
    for (const epoch of [1, 2, 3]) model.set("look", {{ ...{LOOK}, phase: "training", epoch, epochs: 9 }});
    console.log(state(), "|", told, writes);
    """
    assert run_view("run.js", page) == ["epoch 4 of 9 | running 1"]
