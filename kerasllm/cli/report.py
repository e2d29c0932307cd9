"""How the command line follows a run and reports it: its state, its scores, and the JSON line at the end."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from kerasllm.cli.progress import draw
from kerasllm.cli.speech import word
from kerasllm.run import Run, files
from kerasllm.spoken import message, said

STOPPED = 130  # as a shell reports Ctrl-C


def follow(run: Run, work: Callable[[], Run], json: bool) -> int:
    """Work on a run while another thread draws it from its folder; Ctrl-C asks the work to stop."""

    def follow() -> None:
        with suppress(BrokenPipeError):  # nobody reads any more: the main thread meets it too
            draw(run, ended)

    ended = threading.Event()
    drawer = threading.Thread(target=follow, daemon=True)
    drawer.start()
    try:
        work()
    finally:
        ended.set()
        drawer.join()
    return report(run, json)


def report(run: Run, json: bool) -> int:
    print(f"{run.path}: {state(run)}")
    print_scores({**run.scores, **run.report.get("speed", {})})
    finish(json, summary(run))
    return STOPPED if run.state == "stopped" else 0 if run.state == "completed" else 1


def state(run: Run) -> str:
    status, state = run.status, run.state
    if state == "gone":
        cure = f"`kerasllm resume {run.name}`"
        return said(f"its process is gone; {cure} goes on", f"进程已不在；{cure} 可以继续")
    why = message(status)
    return f"{word(state)} ({why})" if why else word(state)


def summary(run: Run) -> dict[str, Any]:
    return {"run": str(run.path), "state": run.state, "scores": run.scores}


def print_scores(scores: dict[str, Any]) -> None:
    if "split" in scores:
        print(said(f"  on the {scores['split']} rows:", f"  {word(scores['split'])}集上:"))
    for name, value in scores.items():
        if isinstance(value, (int, float)):
            print(f"  {name} {number(value)}")


def line(answer: dict[str, Any]) -> str:
    if "probabilities" in answer:
        likely = list(answer["probabilities"].items())[:3]
        of = f"{answer['picture']}: " if "picture" in answer else ""
        first = answer["label"] if "label" in answer else repr(answer["next"])
        return f"{of}{first}  ({', '.join(f'{name} {share:.3f}' for name, share in likely)})"
    return "  ".join(f"{name} {number(value)}" for name, value in answer.items())


def cell(value: Any) -> str:
    return number(value) if isinstance(value, float) else "" if value is None else str(value)


def number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def finish(wanted: bool, content: dict[str, Any]) -> None:
    if wanted:
        is_utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
        print(json.dumps(files.finite(content), ensure_ascii=not is_utf8))
