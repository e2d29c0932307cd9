"""The process that works on a run: whether it is still there, and how it takes a Ctrl-C."""

from __future__ import annotations

import os
import platform
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

HEARTBEAT = 1.0  # seconds between two writings of status.json
STALLED = 10.0  # seconds without a heartbeat after which a living process is said to be stalled
SILENCE = 60.0  # seconds without a heartbeat, from another host, after which its process counts as gone


def myself() -> dict[str, Any]:
    """This process, so that another can tell whether it still runs (a pid alone may be used again)."""
    import psutil

    started = psutil.Process().create_time()
    return {"pid": os.getpid(), "pid_started": started, "host": platform.node()}


def is_alive(status: dict[str, Any]) -> bool:
    """Whether the process named in a status is alive: by pid and start time here, by heartbeat elsewhere."""
    if status.get("host") != platform.node():
        return time.time() - status.get("heartbeat", 0) < SILENCE
    if "pid" not in status or "pid_started" not in status:
        return False
    import psutil

    try:
        process = psutil.Process(status["pid"])
        # Start times are read off the same clock, but some systems round them.
        same = abs(process.create_time() - status["pid_started"]) < 1
        return same and process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except (psutil.NoSuchProcess, ValueError, OverflowError):  # the latter two: no number of a process
        return False


def is_stalled(status: dict[str, Any]) -> bool:
    """Whether the process named in a status, which is alive, has long been silent: it hangs, or is suspended."""
    return time.time() - status.get("heartbeat", 0) > STALLED


@contextmanager
def interrupts(first: Callable[[], None]) -> Iterator[None]:
    """Take the first Ctrl-C, kernel interrupt or SIGTERM as a wish that `first` hears; a second interrupts at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = False

    def hear(number: int, frame: FrameType | None) -> None:
        nonlocal heard
        if heard:
            raise KeyboardInterrupt
        heard = True
        first()

    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
