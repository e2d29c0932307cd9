"""The cell that makes views: run again, it closes those it made before, and with them their threads and processes."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any

_shown: dict[str, tuple[str, list[Any]]] = {}  # of each cell its last execution that showed views, and these


def here() -> tuple[str, str]:
    """The cell that is being executed and this execution of it, "" where nobody tells."""
    from IPython import get_ipython

    parent: dict[str, Any] = getattr(get_ipython(), "get_parent", dict)()  # only a kernel's shell has one
    return parent.get("metadata", {}).get("cellId", ""), parent.get("header", {}).get("msg_id", "")


def show(view: Any, made: tuple[str, str]) -> None:
    """Let a view take the place of those that an earlier execution of its cell made.

    `made` is where the view was made. One that was made elsewhere, and is shown here by its variable, takes no place.
    """
    cell, execution = made
    if not cell or made != here():
        return
    before, views = _shown.get(cell, ("", []))
    if before != execution:
        for old in views:
            old.close()
        views = []
    _shown[cell] = execution, [*views, view]


def in_thread(name: str, work: Callable[..., None], *given: Any) -> None:
    """Work in a thread under this cell's context: what it displays would drift to whichever cell ran last."""
    run = contextvars.copy_context().run
    threading.Thread(target=run, args=(work, *given), name=f"kerasllm-{name}", daemon=True).start()
