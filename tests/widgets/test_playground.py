"""Playground, its questions and the one process that answers them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from kerasllm_widgets import Panel, children, log
from kerasllm_widgets.playground import Playground

from kerasllm.language import Writing
from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.run import create, files
from tests.widgets.conftest import LONG, click, type_, wait
from tests.widgets.pages import run_view

SAYS = """
import json, sys
print("ready", flush=True)
for line in sys.stdin:
    said = json.loads(line)
    if "id" in said:
        answer = json.dumps({"id": said["id"], "text": said["rows"][0]})
        if said["rows"] == ["torn"]:
            print(end=answer[:-9])
            sys.exit(3)
        print(answer, flush=True)
"""


def test_a_run_that_ended_before_it_read_its_data_leaves_nothing_to_try() -> None:
    run = create(LinearRegression())
    playground = Playground(run)
    playground.recognize()
    assert not playground.ended
    files.replace_json(run.path / "status.json", {"state": "failed"})
    playground.recognize()
    assert playground.ended
    (run.path / "language.json").touch()
    playground.recognize()
    assert (playground.kind, playground.ended) == ("language", False)
    playground.close()


def test_a_panels_playground_looks_again_when_its_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Panel, "_look_at_file", lambda panel: None)
    run = create(LinearRegression())
    queued = run.status
    files.replace_json(run.path / "status.json", {"state": "failed"})
    panel = Panel("linear_regression")
    panel.view.follow(run)
    click(panel.view, "try")
    assert panel.playground
    assert panel.playground.ended
    files.replace_json(run.path / "status.json", queued)  # as a resumed run writes it
    wait(lambda: panel.playground and not panel.playground.ended, 20)
    panel.close()


def test_a_playground_of_a_run_that_waits_turns_to_it_once_it_has_read_its_data() -> None:
    run = create(LinearRegression())
    panel = Panel("linear_regression")
    panel.view.follow(run)
    click(panel.view, "try")
    playground = panel.playground
    assert playground
    assert not playground.kind
    (run.path / "language.json").touch()
    wait(lambda: playground.kind == "language", 20)
    panel.close()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_playground_that_cannot_ask_yet_says_why(language: str) -> None:
    page = f"""const KIND = ""; {SHOW}
    const told = () => page.all((one) => one.attributes.class === "kl-quiet").at(-1).text;
    console.log(told());
    model.set("ended", true);
    console.log(told());
    undo();
    """
    says = {
        "en": ["The run has not read its data yet.", "The run has ended and left nothing to try."],
        "zh": ["运行尚未读取数据。", "运行已结束，没有留下可试用的内容。"],
    }
    assert run_view("playground.js", page, language) == says[language]


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[str]]:
    """The answering processes that a test starts; none has Keras, and each says at once what it was asked."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        started.append(subprocess.Popen([sys.executable, "-c", SAYS], text=True, stdin=pipe, stdout=pipe))
        return started[-1]

    monkeypatch.setattr(children, "_worker", start)
    monkeypatch.setattr(Panel, "_look_at_file", lambda panel: None)
    return started


def test_one_process_answers_for_a_run_whoever_asks(workers: list[subprocess.Popen[str]]) -> None:
    run = create(LinearRegression())
    one, two = Playground(run), Playground(run)
    click(one, "row", id=1, row="yes")
    wait(lambda: one.answer.get("id") == 1, 20)
    click(two, "row", id=2, row="yes")
    wait(lambda: two.answer.get("id") == 2, 20)
    assert len(workers) == 1
    assert one.answer["id"] == 1
    one.close()
    click(two, "row", id=3, row="yes")
    wait(lambda: two.answer.get("id") == 3, 20)
    two.close()
    wait(lambda: workers[0].poll() is not None, 20)


def test_each_answer_goes_to_who_asked_whatever_number_the_question_has(workers: list[subprocess.Popen[str]]) -> None:
    run = create(LinearRegression())
    one, two = Playground(run), Playground(run)
    click(one, "row", id=1, row="first")
    click(two, "row", id=1, row="second")
    wait(lambda: one.answer and two.answer, 20)
    assert [one.answer, two.answer] == [{"id": 1, "text": "first"}, {"id": 1, "text": "second"}]
    two.close()
    click(one, "row", id=2, row="third")
    wait(lambda: one.answer["id"] == 2, 20)
    assert len(workers) == 1
    one.close()
    wait(lambda: workers[0].poll() is not None, 20)


def test_a_view_may_be_collected_in_one_thread_while_another_starts_a_process(
    workers: list[subprocess.Popen[str]],
) -> None:
    playground = Playground(create(LinearRegression()))
    click(playground, "row", id=1, row="yes")
    wait(lambda: playground.answer, 20)
    closing = threading.Thread(target=playground.close, daemon=True)
    with children._lock:
        closing.start()
        closing.join(20)
        assert not closing.is_alive()
    wait(lambda: workers[0].poll() is not None, 20)


def test_who_waits_for_a_process_that_ends_is_told(workers: list[subprocess.Popen[str]]) -> None:
    playground = Playground(create(LinearRegression()))
    click(playground, "row", id=1, row="yes")
    wait(lambda: playground.answer, 20)
    workers[0].send_signal(signal.SIGSTOP)
    click(playground, "row", id=2, row="lost")
    workers[0].kill()
    wait(lambda: playground.answer["id"] == 2, 20)
    problem = playground.answer["problem"]
    assert problem["en"] == "the model's process was killed (signal 9), perhaps for want of memory; ask again"
    assert problem["zh"] == "模型的进程被终止（信号 9），可能是内存不足；请再试一次"
    playground.close()


def test_who_waits_is_told_also_when_the_process_ends_in_the_middle_of_a_line(
    workers: list[subprocess.Popen[str]],
) -> None:
    playground = Playground(create(LinearRegression()))
    click(playground, "row", id=1, row="torn")
    wait(lambda: playground.answer, 20)
    assert playground.answer["problem"]["en"].startswith("the model's process ended, see ")
    playground.close()


@pytest.mark.parametrize("call", ["answer({run!r})", "flips([{run!r}, {run!r}])"])
def test_a_process_that_crashes_leaves_its_traceback_in_the_runs_log(call: str) -> None:
    run = create(LinearRegression())
    code = (
        "import sys, types; from kerasllm_widgets import worker\n"
        "def crash(asked): raise SystemError('out of luck')\n"
        "sys.modules['kerasllm_widgets.answers'] = types.SimpleNamespace(serve=crash, flips=crash)\n"
        f"worker.{call.format(run=str(run.path))}"
    )
    assert subprocess.run([sys.executable, "-c", code], stderr=subprocess.DEVNULL).returncode
    assert log.tail(run).endswith("SystemError: out of luck\n")


def test_an_asker_that_is_gone_is_no_crash() -> None:
    run = create(LinearRegression())
    code = (
        "import sys, types; from kerasllm_widgets import worker\n"
        "def answer(asked): raise BrokenPipeError(32, 'Broken pipe')\n"
        "sys.modules['kerasllm_widgets.answers'] = types.SimpleNamespace(serve=answer)\n"
        f"worker.answer({str(run.path)!r})"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert log.tail(run) == ""


@pytest.mark.slow
def test_a_question_that_a_newer_one_replaced_is_told_of_as_such() -> None:
    code = (
        "import sys, time; from kerasllm_widgets import answers\n"
        "def answered(model, question, is_newest):\n"
        "    while question['id'] == 1 and is_newest(): time.sleep(0.01)\n"
        "    time.sleep(0.5)\n"
        "    yield answers.SUPERSEDED if question['id'] == 1 else {'answers': []}\n"
        "answers._answered = answered; answers.serve('.')"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    process.stdin.write("".join(f'{{"id": {one}}}\n' for one in (1, 2, 3)))
    process.stdin.flush()
    assert process.stdout
    said = [json.loads(process.stdout.readline()) for _ in range(3)]
    assert said == [{"id": 1, "superseded": True}, {"id": 2, "superseded": True}, {"id": 3, "answers": []}]
    process.communicate()


SHOW = """
const model = new Model({ kind: KIND, ended: false, name: "one", columns: [], answer: {}, language: "en" });
const undo = render({ model, el: page });
const answer = page.all((one) => one.attributes.class === "kl-answer")[0];
const area = page.all((one) => one.tag === "textarea")[0];
const pause = () => new Promise((done) => setTimeout(done, 300));
const type = async (text) => { area.value = text; area.heard.input(); await pause(); };
"""


def test_a_view_whose_question_was_replaced_waits_no_longer() -> None:
    page = f"""const KIND = "text"; {SHOW}
    await type("one");
    const [{{ id }}] = model.sent;
    console.log("aria-busy" in answer.attributes);
    model.set("answer", {{ id, superseded: true }});
    console.log("aria-busy" in answer.attributes, answer.text);
    undo();
    """
    assert run_view("playground.js", page) == ["true", "false another question came in between; ask again"]


def test_an_emptied_text_has_no_answer_nor_does_a_late_one_come() -> None:
    page = f"""const KIND = "text"; {SHOW}
    const told = (id) => model.set("answer", {{ id, shares: [["yes", 1]] }});
    for (const empty of ["", " "]) {{
      await type("one");
      const {{ id }} = model.sent.at(-1);
      if (empty) told(id);
      await type(empty);
      told(id);
      console.log("aria-busy" in answer.attributes, `(${{answer.text}})`);
    }}
    await type("two");
    told(model.sent.at(-1).id);
    console.log(model.sent.length, answer.text);
    undo();
    """
    assert run_view("playground.js", page) == ["false ()", "false ()", "3 yes100.0 %"]


def test_a_text_is_busy_until_it_is_whole() -> None:
    page = f"""const KIND = "text"; {SHOW}
    await type("one");
    const [{{ id }}] = model.sent;
    for (const end of [false, true]) {{
      model.set("answer", {{ id, text: "I", end }});
      console.log("aria-busy" in answer.attributes, answer.text);
    }}
    undo();
    """
    assert run_view("playground.js", page) == ["true I", "false I"]


def test_a_large_picture_waits_outside_of_the_kernel_for_a_worker_that_imports(
    workers: list[subprocess.Popen[str]],
) -> None:
    playground = Playground(create(LinearRegression()))
    click(playground, "row", id=1, row="yes")
    wait(lambda: playground.answer, 20)
    workers[0].send_signal(signal.SIGSTOP)  # it reads nothing, as while it imports Keras
    began = time.monotonic()
    click(playground, "row", id=2, row="x" * 4_000_000)
    assert time.monotonic() - began < 5
    workers[0].send_signal(signal.SIGCONT)
    wait(lambda: playground.answer["id"] == 2, 20)
    assert len(playground.answer["text"]) == 4_000_000
    playground.close()


def test_a_picture_that_the_kernels_connection_would_not_take_is_refused_in_words() -> None:
    page = f"""const KIND = "picture"; {SHOW}
    globalThis.URL = {{ createObjectURL: () => "", revokeObjectURL() {{}} }};
    const chosen = page.all((one) => one.attributes.type === "file")[0];
    for (const size of [8e6 + 1, 8e6]) {{
      chosen.files = [{{ size, arrayBuffer: async () => [] }}];
      chosen.heard.change();
      await pause();
      console.log(answer.text, model.sent.length);
    }}
    undo();
    """
    assert run_view("playground.js", page) == [
        "The picture is larger than 8 MB; make it smaller. 0",
        "Loading Keras… 1",
    ]
    assert run_view("playground.js", page, "zh") == ["图片大于 8 MB；请先缩小。 0", "正在加载 Keras… 1"]


def test_trying_leaves_a_parked_process_for_the_next_train(
    workers: list[subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    parked: list[bool] = []
    monkeypatch.setattr(children, "park", lambda: parked.append(True))
    panel = Panel("linear_regression")
    panel.view.follow(create(LinearRegression()))
    click(panel.view, "try")
    assert panel.playground
    click(panel.playground, "row", id=1, row="yes")
    wait(lambda: parked, 20)
    panel.close()
    wait(lambda: workers[0].poll() is not None, 20)


def test_how_to_write_is_asked_and_checked_as_generate_declares_it() -> None:
    run = create(LinearRegression())
    (run.path / "language.json").touch()
    playground = Playground(run)
    assert [one["name"] for one in playground.options] == list(Writing.model_fields)
    typed = {one["name"]: str(one["default"]) for one in playground.options}
    for name, value, en, zh in (
        ("length", "many", "length: must be a whole number", "length：必须是整数"),
        ("length", "0", "length: must be 1 or more", "length：必须大于或等于 1"),
        ("top_p", "0", "top_p: must be greater than 0", "top_p：必须大于 0"),
        ("temperature", "nan", "temperature: must be a finite number", "temperature：必须是有限的数"),
    ):
        click(playground, "prompt", id=1, prompt="", options={**typed, name: value})
        assert playground.answer["problem"] == {"en": en, "zh": zh}
    asked: list[Any] = []
    playground.ask = lambda **question: asked.append(question)  # type: ignore[method-assign]
    click(playground, "prompt", id=2, prompt="x", options=typed | {"temperature": "20", "length": "1000000"})
    assert asked == [{"id": 2, "prompt": "x", "options": {**Writing(temperature=20, length=1000000).model_dump()}}]
    page = f"""const KIND = ""; {SHOW}
    model.set("options", {json.dumps(playground.options)});
    model.set("kind", "language");
    console.log(page.all((one) => one.tag === "label").map((one) => one.text).join("|"));
    page.all((one) => one.tag === "form")[0].heard.submit({{ preventDefault() {{}} }});
    console.log(JSON.stringify(model.sent[0].options));
    undo();
    """
    labels, options = run_view("playground.js", page)
    assert labels == "Prompt|length 1..1000000|temperature 0..100|top_k 0..|top_p >0..1|seed 0..2147483647"
    assert json.loads(options) == {"length": "200", "temperature": "0.8", "top_k": "0", "top_p": "1", "seed": "0"}
    playground.close()


@pytest.mark.slow
def test_a_playground_answers_by_the_model_and_by_a_checkpoint_of_a_run_that_goes_on() -> None:
    panel = Panel("linear_regression")
    type_(panel, **LONG, checkpoint_minutes="0.001")
    run = panel.train()
    playground = Playground(run)
    wait(lambda: (run.path / "checkpoint" / "state.npz").exists())
    playground.recognize()
    assert playground.kind == "table"
    assert [column["name"] for column in playground.columns] == ["area", "orientation"]
    click(playground, "row", id=1, row={"area": "90", "orientation": "south"})
    wait(lambda: playground.answer.get("id") == 1)
    assert playground.answer["source"] == "checkpoint"
    assert playground.answer["numbers"]["price"] > 50
    run.stop()
    wait(lambda: run.state == "stopped", 20)
    click(playground, "row", id=2, row={"area": "90", "orientation": "south"})
    wait(lambda: playground.answer.get("id") == 2)
    assert playground.answer["source"] == "model"
    click(playground, "row", id=3, row={"area": "wide", "orientation": "south"})
    wait(lambda: playground.answer.get("id") == 3)
    assert "'wide' is not a number" in playground.answer["problem"]["en"]
    from kerasllm_widgets.answers import Latest  # this process, too, imports Keras only here

    by_model = Latest(run).load().predict([{"area": 90, "orientation": "south"}])
    (run.path / "model.keras").unlink()
    assert Latest(run).load().predict([{"area": 90, "orientation": "south"}]) == by_model
    playground.close()
    panel.view.close()
