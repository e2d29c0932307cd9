"""Background runs from Lab's menus and palette: their forms, by mouse and by keyboard, and the line they wait in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image
from playwright.sync_api import Page, expect

from kerasllm.run import Run, runs
from tests.lab.pages import TRAINING, choose, focused, item, open_lab, palette, refresh
from tests.lab.server import Server
from tests.server.waiting import wait

pytestmark = pytest.mark.slow

WAITS = "from pathlib import Path\nimport time\nwhile not Path('{}').exists():\n    time.sleep(0.05)"


def waiting_notebook(lab: Server, name: str) -> Path:
    """A notebook whose second and third cell each wait for a file, NAME-2 and NAME-3."""
    first = new_code_cell("n = 1", metadata={"tags": ["parameters"]})
    cells = [first, *(new_code_cell(WAITS.format(f"{name}-{place}")) for place in (2, 3))]
    nbformat.write(new_notebook(cells=cells), lab.root / f"{name}.ipynb")
    return lab.root / f"{name}.ipynb"


def begin(lab: Server, name: str) -> Run:
    """A background run of such a notebook."""
    waiting_notebook(lab, name)
    asked = {"source": f"{name}.ipynb", "values": {}}
    return Run(lab.runs / lab.ask("POST", "/kerasllm/runs", asked)[1]["name"])


@pytest.fixture
def occupied(lab: Server) -> Iterator[Server]:
    """Lab, at work on a run: another one waits, and costs nothing."""
    run = begin(lab, "occupant")
    yield lab
    if run.state != "stopped":
        lab.ask("POST", f"/kerasllm/runs/{run.name}/stop", {})
    wait(lambda: run.state == "stopped")


def test_runs_wait_their_turn_as_many_begin_as_the_setting_says_and_each_cell_is_told(lab: Server, page: Page) -> None:
    waiting_notebook(lab, "first")
    open_lab(page, lab)
    choose(page, "first.ipynb", "Run with Parameters")
    page.get_by_role("button", name="Run in the background").click()
    expect(page.locator(".kerasllm-runs")).to_be_visible()
    first = page.locator(".kerasllm-run[data-name^=first-]").first
    second, third = (item(page, begin(lab, name).name) for name in ("second", "third"))
    state, detail = ".kerasllm-state", ".kerasllm-detail"
    expect(first.locator(detail)).to_have_text("cell 2/3", timeout=TRAINING)
    expect(first.get_by_role("progressbar")).to_have_attribute("value", "1")
    (lab.root / "first-2").touch()
    expect(first.locator(detail)).to_have_text("cell 3/3")
    expect(first.get_by_role("progressbar")).to_have_attribute("value", "2")
    expect(first.get_by_role("progressbar")).to_have_attribute("max", "3")
    expect(second.locator(state)).to_have_text("waiting, place 1")
    expect(third.locator(state)).to_have_text("waiting, place 2")
    note = page.locator(".kerasllm-runs .kerasllm-note")
    expect(note).to_have_text("2 waiting; 1 at once")

    page.evaluate("() => { void window.jupyterapp.commands.execute('settingeditor:open', {query: 'kerasllm'}); }")
    limit = page.locator("input[id$=_limit]")
    limit.fill("2")
    try:
        expect(second.locator(detail)).to_have_text("cell 2/3", timeout=TRAINING)
        expect(third.locator(state)).to_have_text("waiting, place 1")
        expect(note).to_have_text("1 waiting; 2 at once")
    finally:
        limit.fill("0")
    expect(note).to_have_text("1 waiting; 1 at once")
    third.get_by_role("button", name="Stop").click()
    expect(third.locator(state)).to_have_text("stopped")
    second.get_by_role("button", name="Stop").click()
    expect(second.locator(state)).to_have_text("stopped", timeout=TRAINING)
    (lab.root / "first-3").touch()
    expect(first.locator(state)).to_have_text("completed", timeout=TRAINING)


def test_a_text_and_a_folder_of_pictures_are_trained_on_from_their_context_menus(occupied: Server, page: Page) -> None:
    (occupied.root / "verse.txt").write_text("one, two\nthree\n" * 50)
    for label in ("noise", "night"):
        (occupied.root / "pictures" / label).mkdir(parents=True)
        for place in range(6):
            picture = Image.effect_noise((8, 8), 60) if label == "noise" else Image.new("L", (8, 8), place)
            picture.save(occupied.root / "pictures" / label / f"{place}.png")
    open_lab(page, occupied)
    for name, recipe in (("verse.txt", "lstm_text"), ("pictures", "image_classifier")):
        choose(page, name, "Train on This")
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text(f"Train on {name}")
        offered = [option.inner_text().split(":")[0] for option in dialog.locator("option").all()]
        assert offered == [recipe]
        dialog.get_by_role("button", name="Next").click()
        data = page.locator(".kerasllm-form input[id$=_data]")
        expect(data).to_have_value(name)
        expect(data).not_to_be_editable()
        if recipe == "image_classifier":
            expect(page.locator(".kerasllm-form").get_by_text("mirror half of the training pictures")).to_be_visible()
        page.get_by_role("button", name="Run in the background").click()
        row = page.locator(f".kerasllm-run[data-name^={recipe}-]").first
        expect(row.locator(".kerasllm-state")).to_have_text("waiting, place 1")
        run = Run(occupied.runs / str(row.get_attribute("data-name")))
        assert (run.asked["recipe"], run.asked["parameters"]["data"]) == (recipe, str(occupied.root / name))
        row.get_by_role("button", name="Stop").click()
        expect(row.locator(".kerasllm-state")).to_have_text("stopped")


def test_a_parameter_that_is_refused_or_changed_is_in_sight_when_the_form_is_shown_again(
    occupied: Server, page: Page
) -> None:
    (occupied.root / "terrace").mkdir()
    (occupied.root / "terrace" / "terraced.tsv").write_text(
        "area\tprice\n" + "".join(f"{n}\t{2 * n}\n" for n in range(50))
    )
    open_lab(page, occupied)
    refresh(page)
    page.locator(".jp-DirListing-item", has_text="terrace").dblclick()
    choose(page, "terraced.tsv", "Train on This")
    recipes = page.get_by_role("dialog").get_by_role("combobox")
    recipes.select_option(recipes.locator("option", has_text="linear_regression").inner_text())
    page.get_by_role("button", name="Next").click()
    form = page.locator(".kerasllm-form")
    alert, unfolded = form.get_by_role("alert"), form.locator("details[open]")
    warmup, validation = form.get_by_label("warmup", exact=True), form.get_by_label("validation", exact=True)
    expect(unfolded).to_have_count(0)
    form.locator("fieldset", has=page.get_by_label("warmup", exact=True)).locator("summary").click()
    warmup.fill("3")
    page.get_by_role("button", name="Run in the background").click()
    expect(alert).to_have_text("warmup: less than 1")  # no browser refuses 3 by itself
    expect(warmup).to_be_focused()
    expect(warmup).to_be_in_viewport()
    expect(unfolded).to_have_count(1)
    warmup.fill("0.5")
    validation.fill("nowhere.tsv")
    page.get_by_role("button", name="Run in the background").click()
    expect(alert).to_contain_text("validation: no such file")  # the server says so
    expect(validation).to_be_focused()
    expect(warmup).to_be_visible()
    expect(warmup).to_have_value("0.5")
    validation.fill("")
    page.get_by_role("button", name="Run in the background").click()
    row = page.locator(".kerasllm-run[data-name^=linear_regression-]").first
    expect(row.locator(".kerasllm-state")).to_have_text("waiting, place 1")
    asked = Run(occupied.runs / str(row.get_attribute("data-name"))).asked["parameters"]
    assert (asked["data"], asked["warmup"]) == (str(occupied.root / "terrace" / "terraced.tsv"), 0.5)
    row.get_by_role("button", name="Stop").click()
    expect(row.locator(".kerasllm-state")).to_have_text("stopped")


def test_the_keyboard_alone_starts_a_run_and_handles_it_in_the_sidebar(occupied: Server, page: Page) -> None:
    open_lab(page, occupied)
    known = {run.name for run in runs(occupied.runs)}
    offers = palette(page, "kerasllm")
    assert offers[:2] == ["Show the runs of kerasllm", "Train a Recipe…"]
    page.keyboard.press("Escape")
    palette(page, "Train a Recipe")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("Train a recipe")
    press_until(page, "ArrowDown", "linear_regression", chosen)
    press_until(page, "Tab", "Next")
    page.keyboard.press("Enter")
    expect(page.locator(".kerasllm-form")).to_be_visible()
    expect(page.locator(".kerasllm-form input[id$=_data]")).to_be_focused()
    press_until(page, "Tab", "epochs")
    page.keyboard.press("Control+a")
    page.keyboard.type("0")
    expect(page.locator(".kerasllm-form")).to_contain_text("at least 1")
    run = page.get_by_role("button", name="Run in the background")
    expect(run).to_be_disabled()
    page.keyboard.press("Control+a")
    page.keyboard.type("7")
    expect(run).to_be_enabled()
    press_until(page, "Tab", "Advanced")
    page.keyboard.press("Space")
    expect(page.locator(".kerasllm-form details[open]")).to_have_count(1)
    press_until(page, "Tab", "Run in the background")
    page.keyboard.press("Tab")
    assert focused(page) == "data"  # round and round
    press_until(page, "Tab", "Run in the background")
    page.keyboard.press("Enter")

    row = page.locator(".kerasllm-run[data-name^=linear_regression-]").first
    expect(row.locator(".kerasllm-state")).to_have_text("waiting, place 1")
    name = str(row.get_attribute("data-name"))
    assert name not in known
    assert Run(occupied.runs / name).asked["parameters"]["epochs"] == 7
    expect(page.get_by_label("Recipe", exact=True)).to_be_focused()
    press_until(page, "Tab", f"Stop: {name}")
    page.keyboard.press("Enter")
    expect(row.locator(".kerasllm-state")).to_have_text("stopped")
    palette(page, "Show the runs of kerasllm")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Recipe", exact=True)).to_be_focused()
    page.keyboard.press("Tab")
    press_until(page, "ArrowDown", "stopped", chosen)
    expect(page.locator(".kerasllm-run:not([data-state=stopped])")).to_have_count(0)
    press_until(page, "Tab", f"Select {name}")
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Compare (1)")).to_be_disabled()
    press_until(page, "Tab", name)
    page.keyboard.press("Enter")
    expect(page.locator(".kerasllm-view").get_by_role("heading")).to_have_text(name)
    expect(page.locator(".kerasllm-view")).to_be_focused()
    palette(page, "Show the runs of kerasllm")
    page.keyboard.press("Enter")
    press_until(page, "Tab", f"Delete: {name}")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("goes to the trash")
    press_until(page, "Tab", "Delete")
    page.keyboard.press("Enter")
    expect(item(page, name)).to_have_count(0)


def press_until(page: Page, key: str, wanted: str, look: Callable[[Page], str] = focused) -> None:
    """Press a key until what has the focus is called so, or shows this choice."""
    for _ in range(60):
        if look(page) == wanted:
            return
        page.keyboard.press(key)
    raise AssertionError(f"{key} does not lead to {wanted}; it led to {look(page)}")


def chosen(page: Page) -> str:
    """The choice of the list that has the focus; of a recipe, its name."""
    return str(page.evaluate("() => document.activeElement.value")).split(":")[0]
