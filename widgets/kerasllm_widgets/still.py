"""The still: a separate static output beside a live view, which a reopened notebook shows without a kernel.

It holds what a person would want to keep: the run's state, its scores, and the curve as a picture. Every text in it
is escaped; notebooks that are not trusted show it too, since it needs no script.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from html import escape
from typing import Any

from kerasllm.evaluate import flat
from kerasllm.run import Run
from kerasllm.spoken import named
from kerasllm_widgets import cells
from kerasllm_widgets.curve import Curve

WORDS = {
    "again": ("Run this cell again for the live view.", "重新运行此单元格即可恢复实时视图。"),
    "curve": ("loss over the epochs", "各轮的损失"),
    "train": ("training", "训练"),
    "gone": ("its process is gone", "进程已消失"),
}
# Seen on white and on dark grey alike: a still cannot ask for the theme.
COLOURS = {"train": "#2f86c9", "validation": "#d9680f"}
WIDTH, HEIGHT = 420, 180


class Still:
    """A static output that is replaced in place as the run goes on."""

    def __init__(self, content: Callable[[], str]):
        self._content = content
        self._made = cells.here()
        self._handle: Any = None
        self._shown = ""

    def display(self, view: Any) -> None:
        """Put a live view and, as an output of its own, the still into the cell."""
        from IPython.display import HTML, display

        cells.show(view, self._made)
        bundle = view._repr_mimebundle_() or {}  # anywidget's comes with metadata, ipywidgets' without
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        display(data, metadata=metadata, raw=True)
        self._shown = self._content()
        self._handle = display(HTML(self._shown), display_id=True)

    def update(self) -> None:
        """Replace it, where it is displayed and has changed."""
        from IPython.display import HTML

        if self._handle and (content := self._content()) != self._shown:
            self._shown = content
            self._handle.update(HTML(content))


def html(run: Run, language: str = "en", curve: dict[str, Any] | None = None) -> str:
    """A run as static HTML: some kilobytes, whatever the run's length. A view that has the curve gives it."""
    if curve is None:
        read = Curve()
        read.add(run.epochs)
        curve = read.drawn()
    status, scores = run.status, run.report.get("splits", {})
    told = (language == "zh" and status.get("message_zh")) or status.get("message")
    message = f" ({escape(told)})" if told else ""
    heading = f"<strong>{escape(run.name)}</strong> · {escape(run.asked['recipe'])}: {said(run.state, language)}"
    return wrapped(f"<div>{heading}{message}</div>{_table(scores, language)}{_picture(curve, language)}", language)


def wrapped(content: str, language: str = "en") -> str:
    """Content with the hint how the live view comes back; the class lets a live view hide it."""
    return f'<div class="kerasllm-still">{content}<div><em>{said("again", language)}</em></div></div>'


def said(word: str, language: str) -> str:
    """A word in the language."""
    return WORDS[word][language == "zh"] if word in WORDS else escape(named(word, language))


def _table(splits: dict[str, dict[str, Any]], language: str) -> str:
    """A row per score, a column per split."""
    if not splits:
        return ""
    plain = {name: flat(scores) for name, scores in splits.items()}
    names = dict.fromkeys(name for scores in plain.values() for name in scores if name != "main")
    head = "".join(f'<th scope="col">{said(split, language)}</th>' for split in plain)
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{number(scores.get(name))}</td>" for scores in plain.values())
        + "</tr>"
        for name in names
    )
    return f"<table><thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table>"


def number(value: Any) -> str:
    """A value of a table's cell."""
    return "" if value is None else escape(f"{value:.6g}" if isinstance(value, float) else str(value))


def _picture(curve: dict[str, Any], language: str) -> str:
    """The loss as an image: sanitized outputs keep images and drop drawings."""
    lines = curve.get("loss")
    if not lines:
        return ""
    data = base64.b64encode(_svg(lines, language).encode()).decode()
    alt = said("curve", language)
    return f'<img alt="{alt}" width="{WIDTH}" height="{HEIGHT}" src="data:image/svg+xml;base64,{data}">'


def _svg(lines: dict[str, list[list[float]]], language: str) -> str:
    xs = [x for line in lines.values() for x in line[0]]
    ys = [y for line in lines.values() for y in line[1]]
    left, right, top, bottom = 48, WIDTH - 10, 22, HEIGHT - 24
    low, high = min(ys), max(ys)
    first, last = min(xs), max(xs)

    def x(value: float) -> float:
        return left + (right - left) * ((value - first) / (last - first) if last > first else 0.5)

    def y(value: float) -> float:
        return bottom - (bottom - top) * ((value - low) / (high - low) if high > low else 0.5)

    parts, place = [], left
    for name, (across, up) in lines.items():
        points = [f"{x(a):.1f},{y(b):.1f}" for a, b in zip(across, up, strict=True)]
        dashes = ' stroke-dasharray="5 3"' if name == "validation" else ""
        style = f'fill="none" stroke="{COLOURS[name]}" stroke-width="2"{dashes}'
        if len(points) == 1:
            parts.append(f'<circle cx="{points[0].split(",")[0]}" cy="{points[0].split(",")[1]}" r="3" {style}/>')
        else:
            parts.append(f'<polyline points="{" ".join(points)}" {style}/>')
        parts.append(f'<text x="{place}" y="13" fill="{COLOURS[name]}">loss, {said(name, language)}</text>')
        place += 120
    axis = f'<path d="M{left} {top}V{bottom}H{right}" fill="none" stroke="#888"/>'
    marks = "".join(
        f'<text x="{across}" y="{down}" fill="#888" text-anchor="{anchor}">{text:.4g}</text>'
        for across, down, anchor, text in (
            (left - 4, top + 8, "end", high),
            (left - 4, bottom, "end", low),
            (left, HEIGHT - 8, "start", first),
            (right, HEIGHT - 8, "end", last),
        )
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="11">{axis}{marks}{"".join(parts)}</svg>'
    )
