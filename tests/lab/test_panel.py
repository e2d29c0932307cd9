"""The views of a notebook in a real JupyterLab and a real browser, end to end."""

from __future__ import annotations

import re

import nbformat
import pytest
from kerasllm_widgets.mark import MARK
from playwright.sync_api import Page, expect

from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.run import Run, create, files
from tests.lab.pages import (
    READY,
    TRAINING,
    Told,
    button,
    dark,
    fill,
    open_notebook,
    open_panel,
    run_cell,
    serious,
    state,
)
from tests.lab.server import Server
from tests.lab.written import tell

pytestmark = pytest.mark.slow

PANEL = 'from kerasllm_widgets import Panel\nPanel("linear_regression")'
MARKUP = "<img src=x onerror=document.title='hacked'>"
AT_ONCE = 500  # milliseconds from a click on Stop until the panel says that it stops


def test_train_watch_stop_resume_and_try(lab: Server, page: Page) -> None:
    open_panel(page, lab, "panel.ipynb", PANEL)
    fill(page, epochs="400")
    button(page, "Train").click()
    line = page.locator(".kl-chart path.kl-line-0").first
    expect(line).to_be_attached(timeout=TRAINING)
    state(page, "running")
    expect(line).not_to_have_attribute("d", line.get_attribute("d") or "")
    expect(button(page, "Train")).to_have_attribute("aria-disabled", "true")
    button(page, "Stop").click()
    page.wait_for_selector(".kl-state[data-state=stopping], .kl-state[data-state=stopped]", timeout=1500)
    state(page, "stopped")
    expect(button(page, "Resume")).to_be_focused()  # the focus goes on when Stop goes
    page.keyboard.press("Enter")
    state(page, "running")
    expect(button(page, "Stop")).to_be_focused()
    state(page, "completed")
    expect(page.locator(".kl-result .kl-main")).to_be_visible()
    expect(page.locator(".kl-result")).to_contain_text("Scores")
    expect(page.locator(".kl-run .kl-help").first).to_have_text(re.compile(r"^trained on \S"))
    page.get_by_text(re.compile(r"^Figures")).click()
    expect(page.locator(".kl-pictures img").first).to_be_visible()
    button(page, "Try it").click()
    page.locator(".kl-playground").get_by_label("area").fill("120")
    answer = page.locator(".kl-number b")
    expect(answer).to_be_visible(timeout=TRAINING)
    assert 100 < float(answer.inner_text()) < 400
    # The still is there for a notebook without a kernel, and hidden beside the live view.
    path = lab.root / "panel.ipynb"
    before = path.stat().st_mtime_ns
    page.locator(".jp-CodeCell .cm-content").click()
    page.keyboard.press("Control+s")
    while path.stat().st_mtime_ns == before:
        page.wait_for_timeout(100)
    expect(page.locator(".kerasllm-still").first).to_be_hidden()
    outputs = nbformat.read(path, as_version=4).cells[0].outputs
    stills = [output for output in outputs if "kerasllm-still" in str(output.get("data", {}).get("text/html", ""))]
    assert len(stills) == 1
    assert "rmse" in str(stills[0]["data"]["text/html"])
    assert path.stat().st_size < 200_000
    # Reopened with no kernel, the notebook shows the still; the cell run again, the live view of the same run.
    page.evaluate("() => { void window.jupyterapp.commands.execute('kernelmenu:shutdown'); }")
    open_notebook(page, lab, "panel.ipynb")
    expect(page.locator(".kerasllm-still table").first).to_be_visible()
    run_cell(page)
    expect(page.locator(".kl-run:visible .kl-result .kl-main")).to_be_visible()


def test_a_training_leaves_the_kernel_free_answers_meanwhile_and_stops_at_once(lab: Server, page: Page) -> None:
    open_panel(page, lab, "busy.ipynb", PANEL, "print(6 * 7)", "import time\ntime.sleep(90)")
    fill(page, epochs="100000", checkpoint_minutes="0.01")
    told = Told(page, ".kl-state")
    button(page, "Train").click()
    state(page, "running")
    assert "Loading Keras…" in told.texts
    expect(page.locator(".kl-run")).to_contain_text(re.compile(r"\d (s|min) left"))
    run = Run(lab.runs / page.locator(".kl-run strong").first.inner_text())
    run_cell(page, 1)
    expect(page.locator(".jp-CodeCell").nth(1).locator(".jp-OutputArea-output")).to_have_text("42\n")

    button(page, "Try it").click()
    page.locator(".kl-playground").get_by_label("area").fill("120")
    expect(page.locator(".kl-number b")).to_be_visible(timeout=TRAINING)
    expect(page.locator(".kl-answer")).to_contain_text("answered by the last checkpoint of a run that goes on")

    busy = page.locator(".jp-CodeCell").nth(2)
    busy.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    expect(busy.locator(".jp-InputPrompt")).to_have_text("[*]:")
    assert run.state == "running"
    button(page, "Stop").click()
    assert told.since_click("stopping…") <= AT_ONCE
    for _ in range(300):
        if run.state == "stopped":
            break
        page.wait_for_timeout(100)
    assert run.state == "stopped"
    expect(busy.locator(".jp-InputPrompt")).to_have_text("[*]:")  # still busy


def test_a_wrong_value_is_named_under_its_field(lab: Server, page: Page) -> None:
    open_panel(page, lab, "wrong.ipynb", PANEL)
    fill(page, epochs="many")
    field = page.locator(".kl-field", has=page.get_by_label(re.compile("^epochs")))
    wrong, control = field.locator(".kl-wrong"), field.locator("input")
    expect(field.locator("label")).to_have_text("epochs 1..100000")
    expect(wrong).to_have_text("must be a whole number")
    expect(control).to_have_attribute("aria-invalid", "true")
    assert (wrong.get_attribute("id") or "?") in (control.get_attribute("aria-describedby") or "")
    button(page, "Train").click()
    expect(control).to_be_focused()
    expect(page.locator(".kl-run:visible")).to_have_count(0)


def test_columns_and_labels_with_markup_are_shown_as_text(lab: Server, page: Page) -> None:
    rows = "".join(f"{n},{MARKUP},{n % 7}\n" for n in range(40))
    (lab.root / "evil.csv").write_text(f"{MARKUP},kind,price\n{rows}")
    cell = (
        "from kerasllm.recipes.linear_regression import LinearRegression\nfrom kerasllm_widgets import Panel\n"
        'Panel(LinearRegression(data="evil.csv"))'
    )
    open_panel(page, lab, "evil.ipynb", cell)
    page.get_by_text("First rows").click()
    expect(page.locator(".kl-data th").first).to_have_text(MARKUP)
    expect(page.locator(".kl-data tbody tr")).to_have_count(20)  # of 40
    fill(page, drop="kind")  # unfolds it
    drop, picks = page.get_by_label(re.compile("^drop")), page.locator(".kl-field", has_text="drop").locator(".kl-pick")
    expect(picks).to_have_text([MARKUP, "kind", "price"])
    expect(picks.nth(1)).to_have_attribute("aria-pressed", "true")
    picks.nth(2).click()
    expect(drop).to_have_value("kind, price")
    picks.nth(1).click()
    expect(drop).to_have_value("price")
    expect(page.locator(".kl-pick[aria-pressed=true]")).to_have_text("price")
    picks.nth(2).click()
    target = page.get_by_label(re.compile("^target"))
    expect(target).to_contain_text(MARKUP)
    target.select_option(MARKUP)
    page.wait_for_timeout(500)
    assert page.title() != "hacked"
    expect(page.locator("img[src=x]")).to_have_count(0)


def test_the_keyboard_alone_is_enough(lab: Server, page: Page) -> None:
    open_panel(page, lab, "keys.ipynb", PANEL)
    page.get_by_label(re.compile("^data")).focus()
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        words = page.evaluate("() => (document.activeElement.labels?.[0] || document.activeElement).innerText.trim()")
        seen.append(words.split()[0] if words else "")
        if words == "Train":
            break
    assert {"target", "epochs", "learning_rate", "optimizer", "Advanced"} <= set(seen)
    page.keyboard.press("Enter")
    expect(button(page, "Train")).to_be_focused()
    state(page, "completed")
    page.locator(".kl-chart").first.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".kl-figure [aria-live]").first).to_contain_text("epoch")
    assert page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_chinese_browser_reads_chinese(lab: Server, page: Page) -> None:
    chinese = {"userAgent": page.evaluate("navigator.userAgent"), "acceptLanguage": "zh-CN"}
    page.context.new_cdp_session(page).send("Emulation.setUserAgentOverride", chinese)
    open_panel(page, lab, "zh.ipynb", PANEL)
    expect(button(page, "训练")).to_be_visible()
    expect(page.locator(".kl-group legend").first).to_contain_text("数据")
    page.locator("summary", has_text="数据卡").click()
    expect(page.locator(".kl-look .kl-log")).to_contain_text("目标 price: 均值")
    fill(page, epochs="x")
    expect(page.locator(".kl-has-mistake .kl-wrong")).to_have_text("必须是整数")


def test_a_panel_is_accessible_in_light_and_dark(lab: Server, page: Page) -> None:
    open_panel(page, lab, "dark.ipynb", PANEL)
    rows = page.get_by_label("batch_size rows · 1..1000000", exact=True)
    expect(rows).to_have_accessible_description("rows in one step of the optimizer")
    advanced = page.locator("summary", has_text="Advanced")
    field = page.get_by_label(re.compile("^checkpoint_minutes"))
    expect(field).to_be_hidden()
    for one in advanced.all():
        one.click()
    expect(field).to_be_visible()
    assert serious(page, ".kl-widget") == []
    with dark(page, ".kl-box"):
        assert serious(page, ".kl-widget") == []


def test_a_failure_is_one_line_and_its_traceback_is_there_on_request(lab: Server, page: Page) -> None:
    open_panel(page, lab, "fails.ipynb", PANEL)
    fill(page, learning_rate="10")  # the loss diverges
    button(page, "Train").click()
    state(page, "failed")
    problem = page.locator(".kl-problem:visible")
    expect(problem).to_be_visible()
    assert "\n" not in problem.inner_text()
    page.locator(".kl-run").get_by_text("Details").click()
    said = re.compile(r"^sample:houses: 100 rows\n.*\nkerasllm: loss is", re.DOTALL)
    expect(page.locator(".kl-run .kl-log")).to_contain_text(said)


def test_the_form_tells_of_data_and_time_and_becomes_a_notebook_that_runs(lab: Server, page: Page) -> None:
    for name, rows in (("flats", 50), ("sheds", 70)):
        (lab.root / f"{name}.csv").write_text("area,price\n" + "".join(f"{n},{2 * n + n % 7}\n" for n in range(rows)))
    again = 'from kerasllm_widgets import Panel\nPanel.from_notebook("mine.ipynb")'
    open_panel(page, lab, "save.ipynb", PANEL, again)
    card = page.locator("details", has=page.locator("summary", has_text="Data card"))
    for name, rows in (("sheds", "70 rows"), ("flats", "50 rows")):
        fill(page, data=f"{name}.csv")
        expect(card).not_to_have_attribute("open", "")  # it told of the file before
        card.locator("summary").click()
        expect(card).to_contain_text(rows)
    fill(page, epochs="17", validation="0.2", batch_size="10")
    button(page, "Estimate time").click()
    expect(page.locator(".kl-actions [role=status]")).to_have_text(
        re.compile(r"^about .*\d s \(51 steps\)$"), timeout=TRAINING
    )  # 30 rows to train on: 3 steps an epoch

    field = page.locator(".kl-name")
    for _ in range(2):
        offered = field.input_value()
        button(page, "Save as notebook").click()
        expect(page.locator(".kl-notice")).to_have_text(f"Saved as {offered}")
        expect(field).not_to_have_value(offered)
    field.fill("mine.ipynb")
    button(page, "Save as notebook").click()
    expect(page.locator(".kl-notice")).to_have_text("Saved as mine.ipynb")
    executed = lab.kerasllm("notebook", "mine.ipynb", "--name", "executed")
    run_cell(page, 1)
    expect(page.locator("form.kl-box")).to_have_count(2)
    expect(page.locator("form.kl-box").nth(1).get_by_label(re.compile("^epochs")).first).to_have_value("17")
    assert executed.wait(120) == 0
    run = Run(lab.runs / "executed")
    assert run.state == "completed"
    asked = run.asked["parameters"]
    assert (asked["epochs"], asked["batch_size"], run.status["step"]) == (17, 10, 51)
    assert asked["data"].endswith("flats.csv")


def test_a_notebook_that_was_renamed_shows_its_run_again(lab: Server, page: Page) -> None:
    path = lab.notebook("renamed.ipynb", PANEL)
    run = create(LinearRegression(), lab.runs, "before", "panel")
    tell(run)
    place = {"notebook": str(lab.root / "Untitled.ipynb"), "cell": nbformat.read(path, as_version=4).cells[0].id}
    files.replace_json(run.path / MARK, place)
    open_notebook(page, lab, "renamed.ipynb")
    run_cell(page)
    expect(page.locator(".kl-run strong").first).to_have_text("before", timeout=TRAINING)


def test_two_pages_watch_one_run_which_outlives_reload_and_kernel(lab: Server, page: Page) -> None:
    alone = 'from kerasllm_widgets import RunView\nRunView("last")'
    open_panel(page, lab, "lives.ipynb", PANEL, alone)
    fill(page, epochs="100000")
    button(page, "Train").click()
    state(page, "running")
    name = page.locator(".kl-run strong").first.inner_text()
    run = Run(lab.runs / name)

    other = page.context.new_page()
    open_panel(other, lab, "other.ipynb", f'from kerasllm_widgets import RunView\nRunView("{name}")')
    state(other, "running")

    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save').then(() => null)")
    page.reload()
    page.wait_for_selector(".kl-state[data-state=running]", timeout=TRAINING)  # the kernel still has the view
    page.evaluate(READY)
    run_cell(page, 1)
    boxes = page.locator(".kl-box:visible")
    expect(boxes).to_have_count(3)  # form, run, and the same run alone
    fill(page, epochs="99999")
    page.evaluate("() => { void window.jupyterapp.commands.execute('kernelmenu:restart'); }")  # it asks first
    page.get_by_role("dialog").get_by_role("button", name="Confirm Kernel Restart").click()
    epoch = run.status["epoch"]
    while run.status["epoch"] <= epoch:
        page.wait_for_timeout(100)
    assert run.state == "running"
    expect(boxes.get_by_role("alert").filter(has_text="Run this cell again for the live view.")).to_have_count(3)
    expect(page.get_by_label(re.compile("^epochs")).first).to_have_value("99999")
    for one in (button(page, "Train"), *button(page, "Stop").all()):
        expect(one).to_be_disabled()
    open_notebook(page, lab, "lives.ipynb")
    run_cell(page)
    state(page, "running")

    button(other, "Stop").click()
    state(other, "stopped")
    state(page, "stopped")
