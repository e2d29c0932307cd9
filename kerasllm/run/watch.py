"""Watch a run: one path for the command line's progress and for scripts; every panel reads curves by its Tail."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kerasllm.run.folder import LIVE, Run

LOOK = 0.25  # seconds between two looks


def watch(run: Run, interval: float = LOOK, until: threading.Event | None = None) -> Iterator[dict[str, Any]]:
    """Yield {"state", "status", "epochs"} (epochs: finished since the last look) until the run ends.

    Who works on the run says when it ends by `until`: a stopped run that is resumed is stopped at first.
    """
    curve = Tail(run.path / "history.jsonl")
    while True:
        ended = until is not None and until.is_set()
        state, status = run.state, run.status
        epochs = [line for line in curve.read() if line["kind"] == "epoch"]
        yield {"state": state, "status": status, "epochs": epochs}
        if ended or (until is None and state not in LIVE):
            return
        time.sleep(interval) if until is None else until.wait(interval)


class Tail:
    """The lines appended to a JSON-lines file since it was last read, whatever its length."""

    def __init__(self, path: Path):
        self._path = path
        self._inode = self._place = 0
        self._last: dict[str, Any] = {}

    def read(self) -> list[dict[str, Any]]:
        """The new whole lines. A resume replaces the file by a shorter one; what was read is not new."""
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            return []
        with file:
            inode = os.fstat(file.fileno()).st_ino
            replaced = self._last and inode != self._inode
            if replaced:
                self._place = 0
            file.seek(self._place)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._inode, self._place = inode, self._place + len(whole)
        lines: list[dict[str, Any]] = [json.loads(line) for line in whole.splitlines()]
        if replaced:
            lines = [line for line in lines if line["time"] > self._last["time"]]
        self._last = lines[-1] if lines else self._last
        return lines
