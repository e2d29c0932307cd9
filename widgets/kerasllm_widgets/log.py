"""The log in a run's folder: what the processes say that a view or the server starts, tracebacks too."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kerasllm.run import Run

LOG = "log.txt"
MOST = 20_000  # bytes of its end that anybody reads


def tail(run: Run) -> str:
    """The end of the log: the traceback, where a process failed."""
    try:
        with (run.path / LOG).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - MOST))
            return file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def last_words(run: Run, en: str, zh: str) -> tuple[str, str]:
    """What was said last, which is in one language; where nothing was, the given words in both."""
    spoken = tail(run).strip().splitlines()
    return (spoken[-1].strip().removeprefix("kerasllm: "), "") if spoken else (en, zh)
