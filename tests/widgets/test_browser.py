"""The views in a real JupyterLab and a real browser, end to end."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.widgets.browser import CHROMIUM, FLAGS, Lab, run_cell, server

sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="no chromium here")]

PANEL = 'from kerasllm_widgets import Panel\nPanel("linear_regression")'
MARKUP = "<img src=x onerror=document.title='hacked'>"
WAIT = 120_000  # milliseconds; a loaded machine imports Keras in half a minute


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("notebooks")
    with server(folder, home, KERASLLM_RUNS=str(folder / "runs")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A page that fails its test on an error in our scripts; what it looked like at the end is kept."""
    page = browser.new_page(viewport={"width": 1280, "height": 1400}, **getattr(request, "param", {}))
    page.set_default_timeout(WAIT)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.screenshot(path=tmp_path / "end.png")
    page.close()
    assert not [error for error in errors if "kl-" in error or "kerasllm" in error]


def open_panel(lab: Lab, page: Any, name: str, *cells: str) -> None:
    lab.notebook(name, *(cells or (PANEL,)))
    lab.open(page, name)
    run_cell(page)
    page.wait_for_selector("form.kl-box, .kl-run:visible")


def state(page: Any, *states: str) -> None:
    page.wait_for_selector(", ".join(f".kl-state[data-state={one}]" for one in states))


def fill(page: Any, label: str, value: str) -> None:
    page.get_by_label(re.compile(f"^{label}( |$)")).first.fill(value)


def test_train_watch_stop_resume_and_try(lab: Lab, page: Any) -> None:
    open_panel(lab, page, "panel.ipynb")
    fill(page, "epochs", "4000")
    fill(page, "batch_size", "32")
    page.locator(".kl-widget").get_by_role("button", name="Train").click()
    page.wait_for_selector(".kl-chart .kl-line-0")
    state(page, "running")
    before = page.locator(".kl-chart path.kl-line-0").first.get_attribute("d")
    page.wait_for_function(
        "before => document.querySelector('.kl-chart path.kl-line-0').getAttribute('d') !== before", arg=before
    )
    assert page.locator(".kl-widget").get_by_role("button", name="Train").is_disabled()
    page.locator(".kl-widget").get_by_role("button", name="Stop").click()
    page.wait_for_selector(".kl-state[data-state=stopping], .kl-state[data-state=stopped]", timeout=1500)
    state(page, "stopped")
    page.locator(".kl-widget").get_by_role("button", name="Resume").click()
    state(page, "running")
    state(page, "completed")
    page.wait_for_selector(".kl-result .kl-main")
    assert page.locator(".kl-result").inner_text().startswith("Scores")
    page.get_by_text(re.compile(r"^Figures")).click()
    page.wait_for_selector(".kl-pictures img")
    page.locator(".kl-widget").get_by_role("button", name="Try it").click()
    page.wait_for_selector(".kl-playground")
    page.locator(".kl-playground").get_by_label("area").fill("120")
    page.wait_for_selector(".kl-number b")
    assert 100 < float(page.locator(".kl-number b").inner_text()) < 400
    # The still is there for a notebook without a kernel, and hidden beside the live view.
    page.locator(".jp-CodeCell .cm-content").click()
    page.keyboard.press("Control+s")
    page.wait_for_timeout(1000)
    assert not page.locator(".kerasllm-still").first.is_visible()
    path = lab.folder / "panel.ipynb"
    outputs = nbformat.read(path, as_version=4).cells[0].outputs
    stills = [output for output in outputs if "kerasllm-still" in str(output.get("data", {}).get("text/html", ""))]
    assert len(stills) == 1
    assert "rmse" in str(stills[0]["data"]["text/html"])
    assert path.stat().st_size < 200_000
    # Reopened with no kernel, the notebook shows the still; the cell run again, the live view of the same run.
    page.evaluate("() => { void window.jupyterapp?.commands.execute('kernelmenu:shutdown'); }")
    lab.open(page, "panel.ipynb")
    page.wait_for_selector(".kerasllm-still table")
    run_cell(page)
    page.wait_for_selector(".kl-run:visible .kl-result .kl-main")


def test_a_wrong_value_is_named_under_its_field(lab: Lab, page: Any) -> None:
    open_panel(lab, page, "wrong.ipynb")
    fill(page, "epochs", "many")
    field = page.locator(".kl-field", has=page.get_by_label(re.compile("^epochs")))
    sync_api.expect(field.locator(".kl-wrong")).to_have_text("must be a whole number")
    assert field.locator("input").get_attribute("aria-invalid") == "true"
    assert field.locator(".kl-wrong").get_attribute("id") in field.locator("input").get_attribute("aria-describedby")
    page.locator(".kl-widget").get_by_role("button", name="Train").click()
    sync_api.expect(field.locator("input")).to_be_focused()
    assert not page.locator(".kl-run:visible").count()


def test_columns_and_labels_with_markup_are_shown_as_text(lab: Lab, page: Any) -> None:
    rows = "".join(f"{n},{MARKUP},{n % 7}\n" for n in range(40))
    (lab.folder / "evil.csv").write_text(f"{MARKUP},kind,price\n{rows}")
    cell = PANEL.replace('"linear_regression")', 'LinearRegression(data="evil.csv"))').replace(
        "\n", "\nfrom kerasllm.recipes.linear_regression import LinearRegression\n"
    )
    open_panel(lab, page, "evil.ipynb", cell)
    page.get_by_text("First rows").click()
    sync_api.expect(page.locator(".kl-data th").first).to_have_text(MARKUP)
    target = page.get_by_label(re.compile("^target"))
    assert MARKUP in target.text_content()
    target.select_option(MARKUP)
    page.wait_for_timeout(500)
    assert page.title() != "hacked"
    assert not page.locator("img[src=x]").count()


def test_the_keyboard_alone_is_enough(lab: Lab, page: Any) -> None:
    open_panel(lab, page, "keys.ipynb")
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
    state(page, "completed")
    page.locator(".kl-chart").first.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    sync_api.expect(page.locator(".kl-figure [aria-live]").first).to_contain_text("epoch")
    outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


@pytest.mark.parametrize("page", [{"locale": "zh-CN"}], indirect=True)
def test_a_chinese_browser_reads_chinese(lab: Lab, page: Any) -> None:
    open_panel(lab, page, "zh.ipynb")
    assert page.locator(".kl-widget").get_by_role("button", name="训练").is_visible()
    assert "数据" in page.locator(".kl-group legend").first.inner_text()
    fill(page, "epochs", "x")
    sync_api.expect(page.locator(".kl-has-mistake .kl-wrong")).to_have_text("必须是整数")


def test_every_control_has_a_name_and_the_dark_theme_is_followed(lab: Lab, page: Any) -> None:
    open_panel(lab, page, "dark.ipynb")
    light = page.evaluate("() => getComputedStyle(document.querySelector('.kl-box')).backgroundColor")
    page.evaluate(
        "async () => { await window.jupyterapp?.restored;"
        " void window.jupyterapp?.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'}); }"
    )
    page.wait_for_selector("body[data-jp-theme-light=false]", state="attached")
    page.wait_for_function(
        "light => getComputedStyle(document.querySelector('.kl-box')).backgroundColor !== light", arg=light
    )
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('.kl-widget :is(input, select, textarea, button)')]
            .filter(one => !one.labels?.length && !one.getAttribute('aria-label') && !one.innerText.trim())
            .map(one => one.outerHTML)"""
    )
    assert nameless == []
    faint = page.evaluate(CONTRAST)
    assert faint == []


# Text in our elements whose contrast with the paper behind it is below WCAG's 4.5 to 1.
CONTRAST = """() => {
  const mixed = ([r, g, b, alpha = 1], paper) => [r, g, b].map((v, i) => alpha * v + (1 - alpha) * paper[i]);
  const parts = colour => colour.match(/[\\d.]+/g).map(Number);
  const linear = v => v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = one => {
    for (; one; one = one.parentElement) {
      const paper = parts(getComputedStyle(one).backgroundColor);
      if (paper.length < 4 || paper[3] === 1) return paper;
    }
    return [255, 255, 255];
  };
  const ratio = one => {
    const paper = behind(one);
    const [a, b] = [light(mixed(parts(getComputedStyle(one).color), paper)), light(paper)];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  };
  return [...document.querySelectorAll('.kl-widget :is(label, span, strong, legend, summary, button, th, td, p)')]
    .filter(one => one.innerText?.trim() && one.offsetParent && ratio(one) < 4.5)
    .map(one => [one.innerText.slice(0, 30), ratio(one)]);
}"""


def test_a_view_of_another_run_is_live_and_two_runs_are_compared(lab: Lab, page: Any) -> None:
    """The runs are trained from the same notebook, in the kernel: the views do not mind."""
    train = (
        "import kerasllm\nfrom kerasllm.recipes.linear_regression import LinearRegression\n"
        "from kerasllm_widgets import Compare, RunView\n"
        'for n in (3, 9):\n    LinearRegression(epochs=n, validation="0.2").train(name=f"run{n}")\nRunView("run9")'
    )
    open_panel(lab, page, "views.ipynb", train, 'Compare("run3", "run9")')
    state(page, "completed")
    page.wait_for_selector(".kl-chart .kl-line-1")
    run_cell(page, 1)
    page.wait_for_selector("section[aria-label=Compare] table")
    table = page.locator("section[aria-label=Compare] table").first.inner_text()
    assert "epochs" in table
    assert json.dumps(table).count("\\t3\\t9") == 1
