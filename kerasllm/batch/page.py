"""A batch's page: one self-contained HTML file, with no network and no script; and the table beside it as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from kerasllm.batch.results import Group, Results, as_csv, rows
from kerasllm.run import files
from kerasllm.spoken import language, said

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe and Ito
WIDTH, HEIGHT, MARGIN = 640, 320, 48
MOST_CURVES = 12  # groups drawn: the best ones
STYLE = """body{font:15px system-ui,sans-serif;margin:2em;color:#222}table{border-collapse:collapse;margin:1em 0}
th,td{padding:.25em .7em;border-bottom:1px solid #ddd;text-align:left}.best{background:#e8f3ec}
td.number{text-align:right;font-variant-numeric:tabular-nums}"""


def write(results: Results) -> None:
    """Replace table.csv and table.html in the batch's folder."""
    table = rows(results.batch)
    files.replace_text(results.batch.path / "table.csv", as_csv(table))
    files.replace_text(results.batch.path / "table.html", page(results, table))


def page(results: Results, table: Sequence[dict[str, Any]]) -> str:
    """The page's HTML."""
    batch = results.batch
    parts = [
        f"<!doctype html><html lang={language()}><meta charset=utf-8>",
        f"<title>{escape(batch.name)}</title><style>{STYLE}</style>",
        f"<h1>{escape(batch.name)}</h1><p>{escape(batch.asked['source'])}",
        said(f": {len(table)} runs.</p>", f"：{len(table)} 次运行。</p>"),
    ]
    if results.main:
        english, chinese = results.shown()
        direction, zh = ("smaller", "越小越好") if results.smaller_is_better else ("larger", "越大越好")
        words = said(f"{english} ({direction} is better)", f"{chinese}（{zh}）")
        parts.append(f"<h2>{escape(words)}</h2>{_groups(results)}")
    parts.append(_curves(results))
    runs = _rows(table, results.best.name if results.best else "")
    parts.append(f"<h2>{said('Runs', '各次运行')}</h2>{runs}</html>")
    return "\n".join(parts)


def _groups(results: Results) -> str:
    names = (*results.batch.varied, results.main, "±", said("runs", "运行"))
    head = "".join(f"<th>{escape(name)}" for name in names)
    body = []
    for group in results.ranked():
        best = " class=best" if results.best in group.runs else ""
        of = f"{len(group.values)} {said('of', '/')} {len(group.runs)}"
        cells = [*group.parameters.values(), group.mean, group.spread, of]
        body.append(f"<tr{best}>{''.join(map(_cell, cells))}")
    return f"<table><tr>{head}{''.join(body)}</table>"


def _rows(table: Sequence[dict[str, Any]], best: str) -> str:
    names = list(dict.fromkeys(name for row in table for name in row))
    head = "".join(f"<th>{escape(name)}" for name in names)
    body = [
        f"<tr{' class=best' if row['run'] == best else ''}>{''.join(_cell(row.get(name)) for name in names)}"
        for row in table
    ]
    return f"<table><tr>{head}{''.join(body)}</table>"


def _cell(value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"<td class=number>{value:.6g}" if isinstance(value, float) else f"<td class=number>{value}"
    return f"<td>{'' if value is None else escape(str(value))}"


def _curves(results: Results) -> str:
    """The loss over the epochs: per set of parameters the seeds' mean as a line, their range as a band."""
    for metric in ("val_loss", "loss"):
        drawn = [(group, band) for group in results.ranked()[:MOST_CURVES] if (band := _band(group, metric))]
        if drawn:
            break
    else:
        return ""
    last = max(epoch for _, band in drawn for epoch, *_ in band)
    low = min(lowest for _, band in drawn for _, lowest, _, _ in band)
    high = max(highest for _, band in drawn for *_, highest in band)

    def place(epoch: float, value: float) -> str:
        x = MARGIN + (WIDTH - 2 * MARGIN) * (epoch - 1) / max(last - 1, 1)
        y = HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * (value - low) / ((high - low) or 1)
        return f"{x:.1f},{y:.1f}"

    shapes, legend = [], []
    for number, (group, band) in enumerate(drawn):
        colour = COLOURS[number % len(COLOURS)]
        dash = " stroke-dasharray='6 3'" if number >= len(COLOURS) else ""
        around = [place(epoch, top) for epoch, _, _, top in band]
        around += [place(epoch, bottom) for epoch, bottom, _, _ in reversed(band)]
        line = " ".join(place(epoch, mean) for epoch, _, mean, _ in band)
        shapes.append(f"<polygon points='{' '.join(around)}' fill='{colour}' opacity='.15'/>")
        shapes.append(f"<polyline points='{line}' fill='none' stroke='{colour}' stroke-width='2'{dash}/>")
        if len(band) == 1:  # of which a line shows nothing
            x, y = line.split(",")
            shapes.append(f"<circle cx='{x}' cy='{y}' r='3' fill='{colour}'/>")
        words = ", ".join(f"{name}={value}" for name, value in group.parameters.items()) or said("all runs", "全部运行")
        legend.append(f"<li style='color:{colour}'>{escape(words)}")
    frame = f"M{MARGIN},{MARGIN}V{HEIGHT - MARGIN}H{WIDTH - MARGIN}"
    words, end = said(": the seeds' mean, and their range", "：各随机种子的均值与范围"), said("epoch", "轮次")
    texts = [
        f"<text x='{MARGIN - 6}' y='{MARGIN + 4}' text-anchor='end'>{high:.3g}</text>",
        f"<text x='{MARGIN - 6}' y='{HEIGHT - MARGIN}' text-anchor='end'>{low:.3g}</text>",
        f"<text x='{WIDTH - MARGIN}' y='{HEIGHT - MARGIN + 18}' text-anchor='end'>{end} {last}</text>",
    ]
    return (
        f"<h2>{metric}{words}</h2>"
        f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' width='{WIDTH}' role='img' font-size='12'>"
        f"<path d='{frame}' fill='none' stroke='#888'/>{''.join(shapes)}{''.join(texts)}</svg>"
        f"<ul>{''.join(legend)}</ul>"
    )


def _band(group: Group, metric: str) -> list[tuple[int, float, float, float]]:
    """(epoch, smallest, mean, largest) over the group's runs that have the epoch."""
    values: dict[int, list[float]] = {}
    for run in group.runs:
        for line in run.epochs:
            if line.get(metric) is not None:
                values.setdefault(line["epoch"], []).append(line[metric])
    return [(epoch, min(found), sum(found) / len(found), max(found)) for epoch, found in sorted(values.items())]
