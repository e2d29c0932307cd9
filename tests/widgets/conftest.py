"""What the tests of the views share: a browser's clicks, waiting, and no child process left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ipywidgets import Widget
from kerasllm_widgets import children

LONG = {"epochs": "100000", "batch_size": "32"}  # typed, for a training that lasts


def wait(until: Callable[[], Any], seconds: float = 90) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := until():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def click(widget: Any, what: str, **more: Any) -> None:
    """As a message from the browser."""
    widget._handle_custom_msg({"do": what, **more}, [])


def type_(panel: Any, **values: Any) -> None:
    """As a person types into its form."""
    panel.form.values = {**panel.form.values, **values}


def wait_for_threads() -> None:
    """Until no thread of a panel is at work."""
    for thread in threading.enumerate():
        if thread.name == "kerasllm-panel":
            thread.join(20)


@pytest.fixture(autouse=True)
def no_child_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Trainers and workers that a test has started end with it, and these alone."""
    monkeypatch.setattr(children, "_parked", None)
    monkeypatch.setattr(children, "_trainers", {})
    monkeypatch.setattr(children, "_answering", {})
    yield
    Widget.close_all()
    for thread in threading.enumerate():
        if thread.name == "kerasllm-panel":  # it may be about to park a worker
            thread.join(60)
    with children._lock:  # those that nobody asks any more are just going
        answering = [one.worker for one in children._answering.values()]
    for worker in (children._parked, *answering):
        if worker:
            worker.dismiss()
    for process, _ in children._trainers.values():
        if process.poll() is None:
            process.terminate()
            process.wait(30)
