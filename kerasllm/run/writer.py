"""Writer: the one process that may change a run's folder while it trains. It knows nothing of Keras."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import filelock

from kerasllm.errors import InputError
from kerasllm.run import files
from kerasllm.run.folder import Run
from kerasllm.run.process import HEARTBEAT, myself

POLL = 0.1  # seconds between two looks for the stop file


class Writer:
    """Holds the run's lock, writes its status from a thread (a compilation may block the trainer for a minute)."""

    def __init__(self, run: Run):
        self.run = run
        self.interrupted = False
        self._lock = filelock.FileLock(run.path / ".lock")
        self._status: dict[str, Any] = {}
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="kerasllm-status", daemon=True)
        self._done = False
        self._writing = threading.Lock()
        self._polled = 0.0
        self._failure: OSError | None = None

    def __enter__(self) -> Self:
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout:
            raise trained_already(self.run) from None
        except OSError as error:
            raise InputError(
                f"cannot write to {self.run.path}: {error.strerror}", f"无法写入 {self.run.path}：{error.strerror}"
            ) from error
        files.clean(self.run.path)
        return self

    def start(self) -> None:
        """Say that the run is running, and go on saying so."""
        if self.run.status["state"] != "queued":  # a stop asked before the start still holds
            (self.run.path / "stop").unlink(missing_ok=True)
        begun = {"started": time.time(), "before": self.run.seconds}
        self._status = {"state": "running", "phase": "starting", **begun, **myself()}
        self._write()
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._status and not self._done:
                with suppress(OSError):  # the disk may be what failed; then the run reads as gone
                    self.end("failed", *_reason(error))
        finally:
            self._lock.release()

    def update(self, **status: Any) -> None:
        """Change the status: phase, epoch, epochs, step, steps, eta, metrics. The thread writes it within a second."""
        urgent = status.get("phase", self._status.get("phase")) != self._status.get("phase")
        self._status = {**self._status, **status}
        if urgent:
            self._wake.set()

    def end(self, state: str, message: str = "", zh: str = "") -> None:
        """Say how it ended, in Chinese too where that is known; the last thing written."""
        self._done = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        told = {"message": message, **({"message_zh": zh} if zh else {})}
        self._status = {**self._status, "state": state, "phase": "", "eta": None, **told}
        self._write()

    def stop_asked(self) -> bool:
        """Whether somebody asked to stop, by the stop file (looked for at most ten times a second) or a signal."""
        if self.interrupted:
            return True
        now = time.monotonic()
        if now - self._polled < POLL:
            return False
        self._polled = now
        if self._failure:
            raise self._failure
        return (self.run.path / "stop").exists()

    def interrupt(self) -> None:
        """Ask to stop, from within this process."""
        self.interrupted = True

    def _beat(self) -> None:
        while not self._done:
            self._wake.wait(HEARTBEAT)
            self._wake.clear()
            if not self._done:
                try:
                    self._write()
                except OSError as error:  # a full disk: the trainer raises it in its own thread
                    self._failure = error
                    return

    def _write(self) -> None:
        with self._writing:
            files.replace_json(self.run.path / "status.json", {**self._status, "heartbeat": time.time()})


def tell(run: Run, **changed: Any) -> None:
    """Change the status in the place of a process that does not write it, or cannot any more."""
    files.replace_json(run.path / "status.json", {**run.status, **changed})


def fail(run: Run, message: str, zh: str = "") -> None:
    """Tell in such a place why the run has failed, in Chinese too where that is known."""
    tell(run, state="failed", message=message, message_zh=zh)


def trained_already(run: Run) -> InputError:
    """The error of a run that another process works on."""
    pid = run.status.get("pid", "another process")
    return InputError(f"{run.name} is being trained already (process {pid})", f"{run.name} 已在训练（进程 {pid}）")


def _reason(error: BaseException | None) -> tuple[str, str]:
    """Why a session ended, in English and, where that is known, in Chinese."""
    if error is None:
        return "ended without a result", "没有结果就结束了"
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", "已中断"
    line = _first_line(str(error))
    if isinstance(error, InputError) and line:
        return line, _first_line(error.zh)
    return f"{type(error).__name__}: {line}", ""


def _first_line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "")
