"""RunView and Compare in a real JupyterLab: whatever becomes of a run, and however long it is."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import nbformat
import pytest
from kerasllm_widgets.curve import MOST
from kerasllm_widgets.view import POLL
from nbformat import NotebookNode
from playwright.sync_api import Page, expect

from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.run import Run, create, files
from tests.lab.pages import TRAINING, button, dark, messages, open_panel, run_cell, serious, state
from tests.lab.server import Server
from tests.lab.written import LIVES, SILENT

pytestmark = pytest.mark.slow

MARKUP = "<img src=x onerror=document.title='hacked'>"
EPOCHS, STEPS = 20_000, 100_000
LARGEST = 50_000  # bytes of a message about a run of any length


def written(lab: Server, name: str) -> Run:
    """A run that nobody trains; the test writes its folder."""
    return create(LinearRegression(), lab.runs, name)


def tell(run: Run, now: str, **status: Any) -> None:
    """Write what a trainer would, as this process, which lives."""
    status = {**LIVES, "state": now, **status}
    files.replace_json(run.path / "status.json", status)


def stills(cell: NotebookNode) -> list[str]:
    """The outputs of a cell that need no kernel."""
    outputs = (str(output.get("data", {}).get("text/html", "")) for output in cell.outputs)
    return [output for output in outputs if "kerasllm-still" in output]


def lines(first: int, last: int, metric: str = "loss") -> str:
    """What a training appends to history.jsonl in these epochs."""
    epochs = (
        {"kind": "epoch", "epoch": n, "step": 5 * n, "time": n, metric: 1 / n, f"val_{metric}": 2 / n}
        for n in range(first, last + 1)
    )
    return "".join(json.dumps(epoch) + "\n" for epoch in epochs)


def test_a_view_tells_what_becomes_of_a_run_and_takes_no_text_for_markup(lab: Server, page: Page) -> None:
    run = written(lab, "watched")
    tell(run, "running", phase="compiling", note=MARKUP)
    open_panel(page, lab, "watched.ipynb", 'from kerasllm_widgets import RunView\nRunView("watched")')
    view = page.locator(".kl-run")
    expect(view.locator(".kl-state")).to_have_text("compiling")
    (run.path / "history.jsonl").write_text(lines(1, 3) + lines(4, 6, MARKUP))
    tell(run, "running", phase="training", epoch=6, epochs=10, step=30, steps=50, eta=65.0)
    expect(view).to_contain_text("epoch 7 of 10")
    expect(view).to_contain_text("1 min 5 s left")
    expect(view.locator("progress")).to_have_js_property("value", 30)
    expect(view.locator("figcaption")).to_contain_text(["loss", MARKUP])

    files.replace_text(run.path / "log.txt", "Traceback …\nkerasllm: loss is nan")
    tell(run, "failed", message=f"loss is nan {MARKUP}")
    expect(view.locator(".kl-state")).to_have_text("failed")
    expect(view.get_by_role("alert")).to_have_text(f"loss is nan {MARKUP}")
    view.get_by_text("Details").click()
    expect(view.locator(".kl-log")).to_have_text("Traceback …\nkerasllm: loss is nan")
    expect(button(page, "Stop")).to_be_hidden()

    tell(run, "running", **SILENT)
    expect(view.locator(".kl-state")).to_have_text("stalled")
    expect(button(page, "Stop")).to_be_enabled()

    tell(run, "running", pid=1 << 22)  # above the largest pid
    expect(view.locator(".kl-state")).to_have_text("its process is gone")
    expect(button(page, "Resume")).to_be_enabled()
    expect(button(page, "Stop")).to_be_hidden()

    scores = {"main": MARKUP, "rows": 4, MARKUP: 0.75, "per_class": {MARKUP: {}, "other": {}}}
    report = {"split": "test", "splits": {"test": {**scores, "confusion_matrix": [[2, 1], [0, 1]]}}}
    files.replace_json(run.path / "card.json", {"warnings": [MARKUP]})
    files.replace_json(run.path / "scores.json", report)
    tell(run, "completed")
    expect(view.locator(".kl-confusion")).to_contain_text(MARKUP)
    expect(view.locator(".kl-confusion tbody td")).to_have_text(["2", "1", "", "1"])
    expect(view.locator(".kl-main")).to_contain_text("0.75")
    view.get_by_text("Notes on the data").click()
    expect(view.locator("li")).to_have_text(MARKUP)
    assert serious(page, ".kl-widget") == []
    with dark(page, ".kl-box"):
        assert serious(page, ".kl-widget") == []
    page.set_viewport_size({"width": 640, "height": 1000})  # what does not fit scrolls, by the keyboard too
    wide = "part => part.scrollWidth > part.clientWidth"
    assert view.get_by_role("region", name="Confusion matrix").evaluate(wide)
    assert view.get_by_role("region", name="Scores").evaluate(wide)
    assert serious(page, ".kl-widget") == []
    expect(page.locator("img[src=x]")).to_have_count(0)
    assert page.title() != "hacked"


def test_a_run_of_100_000_steps_stays_small_in_the_browser_while_it_grows(lab: Server, page: Page) -> None:
    run = written(lab, "long")
    history = run.path / "history.jsonl"
    history.write_text(lines(1, EPOCHS // 2))
    tell(run, "running", phase="training", epoch=EPOCHS // 2, epochs=EPOCHS, step=STEPS // 2, steps=STEPS)
    heard = messages(page, "framereceived")
    open_panel(page, lab, "long.ipynb", 'from kerasllm_widgets import RunView\nRunView("long")')
    chart = page.locator(".kl-chart").first
    expect(chart.locator("path.kl-line-1")).to_be_attached()
    began, before = time.monotonic(), len(heard)
    for last in range(EPOCHS // 2 + 1000, EPOCHS + 1, 1000):
        with history.open("a") as file:
            file.write(lines(last - 999, last))
        tell(run, "running", phase="training", epoch=last, epochs=EPOCHS, step=5 * last, steps=STEPS)
        expect(page.locator(".kl-run progress")).to_have_js_property("value", 5 * last)
    seconds = time.monotonic() - began
    # A training writes more often than it is looked at; so does this loop.
    updates = {message for message in heard[before:] if b"comm_msg" in message}  # Lab listens by two sockets
    assert 0 < len(updates) <= (seconds + 1) / POLL
    tell(run, "completed")
    state(page, "completed")
    expect(chart).to_have_attribute("aria-label", re.compile(r"^loss: training 0.00005, validation 0.0001\."))
    for line in chart.locator("path[class^=kl-line]").all():
        assert MOST / 4 < str(line.get_attribute("d")).count("L") <= MOST
    assert max(map(len, updates)) < LARGEST
    right = "svg => Math.max(...[...svg.querySelectorAll('text')].map(text => text.getBBox().x + text.getBBox().width))"
    assert chart.evaluate(right) <= chart.evaluate("svg => svg.viewBox.baseVal.width")
    chart.focus()
    page.keyboard.press("End")
    expect(page.locator(".kl-figure [aria-live]").first).to_contain_text(f"epoch {EPOCHS}: ")


def test_a_view_of_a_kernels_run_is_live_and_two_runs_are_compared_to_the_row(lab: Server, page: Page) -> None:
    """The runs are trained in the kernel, from a cell: the views do not mind."""
    train = (
        "from kerasllm.recipes.text_classifier import TextClassifier\nfrom kerasllm_widgets import Compare, RunView\n"
        'for n in (1, 3):\n    TextClassifier(epochs=n, validation="0.2").train(name=f"run{n}")\nRunView("run3")'
    )
    playground = 'from kerasllm_widgets import Playground\nPlayground("run1")'
    open_panel(page, lab, "views.ipynb", train, 'Compare("run1", "run3")', playground)
    state(page, "completed")
    expect(page.locator(".kl-chart .kl-line-1").first).to_be_attached()
    drawn = page.locator(".kl-run figcaption > span")
    expect(drawn).to_have_count(2)
    assert set(drawn.all_inner_texts()) == {"accuracy", "loss"}
    run_cell(page, 1)
    compared = page.locator("section[aria-label=Compare]")
    expect(compared.locator("tr", has_text="epochs").locator("td")).to_have_text(["1", "3"], timeout=TRAINING)
    accuracy = [f"{Run(lab.runs / name).scores['accuracy']:.4g}" for name in ("run1", "run3")]
    scores = compared.get_by_role("region", name="Scores")
    expect(
        scores.locator("tr", has=page.get_by_role("rowheader", name="accuracy", exact=True)).locator("td")
    ).to_have_text(accuracy)
    curve = compared.locator("figure", has_text="accuracy")
    expect(curve.locator(".kl-legend > span")).to_have_text(["run1", "run3"])
    expect(curve.locator(".kl-chart > .kl-line-0, .kl-chart > .kl-line-1")).to_have_count(2)
    button(page, "Rows whose verdict flipped").click()
    flips = compared.get_by_role("region", name="Rows whose verdict flipped").locator("tbody tr")
    expect(flips.first).to_be_visible(timeout=TRAINING)
    cells = flips.evaluate_all("rows => rows.map(row => [...row.cells].map(cell => cell.innerText))")
    for _, truth, *verdicts in cells:
        assert verdicts[0] != verdicts[1]
        assert all(verdict == ("✓" if verdict[2:] == truth else "✗") + verdict[1:] for verdict in verdicts)
    expect(compared).to_contain_text(f"{len(cells)} / 310 rows")
    run_cell(page, 2)
    page.get_by_label("Your text").fill("Where is my parcel?")
    expect(page.locator(".kl-shares li").first).to_contain_text("%", timeout=TRAINING)
    assert serious(page, ".kl-widget") == []
    # What is kept of each for a notebook without a kernel.
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save').then(() => null)")
    told = [stills(cell) for cell in nbformat.read(lab.root / "views.ipynb", as_version=4).cells]
    assert [len(one) for one in told] == [1, 1, 1]
    for names, still in zip((["run3"], ["run1", "run3"], ["run1"]), told, strict=True):
        assert all(word in still[0] for word in [*names, "accuracy", "Run this cell again"])
