"""The run folder: never torn, opened by any name, honest about its process. No Keras here."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

import kerasllm
from kerasllm import batch
from kerasllm.errors import InputError
from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.run import Run, create, files, watch
from kerasllm.run.process import SILENCE, interrupts, myself
from kerasllm.run.writer import Writer
from tests.cli.runs import a_run, write_status


def test_a_new_run_says_what_was_asked() -> None:
    run = a_run()
    asked = json.loads((run.path / "run.json").read_text("utf-8"))
    assert asked["recipe"] == "linear_regression"
    assert asked["parameters"] == LinearRegression(data="sample:line").model_dump()
    assert asked["format"] == 1
    assert run.state == "queued"
    assert run.recipe == LinearRegression(data="sample:line")
    assert run.scores == {}
    assert run.epochs == []


def test_runs_made_in_the_same_second_have_names_of_their_own() -> None:
    assert len({a_run().name for _ in range(3)}) == 3


def test_a_name_is_taken_once() -> None:
    a_run("mine")
    with pytest.raises(InputError, match="exists already"):
        a_run("mine")


@pytest.mark.parametrize("name", ["../out", "a/b", ".hidden"])
def test_a_name_is_no_path(name: str) -> None:
    with pytest.raises(InputError, match="one folder's name"):
        a_run(name)


def test_a_run_is_opened_by_path_name_beginning_or_last(runs: Path) -> None:
    first, second = a_run("alpha"), a_run("beta")
    assert kerasllm.open(first.path).path == first.path
    assert kerasllm.open("alpha").path == first.path
    assert kerasllm.open("be").path == second.path
    assert kerasllm.open("last").path == second.path
    assert [run.name for run in kerasllm.runs()] == ["beta", "alpha"]


def test_an_ambiguous_or_unknown_run_is_one_line() -> None:
    a_run("alpha-1"), a_run("alpha-2")
    with pytest.raises(InputError, match="2 runs begin with 'alpha'"):
        kerasllm.open("alpha")
    with pytest.raises(InputError, match="did you mean 'alpha-1'"):
        kerasllm.open("alpa-1")
    assert kerasllm.open("alpha-1").name == "alpha-1"


def test_a_full_name_wins_over_a_longer_one() -> None:
    a_run("one"), a_run("one-more")
    assert kerasllm.open("one").name == "one"


def test_a_folder_of_runs_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    for place in (tmp_path / "file", tmp_path / "file" / "runs", tmp_path / "link"):
        with pytest.raises(InputError, match=r"cannot write runs|is no folder"):
            create(LinearRegression(), place)
        batches = batch.Source("linear_regression"), [batch.Point({})], 1, str(place)
        with pytest.raises(InputError, match=r"cannot write runs|is no folder"), batch.open_batch(*batches).held():
            pass


def test_a_run_of_a_newer_format_is_refused() -> None:
    run = a_run()
    files.replace_json(run.path / "run.json", {**run.asked, "format": 99})
    with pytest.raises(InputError, match="newer kerasllm"):
        _ = Run(run.path).asked


def test_a_strangers_folder_among_the_runs_is_passed_over(runs: Path) -> None:
    mine = a_run("mine")
    for name, text in (("empty", "{}"), ("broken", "{"), ("newer", '{"format": 99}')):
        (runs / name).mkdir()
        (runs / name / "run.json").write_text(text)
    assert [run.name for run in kerasllm.runs()] == [mine.name]
    with pytest.raises(InputError, match="is no run"):
        _ = kerasllm.open(runs / "broken").asked


def test_a_run_that_another_user_closed_is_passed_over_and_told_of_by_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    mine, theirs = a_run("mine"), a_run("theirs")
    file, read = theirs.path / "run.json", Path.read_text

    def refuse(path: Path, *words: Any) -> str:
        if path == file:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return read(path, *words)

    monkeypatch.setattr(Path, "read_text", refuse)
    assert [run.name for run in kerasllm.runs()] == [mine.name]
    with pytest.raises(InputError) as caught:
        _ = kerasllm.open(theirs.path).asked
    assert str(caught.value) == f"{file} may not be read: Permission denied"


def test_appending_cuts_off_a_torn_tail(tmp_path: Path) -> None:
    path = tmp_path / "sessions.jsonl"
    files.append_line(path, {"time": 1})
    with path.open("ab") as file:
        file.write(b'{"time": 2, "pi')
    files.append_line(path, {"time": 3})
    assert files.read_lines(path) == [{"time": 1}, {"time": 3}]


def test_a_vanished_process_reads_as_gone() -> None:
    run = a_run()
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    write_status(run, state="running", **{**myself(), "pid": child.pid, "pid_started": _started(child.pid)})
    assert run.state == "running"
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert run.state == "gone"


@pytest.mark.parametrize("left", [psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD])
def test_a_process_of_which_only_the_entry_is_left_reads_as_gone(left: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = a_run()
    write_status(run, state="running", **myself())
    monkeypatch.setattr(psutil.Process, "status", lambda _: left)
    assert run.state == "gone"


def test_a_reserved_run_whose_process_vanished_before_the_start_reads_as_gone() -> None:
    run = a_run()
    assert run.state == "queued"
    write_status(run, **{**run.status, "pid_started": 1.0})
    assert run.state == "gone"


def test_a_pid_used_again_is_not_the_trainer() -> None:
    run = a_run()
    write_status(run, state="running", **{**myself(), "pid_started": 1.0})
    assert run.state == "gone"


def test_from_another_host_the_heartbeat_decides() -> None:
    run = a_run()
    write_status(run, state="running", pid=1, pid_started=1.0, host="elsewhere")
    assert run.state == "running"
    write_status(run, state="running", pid=1, pid_started=1.0, host="elsewhere", heartbeat=time.time() - SILENCE - 1)
    assert run.state == "gone"


def test_a_stop_that_was_asked_reads_as_stopping() -> None:
    run = a_run()
    write_status(run, state="running", **myself())
    run.stop()
    assert run.state == "stopping"


def test_a_runs_name_may_hold_any_character() -> None:
    assert create(LinearRegression(), name="外卖　评论 👨‍👩‍👧").name == "外卖　评论 👨‍👩‍👧"


def test_an_ended_run_cannot_be_stopped() -> None:
    run = a_run()
    write_status(run, state="completed")
    with pytest.raises(InputError, match="completed already"):
        run.stop()


def test_a_stop_of_a_vanished_run_says_how_to_go_on() -> None:
    run = a_run("lost")
    write_status(run, state="running", **{**myself(), "pid_started": 1.0})
    with pytest.raises(InputError, match="kerasllm resume lost"):
        run.stop()


def test_a_torn_tail_of_the_curve_is_left_out() -> None:
    run = a_run()
    files.append_line(run.path / "history.jsonl", {"kind": "epoch", "epoch": 1, "step": 5, "loss": 0.5})
    with (run.path / "history.jsonl").open("ab") as file:
        file.write(b'{"kind": "epoch", "epo')
    assert [line["loss"] for line in run.epochs] == [0.5]


def test_what_is_written_replaces_whole_files(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    files.replace_json(path, {"loss": float("nan"), "name": "退款"})
    assert json.loads(path.read_text("utf-8")) == {"loss": None, "name": "退款"}

    def broken(file: object) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        files.replace(path, broken)
    assert json.loads(path.read_text("utf-8"))["name"] == "退款"
    assert list(tmp_path.iterdir()) == [path]


def test_a_second_writer_is_refused_while_the_first_lives() -> None:
    run = a_run()
    with Writer(run) as first:
        first.start()
        with (
            pytest.raises(InputError, match=f"being trained already \\(process {os.getpid()}\\)"),
            Writer(run),
        ):
            pass
        first.end("completed")
    assert run.state == "completed"


def test_an_error_inside_the_writer_reads_as_failed_with_its_reason() -> None:
    run = a_run()
    with pytest.raises(ZeroDivisionError), Writer(run) as writer:
        _ = writer.start(), 1 / 0
    assert run.state == "failed"
    assert run.status["message"] == "ZeroDivisionError: division by zero"
    assert "message_zh" not in run.status


def test_an_input_error_inside_the_writer_is_told_in_both_languages() -> None:
    run = a_run()
    with suppress(InputError), Writer(run) as writer:
        writer.start()
        raise InputError("no rows\nat all", "没有行\n一行也没有")
    assert (run.status["message"], run.status["message_zh"]) == ("no rows", "没有行")


def test_the_status_goes_on_beating_while_the_trainer_is_busy() -> None:
    run = a_run()
    with Writer(run) as writer:
        writer.start()
        before = run.status["heartbeat"]
        time.sleep(2.5)
        assert run.status["heartbeat"] > before
        writer.end("completed")


def test_the_seconds_of_all_sessions_are_counted() -> None:
    run = a_run()
    assert run.seconds == 0
    for done in (0.0, 5.0, 10.0):
        with Writer(run) as writer:
            writer.start()
            assert done <= run.seconds < done + 1
            writer.end("stopped")
        write_status(run, **run.status | {"heartbeat": run.status["started"] + 5.0})
    assert run.seconds == pytest.approx(15, abs=1)


def test_a_status_that_cannot_be_written_stops_the_trainer() -> None:
    run = a_run()
    with Writer(run) as writer:
        writer.start()
        writer._failure = OSError(28, "No space left on device")
        time.sleep(0.15)
        with pytest.raises(OSError, match="No space left"):
            writer.stop_asked()
        writer.end("failed")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_wish_and_a_second_one_of_either_kind_interrupts(number: signal.Signals) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    wishes: list[str] = []

    def work() -> None:
        with interrupts(lambda: wishes.append("stop")):
            os.kill(os.getpid(), signal.SIGTERM)
            assert wishes == ["stop"]
            os.kill(os.getpid(), number)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert wishes == ["stop"]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_watching_ends_with_the_run_and_shows_each_epoch_once() -> None:
    run = a_run()
    write_status(run, state="running", **myself())
    looks = watch(run, interval=0)
    files.append_line(run.path / "history.jsonl", {"kind": "epoch", "epoch": 1, "step": 5})
    assert [line["epoch"] for line in next(looks)["epochs"]] == [1]
    files.append_line(run.path / "history.jsonl", {"kind": "epoch", "epoch": 2, "step": 10})
    write_status(run, state="completed")
    last = list(looks)[-1]
    assert last["state"] == "completed"
    assert [line["epoch"] for line in last["epochs"]] == [2]


def _started(pid: int) -> float:
    import psutil

    return float(psutil.Process(pid).create_time())
