"""A run's progress on stdout: a bar on a terminal, plain lines when piped."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any

from kerasllm.cli.speech import word
from kerasllm.data.card import render
from kerasllm.run import Run, watch
from kerasllm.spoken import language, said

SHOWN = 20  # epochs told of a training


def draw(run: Run, until: threading.Event | None = None) -> None:
    """Draw a run's progress on stdout: with the time left on a terminal, plain lines when piped."""
    if sys.stdout.isatty():
        _draw_live(run, until)
        return
    phase = ""
    for lines, look in _news(run, until):
        for line in lines:
            print(line, flush=True)
        if look["status"].get("phase", "") not in ("", phase):
            phase = look["status"]["phase"]
            print(word(phase), flush=True)


def _draw_live(run: Run, until: threading.Event | None) -> None:
    from rich.progress import BarColumn, Progress, TextColumn

    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}")
    with Progress(*columns) as progress:
        task = progress.add_task(word("queued"), total=None, left="")
        for lines, look in _news(run, until):
            for line in lines:
                progress.console.print(line, markup=False, highlight=False)
            status = look["status"]
            name = look["state"] if look["state"] == "stopping" else status.get("phase") or look["state"]
            words = word(name)
            if name == "training":
                words = f"{said('epoch', '轮')} {min(status['epoch'] + 1, status['epochs'])}/{status['epochs']}"
            left = _left(status["eta"]) if status.get("eta") is not None else ""
            done, total = status.get("step"), status.get("steps")
            progress.update(task, description=words, completed=done, total=total, left=left)


def _news(run: Run, until: threading.Event | None) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """What is new at each look, as lines, and the look itself."""
    old, told = bool(run.epochs), set[str]()
    for look in watch(run, until=until):
        epochs = () if old else look["epochs"]  # those before we came are not told again
        old = False
        shown = [epoch for epoch in epochs if _is_shown(epoch["epoch"], look["status"].get("epochs", 1))]
        yield [*_notes(run, look["status"], told), *map(_epoch, shown)], look


def _notes(run: Run, status: dict[str, Any], told: set[str]) -> Iterator[str]:
    """The data card, the device, and what is to be noted of the session, each once."""
    if "card" not in told and run.card:
        told.add("card")
        yield render(run.card, language())
    for line in device_notes(status):
        if line not in told:
            told.add(line)
            yield line


def device_notes(status: dict[str, Any]) -> list[str]:
    """On what a run trains, and what is to be noted of that."""
    english = status.get("note", "")
    note = said(english, status.get("note_zh") or english)
    shown = {said("device", "设备"): status.get("device"), said("note", "提示"): note}
    return [f"{name}: {told}" for name, told in shown.items() if told]


def _is_shown(epoch: int, epochs: int) -> bool:
    """Of a long training about SHOWN epochs are told, evenly, the last one among them."""
    return epoch == epochs or epoch % -(-epochs // SHOWN) == 0


def _epoch(line: dict[str, Any]) -> str:
    shown = {name: value for name, value in line.items() if name not in ("kind", "epoch", "step", "time")}
    texts = (f"{name} {value:.6g}" if isinstance(value, float) else f"{name} {value}" for name, value in shown.items())
    return f"{said('epoch', '轮')} {line['epoch']}: " + "  ".join(texts)


def _left(seconds: float) -> str:
    duration = _duration(seconds)
    return said(f"{duration} left", f"剩余 {duration}")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return said(f"{hours} h {minutes} min", f"{hours} 小时 {minutes} 分")
    return said(f"{minutes} min {rest} s", f"{minutes} 分 {rest} 秒") if minutes else said(f"{rest} s", f"{rest} 秒")
