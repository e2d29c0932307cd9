"""The command line: every command, its JSON line, its exit code, and what it says of a mistake."""

from __future__ import annotations

import errno
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kerasllm import cli, recipes
from kerasllm.cli import main
from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.recipes.text_classifier import TextClassifier
from kerasllm.run import Run, create, files, watch
from kerasllm.run.process import myself
from kerasllm.run.watch import Tail
from tests.conftest import last_json

slow = pytest.mark.slow
Command = Callable[..., subprocess.CompletedProcess[str]]


class Answer(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """The command line in this process."""

    def call(*words: str) -> Answer:
        with pytest.raises(SystemExit) as left:
            main([*words])
        return Answer(left.value.code, *capsys.readouterr())  # type: ignore[arg-type]

    return call


def start(*words: str, folder: Path | None = None) -> subprocess.Popen[str]:
    """The command line in a process of its own, as a user has it."""
    return subprocess.Popen(
        [sys.executable, "-m", "kerasllm", *words],
        env=users(), cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def users() -> dict[str, str]:
    """The environment without what pytest and an import of Keras in this process added."""
    return {name: value for name, value in os.environ.items() if name not in ("TF_CPP_MIN_LOG_LEVEL", "PYTHONWARNINGS")}


def end(process: subprocess.Popen[str]) -> Answer:
    out, err = process.communicate(timeout=300)
    return Answer(process.returncode, out, err)


def wait_for_an_epoch(run: Run, process: subprocess.Popen[str]) -> None:
    while not run.epochs:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def one_line(answer: Answer) -> str:
    """The complaint of a command that the user's input ended."""
    assert answer.code == 2, answer.err
    assert answer.err.startswith("kerasllm: ")
    assert answer.err.count("\n") == 1
    return answer.err


def a_run(name: str = "", folder: Path | None = None, **parameters: Any) -> Run:
    return create(LinearRegression(**{"data": "sample:line", **parameters}), folder, name)


def write_status(run: Run, **status: Any) -> None:
    files.replace_json(run.path / "status.json", {"heartbeat": time.time(), **status})


def add_epoch(run: Run, epoch: int, **more: Any) -> None:
    line = {"kind": "epoch", "epoch": epoch, "step": epoch, "time": time.time(), "loss": 1 / epoch, **more}
    files.append_line(run.path / "history.jsonl", line)


# --- help and lists


def test_list_names_every_recipe_with_its_summary(call: Callable[..., Answer]) -> None:
    answer = call("list", "--json")
    assert answer.code == 0
    found = last_json(answer.out)["recipes"]
    assert list(found) == recipes.names()
    assert found["linear_regression"] == LinearRegression.summary()


@pytest.mark.parametrize("words", [["--help"], ["list"], ["runs"], ["train", "text_classifier", "--help"]])
def test_looking_around_imports_nothing_heavy(words: list[str], kerasllm: Command) -> None:
    heavy = "{'keras', 'tensorflow', 'jax', 'torch', 'pandas', 'matplotlib', 'sklearn', 'papermill'}"
    code = (
        f"import sys; from kerasllm.cli import main\ntry: main({words})\n"
        f"except SystemExit: print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_shows_the_recipes_groups_and_bounds(call: Callable[..., Answer]) -> None:
    shown = call("train", "text_classifier", "--help").out
    groups = [line.split()[1] for line in shown.splitlines() if line.startswith("╭")]
    assert groups == ["Data", "Network", "Training", "Computing", "Options"]
    words = " ".join(shown.replace("│", " ").split())
    assert "--learning-rate FLOAT step size of the optimizer (>0..10) [default: 0.02]" in words
    assert "[choices: adam, adamw, sgd, rmsprop, adagrad]" in words
    assert "--gaps --no-gaps" in words


def test_help_is_chinese_where_the_environment_is(kerasllm: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.delenv("LC_MESSAGES", raising=False)
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    shown = kerasllm("train", "text_classifier", "--help").stdout
    assert all(word in shown for word in ("数据", "网络", "训练", "计算", "选项", "优化器的步长", TextClassifier.zh))
    top = kerasllm("--help").stdout
    assert "比较几次运行" in top
    assert "Show what differs" not in top
    assert TextClassifier.zh in kerasllm("list").stdout


# --- mistakes


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("trian", 'Did you mean "train"?'),
        ("train linear_regresion", "did you mean 'linear_regression'?"),
        ("train linear_regression --epoch 3", "Did you mean --epochs?"),
        ("train linear_regression --epochs many", "epochs: 'many' should be a valid integer"),
        ("train linear_regression --epochs 2.5", "epochs: '2.5' should be a valid integer"),
        ("train linear_regression --epochs 0", "greater than or equal to 1"),
        ("train linear_regression --learning-rate nan", "learning_rate: 'nan' should be a finite number"),
        (
            "train linear_regression --schedule slow",
            'Choose from: "constant", "linear", "cosine"',
        ),
        ("train linear_regression houses.csv", "'houses.csv' has no place here"),
        ("train linear_regression --data", "--data requires an argument"),
        ("train linear_regression --epochs 1 --epochs 2", "--epochs"),
        ("show nothing", "no run 'nothing'"),
        ("predict", "RUN requires an argument"),
        ("notebook linear_regression -p epochs 3 -p epochs 4", "epochs is given twice"),
        ("notebook linear_regression -p learning_rate -1", "learning_rate: '-1' should be greater than 0"),
        ("notebook linear_regression -p epochs", "-p requires 2"),
    ],
)
def test_a_mistake_is_one_line_and_makes_nothing(
    words: str, says: str, call: Callable[..., Answer], runs: Path
) -> None:
    assert says in one_line(call(*words.split()))
    assert not runs.exists()


def test_a_fault_of_ours_keeps_its_traceback() -> None:
    code = (
        "import kerasllm.cli as cli\n"
        "def broken(*words): raise ZeroDivisionError('ours')\n"
        "cli.list_runs = broken\ncli.main(['runs'])"
    )
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ZeroDivisionError: ours" in done.stderr


def test_a_full_disk_is_one_line_but_a_file_we_forgot_is_our_fault(
    call: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*words: Any) -> None:
        raise OSError(code, os.strerror(code), "/data/status.json")

    monkeypatch.setattr(cli, "list_runs", broken)
    code = errno.ENOSPC
    assert "cannot write /data/status.json: No space left on device" in one_line(call("runs"))
    code = errno.ENOENT
    with pytest.raises(FileNotFoundError):
        main(["runs"])


def test_an_interrupt_leaves_with_130(call: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*words: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "list_runs", interrupted)
    assert call("runs").code == 130


def test_a_reader_that_leaves_early_is_no_fault(runs: Path) -> None:
    for place in range(3):
        a_run(f"run-{place}")
    line = f"{sys.executable} -u -m kerasllm runs | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")


# --- from the words to a recipe


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """The runs that `train` would work on."""
    found: list[Run] = []
    monkeypatch.setattr("kerasllm.cli.training.follow", lambda run, work, json: found.append(run) or 0)
    return found


def test_flags_become_the_recipes_parameters(call: Callable[..., Answer], asked: list[Run]) -> None:
    words = "--batch_size 7 --learning-rate 1e-3 --no-gaps --optimizer sgd --validation= --epochs 3 --seed 5"
    assert call("train", "text_classifier", *words.split(), "--name", "mine").code == 0
    wanted = TextClassifier(
        batch_size=7, learning_rate=1e-3, gaps=False, optimizer="sgd", validation="", epochs=3, seed=5
    )
    assert asked[0].recipe == wanted
    assert (asked[0].name, asked[0].asked["surface"]) == ("mine", "cli")


def test_every_default_is_the_recipes(call: Callable[..., Answer], asked: list[Run]) -> None:
    for name in recipes.names():
        assert call("train", name).code == 0
        assert asked[-1].recipe == recipes.find(name)()


def test_a_reserved_run_is_the_one_that_is_trained(
    call: Callable[..., Answer], asked: list[Run], runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserved = create(LinearRegression(data="sample:line", epochs=4), surface="panel")
    monkeypatch.setenv("KERASLLM_RUN", str(reserved.path))
    call("train", "linear_regression", "--data", "sample:line", "--epochs", "4")
    assert asked[0].path == reserved.path
    call("train", "linear_regression", "--data", "sample:line", "--epochs", "5")
    assert asked[1].path != reserved.path


# --- runs


def test_a_run_is_named_by_path_name_beginning_or_last(call: Callable[..., Answer], runs: Path) -> None:
    first, second = a_run("alpha"), a_run("beta")
    for words, run in ((str(first.path), first), ("alpha", first), ("al", first), ("last", second)):
        assert last_json(call("show", words, "--json").out)["run"] == str(run.path)
    a_run("alpine")
    assert "2 runs begin with 'al'" in one_line(call("show", "al"))


def test_the_folder_of_runs_is_the_flags_then_the_environments_then_runs(
    call: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for place in ("flag", "environment", "runs"):
        a_run(place, tmp_path / place)
    monkeypatch.setenv("KERASLLM_RUNS", "environment")
    assert last_json(call("show", "last", "--runs", "flag", "--json").out)["run"] == str(tmp_path / "flag" / "flag")
    named = last_json(call("show", "last", "--json").out)["run"]
    assert named == str(tmp_path / "environment" / "environment")
    monkeypatch.delenv("KERASLLM_RUNS")
    assert last_json(call("show", "last", "--json").out)["run"] == str(tmp_path / "runs" / "runs")


def test_runs_are_listed_newest_first(call: Callable[..., Answer], runs: Path) -> None:
    assert call("runs", "--json").out.splitlines() == [f"no runs in {runs}", '{"runs": []}']
    a_run("older"), a_run("newer")
    answer = call("runs", "--json")
    assert [line.split() for line in answer.out.splitlines()[:2]] == [
        ["newer", "queued"],
        ["older", "queued"],
    ]
    assert [Path(run["run"]).name for run in last_json(answer.out)["runs"]] == ["newer", "older"]


def test_show_tells_what_was_asked_and_why_it_failed(call: Callable[..., Answer]) -> None:
    run = a_run("mine", epochs=9)
    write_status(run, state="failed", message="the disk is full")
    answer = call("show", "mine", "--json")
    assert "failed (the disk is full)" in answer.out
    shown = last_json(answer.out)
    assert {key: shown[key] for key in ("run", "state", "scores")} == {
        "run": str(run.path), "state": "failed", "scores": {}
    }  # fmt: skip
    assert shown["parameters"]["epochs"] == 9
    assert shown["weights"] is None


def test_a_run_whose_process_is_gone_says_how_to_go_on(call: Callable[..., Answer]) -> None:
    run = a_run("mine")
    write_status(run, state="running", **{**myself(), "pid_started": 1.0})
    answer = call("show", "mine", "--json")
    assert "kerasllm resume mine" in answer.out
    assert last_json(answer.out)["state"] == "gone"


def test_stop_asks_a_running_run_and_refuses_an_ended_one(call: Callable[..., Answer]) -> None:
    run = a_run("mine")
    write_status(run, state="running", **myself())
    answer = call("stop", "mine", "--json")
    assert (run.path / "stop").exists()
    assert last_json(answer.out) == {"run": str(run.path), "state": "stopping", "scores": {}}
    write_status(run, state="completed")
    assert "mine is completed already" in one_line(call("stop", "mine"))


def test_compare_shows_only_the_parameters_that_differ(call: Callable[..., Answer]) -> None:
    a_run("one", epochs=3), a_run("two", epochs=4)
    answer = call("compare", "one", "two", "--json")
    assert last_json(answer.out)["parameters"] == {"epochs": [3, 4]}
    rows = [line.split() for line in answer.out.splitlines()[:-1]]
    assert rows == [["one", "two"], ["state", "queued", "queued"], ["epochs", "3", "4"]]


def test_card_looks_at_a_table_or_at_texts(call: Callable[..., Answer], tmp_path: Path) -> None:
    table = last_json(call("card", "sample:houses", "--json").out)
    assert (table["rows"], [column["kind"] for column in table["columns"]]) == (
        100,
        ["number", "category", "number"],
    )
    file = tmp_path / "评论.csv"
    file.write_text("评论,星级\n很好,好\n太差了,坏\n很好,好\n", "utf-8")
    texts = call("card", str(file), "--text", "评论", "--label", "星级", "--json")
    assert last_json(texts.out)["labels"]["classes"] == {"好": 2, "坏": 1}
    assert "duplicates: 1" in texts.out


@pytest.mark.parametrize("rows", [[], ["1", "--file", "a.csv"]])
def test_predict_wants_rows_or_a_file(rows: list[str], call: Callable[..., Answer]) -> None:
    a_run("mine")
    assert "give rows or --file, one of both" in one_line(call("predict", "mine", *rows))


# --- watching


def test_watching_a_pipe_gives_a_line_per_phase_and_epoch_from_now_on(call: Callable[..., Answer]) -> None:
    run = a_run("mine")
    add_epoch(run, 1)
    write_status(run, state="running", phase="training", epochs=3, **myself())

    def train() -> None:
        add_epoch(run, 2), add_epoch(run, 3)
        write_status(run, state="completed", phase="scoring", epochs=3)

    trainer = threading.Timer(1, train)
    trainer.start()
    answer = call("watch", "mine", "--json")
    trainer.join()
    lines = ["training", "epoch 2: loss 0.5", "epoch 3: loss 0.333333", "scoring", f"{run.path}: completed"]
    assert answer.out.splitlines()[:-1] == lines
    assert last_json(answer.out) == {"run": str(run.path), "state": "completed", "scores": {}}


def test_of_a_long_training_some_epochs_are_told_and_the_last(call: Callable[..., Answer]) -> None:
    run = a_run("mine")
    write_status(run, state="running", phase="training", epochs=1001, **myself())

    def train() -> None:
        for epoch in range(1, 1002):
            add_epoch(run, epoch)
        write_status(run, state="completed", epochs=1001)

    trainer = threading.Timer(1, train)
    trainer.start()
    told = [line for line in call("watch", "mine").out.splitlines() if line.startswith("epoch")]
    trainer.join()
    assert 15 <= len(told) <= 25
    assert told[-1].startswith("epoch 1001: ")


def test_watching_a_terminal_shows_a_bar_and_the_time_left(runs: Path) -> None:
    run = a_run("mine")
    write_status(run, state="running", phase="training", epoch=1, epochs=4, step=5, steps=20, eta=65, **myself())
    shown = on_a_terminal(
        ["watch", "mine"],
        lambda piece: "left" in piece and write_status(run, state="completed", step=20, steps=20),
    )
    assert "epoch 2/4" in shown
    assert "━" in shown
    assert "1 min 5 s left" in shown
    assert "completed" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l"), "the cursor is back"


def on_a_terminal(words: list[str], look: Callable[[str], Any] = len) -> str:
    """What a command writes to a terminal; `look` sees each piece."""
    controller, terminal = pty.openpty()
    environment = {**users(), "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(
        [sys.executable, "-m", "kerasllm", *words],
        stdin=terminal, stdout=terminal, stderr=terminal, env=environment, start_new_session=True,
    )  # fmt: skip
    os.close(terminal)
    shown = b""
    while True:
        try:
            block = os.read(controller, 65536)
        except OSError:  # the terminal closes with its last process
            break
        if not block:
            break
        shown += block
        look(block.decode(errors="replace"))
    os.close(controller)
    assert process.wait() == 0, shown.decode(errors="replace")
    return shown.decode()


def test_a_look_at_a_long_curve_reads_only_what_was_added(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    tail = Tail(path)
    assert tail.read() == []
    path.write_text("".join(f'{{"step": {step}, "time": {step}}}\n' for step in range(100_000)))
    assert len(tail.read()) == 100_000
    with path.open("a") as file:
        file.write('{"step": 100000, "time": 100000}\n{"step": 100')
    began = time.process_time()
    assert [line["step"] for line in tail.read()] == [100_000]
    assert [tail.read() for _ in range(100)] == [[]] * 100
    assert time.process_time() - began < 0.25  # one whole reading alone takes as long
    with path.open("a") as file:
        file.write('001, "time": 100001}\n')
    assert [line["step"] for line in tail.read()] == [100_001]


def test_a_resume_that_cuts_the_curve_shows_its_epochs_once() -> None:
    run = a_run()
    write_status(run, state="running", **myself())
    looks = watch(run, interval=0)
    for epoch in (1, 2, 3):
        add_epoch(run, epoch)
    assert [line["epoch"] for line in next(looks)["epochs"]] == [1, 2, 3]
    files.cut_lines(run.path / "history.jsonl", lambda line: line["step"] <= 1)
    assert next(looks)["epochs"] == []
    for epoch in (2, 3, 4):
        add_epoch(run, epoch)
    assert [line["epoch"] for line in next(looks)["epochs"]] == [2, 3, 4]


def test_who_resumes_a_stopped_run_sees_it_go_on() -> None:
    run = a_run()
    write_status(run, state="stopped")
    ended = threading.Event()
    looks = watch(run, interval=0, until=ended)
    assert next(looks)["state"] == "stopped"
    write_status(run, state="running", **myself())
    assert next(looks)["state"] == "running"
    write_status(run, state="completed")
    ended.set()
    assert [look["state"] for look in looks] == ["completed"]


# --- with Keras


LONG = {"epochs": 300, "batch_size": 16, "optimizer": "adam"}  # seconds, so that there is time to stop it


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """A run of each kind: one column to a number, two columns to a number, a text to a label."""
    folder = tmp_path_factory.mktemp("trained")
    kinds = {
        "line": LinearRegression(data="sample:line"),
        "houses": LinearRegression(epochs=5),
        "messages": TextClassifier(epochs=1),
        "long": LinearRegression(**LONG),
    }
    return {name: recipe.train(runs=folder, name=name) for name, recipe in kinds.items()}


@slow
@pytest.mark.parametrize(
    ("name", "words", "rows"),
    [
        ("line", ["6", "-7", "-8.5e0"], [6, -7, -8.5]),
        ("houses", ['{"area": 90, "orientation": "south"}'], [{"area": 90, "orientation": "south"}]),
        ("messages", ["--", "我要退款", "-where is my parcel?"], ["我要退款", "-where is my parcel?"]),
        ("messages", ['{"text": "我要退款"}'], ["我要退款"]),
    ],
)
def test_predict_gives_the_rows_that_python_gives(
    name: str, words: list[str], rows: list[Any], trained: dict[str, Run], call: Callable[..., Answer]
) -> None:
    answer = call("predict", str(trained[name].path), "--json", *words)
    assert answer.code == 0, answer.err
    assert len(answer.out.splitlines()) == len(rows) + 1
    found = last_json(answer.out)
    assert found == {"rows": trained[name].predict(rows)}
    keys = {"label", "probabilities"} if name == "messages" else {trained[name].recipe.read().decoder.name}
    assert all(set(row) == keys for row in found["rows"])


@slow
def test_predict_reads_a_file(trained: dict[str, Run], call: Callable[..., Answer], tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("area,orientation\n80,north\n120,south\n")
    answer = call("predict", str(trained["houses"].path), "--file", str(tmp_path / "new.csv"), "--json")
    rows = [{"area": 80, "orientation": "north"}, {"area": 120, "orientation": "south"}]
    assert last_json(answer.out)["rows"] == trained["houses"].predict(rows)
    (tmp_path / "bad.csv").write_text("area\n80\n")
    one_line(call("predict", str(trained["houses"].path), "--file", str(tmp_path / "bad.csv")))
    assert "answers no pictures" in one_line(call("predict", str(trained["houses"].path), "--file", str(tmp_path)))


@slow
def test_evaluate_scores_new_rows(trained: dict[str, Run], call: Callable[..., Answer], tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("x,y\n6,5\n7,6\n8,8\n")
    scores = last_json(call("evaluate", str(trained["line"].path), "--data", str(tmp_path / "new.csv"), "--json").out)
    assert list(scores) == ["scores"]
    assert (scores["scores"]["rows"], scores["scores"]["main"]) == (3, "rmse")
    assert scores["scores"]["rmse"] == pytest.approx(3**-0.5, abs=0.01)
    (tmp_path / "texts.csv").write_text("text,label\nhello,no such intent\n")
    words = ("evaluate", str(trained["messages"].path), "--data", str(tmp_path / "texts.csv"))
    assert "line 2, column 'label'" in one_line(call(*words))


@slow
def test_runs_and_compare_show_the_scores(trained: dict[str, Run], call: Callable[..., Answer]) -> None:
    folder = str(trained["line"].path.parent)
    listed = last_json(call("runs", "--runs", folder, "--json").out)["runs"]
    assert {Path(run["run"]).name: run["scores"]["main"] for run in listed} == {
        "line": "rmse", "houses": "rmse", "messages": "accuracy", "long": "rmse"
    }  # fmt: skip
    shown = call("compare", "line", "houses", "--runs", folder).out
    assert "rmse" in shown
    assert "sample:line" in shown


@slow
def test_a_completed_run_is_not_resumed(trained: dict[str, Run], call: Callable[..., Answer]) -> None:
    answer = call("resume", str(trained["line"].path), "--json")
    assert answer.code == 0
    assert "nothing to resume" in answer.out
    assert last_json(answer.out)["state"] == "completed"


@slow
def test_train_piped_speaks_in_plain_lines_and_ends_with_json(runs: Path) -> None:
    answer = end(start("train", "linear_regression", "--data", "sample:line", "--epochs", "3", "--json"))
    assert (answer.code, answer.err) == (0, "")
    assert "\x1b" not in answer.out
    epochs = [line.split(":")[0] for line in answer.out.splitlines() if line.startswith("epoch")]
    assert epochs == ["epoch 1", "epoch 2", "epoch 3"]
    found = last_json(answer.out)
    assert set(found) == {"run", "state", "scores"}
    assert Path(found["run"]).parent == runs
    assert (found["state"], found["scores"]["main"], found["scores"]["rows"]) == ("completed", "rmse", 5)
    assert all(
        isinstance(value, (int, float)) for name, value in found["scores"].items() if name not in ("main", "split")
    )


@slow
@pytest.mark.parametrize("how", ["Ctrl-C", "kerasllm stop"])
def test_a_stopped_training_leaves_with_130_and_ends_the_same_when_resumed(
    how: str, runs: Path, trained: dict[str, Run]
) -> None:
    flags = [f"--{name}={value}" for name, value in LONG.items()]
    process = start("train", "linear_regression", "--name", "broken", "--json", *flags)
    run = Run(runs / "broken")
    wait_for_an_epoch(run, process)
    if how == "Ctrl-C":
        process.send_signal(signal.SIGINT)
    else:
        assert end(start("stop", "last")).code == 0
    answer = end(process)
    assert (answer.code, answer.err) == (130, "")
    assert last_json(answer.out)["state"] == "stopped"
    assert 0 < len(run.epochs) < 300
    assert len(run.predict([{"area": 90, "orientation": "south"}])) == 1

    answer = end(start("resume", "broken", "--json"))
    assert (answer.code, answer.err) == (0, "")
    assert "epoch 300: " in answer.out, "progress is shown while it goes on"
    assert last_json(answer.out)["state"] == "completed"
    assert run.report["weights"] == trained["long"].report["weights"]


@slow
def test_train_on_a_terminal_shows_the_time_left(runs: Path) -> None:
    shown = on_a_terminal(["train", "linear_regression", "--epochs", "200", "--batch-size", "16"])
    assert " s left" in shown
    assert "/200" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert Run(next(runs.iterdir())).state == "completed"
