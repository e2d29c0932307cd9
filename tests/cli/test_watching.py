"""Watching: plain lines on a pipe, a bar on a terminal, and only what is new of the curve."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from kerasllm.run import files, watch
from kerasllm.run.process import myself
from kerasllm.run.watch import Tail
from tests.cli.commands import Answer, on_a_terminal
from tests.cli.runs import a_run, add_epoch, write_status
from tests.conftest import last_json


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


@pytest.mark.parametrize(
    ("language", "epoch", "left", "completed"),
    [("en_US", "epoch 2/4", "1 min 5 s left", "completed"), ("zh_CN", "轮 2/4", "剩余 1 分 5 秒", "已完成")],
)
def test_watching_a_terminal_shows_a_bar_and_the_time_left(
    language: str, epoch: str, left: str, completed: str, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", f"{language}.UTF-8")
    run = a_run("mine")
    write_status(run, state="running", phase="training", epoch=1, epochs=4, step=5, steps=20, eta=65, **myself())
    shown = on_a_terminal(
        ["watch", "mine"],
        lambda piece: left in piece and write_status(run, state="completed", step=20, steps=20),
    )
    assert epoch in shown
    assert "━" in shown
    assert left in shown
    assert completed in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l"), "the cursor is back"


def test_a_look_at_a_long_curve_reads_only_what_was_added(tmp_path: Path, bytes_read: Counter[Path]) -> None:
    path = tmp_path / "history.jsonl"
    tail = Tail(path)
    assert tail.read() == []
    path.write_text("".join(f'{{"step": {step}, "time": {step}}}\n' for step in range(100_000)))
    assert len(tail.read()) == 100_000
    whole, torn = '{"step": 100000, "time": 100000}\n', '{"step": 100'
    with path.open("a") as file:
        file.write(whole + torn)
    bytes_read.clear()
    assert [line["step"] for line in tail.read()] == [100_000]
    assert bytes_read[path] == len(whole + torn)
    assert [tail.read() for _ in range(100)] == [[]] * 100
    assert bytes_read[path] == len(whole) + 101 * len(torn)
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
