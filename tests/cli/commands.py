"""Commands as a user gives them: in a process of their own, on a pipe or a terminal, and what they answer."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from kerasllm.run import Run


class Answer(NamedTuple):
    code: int
    out: str
    err: str


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
