"""The Lab extension in a real browser."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Page, expect

from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.run import Run, create, files, runs
from tests.lab.pages import TRAINING, item, newcomer, open_lab, palette, refresh, serious, show_runs
from tests.lab.server import Server

pytestmark = pytest.mark.slow


def test_a_run_of_the_command_line_appears_within_two_seconds_and_is_stopped_and_resumed(
    page: Page, lab: Server, screenshots: Path
) -> None:
    open_lab(page, lab)
    show_runs(page)
    trainer = lab.kerasllm("train", "linear_regression", "--epochs", "100000", "--name", "mine")
    row = item(page, "mine")
    while not (lab.runs / "mine" / "run.json").exists():
        page.wait_for_timeout(50)
    expect(row).to_be_visible(timeout=2000)
    expect(row.locator(".kerasllm-state")).to_have_text("running", timeout=TRAINING)
    expect(row.locator(".kerasllm-sparkline")).to_be_visible(timeout=TRAINING)
    assert serious(page, ".kerasllm-runs") == []
    page.screenshot(path=screenshots / "sidebar.png")
    page.reload()
    expect(row.locator(".kerasllm-state")).to_have_text("running", timeout=TRAINING)

    row.get_by_role("button", name="Stop").click()
    expect(row.locator(".kerasllm-state")).to_have_text("stopped", timeout=TRAINING)
    expect(page.get_by_text("mine has stopped.")).to_be_visible()
    trainer.wait(60)
    stopped_at = Run(lab.runs / "mine").status["epoch"]
    row.get_by_role("button", name="Resume").click()
    expect(row.locator(".kerasllm-state")).to_have_text("running", timeout=TRAINING)
    expect(row.locator(".kerasllm-detail")).to_contain_text("left", timeout=TRAINING)
    assert Run(lab.runs / "mine").status["epoch"] >= stopped_at

    row.get_by_role("button", name="mine", exact=True).click()
    view = page.locator(".kerasllm-view")
    expect(view.locator(".kl-chart").first).to_be_visible()
    page.screenshot(path=screenshots / "view.png")
    row.get_by_role("button", name="Stop").click()
    expect(row.locator(".kerasllm-state")).to_have_text("stopped", timeout=TRAINING)
    row.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    assert not (lab.runs / "mine").exists()


def test_a_notebook_of_ones_own_runs_with_parameters_from_a_form(page: Page, lab: Server, screenshots: Path) -> None:
    cells = [
        new_code_cell('name: str = "world"\ncount: int = 2  # how often', metadata={"tags": ["parameters"]}),
        new_code_cell("print(name * count)"),
    ]
    nbformat.write(new_notebook(cells=cells), lab.root / "own.ipynb")
    open_lab(page, lab)
    refresh(page)
    page.locator(".jp-DirListing-item", has_text="own.ipynb").click(button="right")
    page.locator(".lm-Menu-item", has_text="Run with Parameters").click()
    form = page.locator(".kerasllm-form")
    expect(form).to_contain_text("how often")
    form.locator("input[id$=_count]").fill("2.5")
    expect(form).to_contain_text("needs a whole number")
    page.keyboard.press("Tab")
    form.locator("input[id$=_count]").fill("3")
    expect(form).not_to_contain_text("needs a whole number")
    assert serious(page, ".kerasllm-form") == []
    page.screenshot(path=screenshots / "own-form.png")
    page.get_by_role("button", name="Run in the background").click()
    row = page.locator(".kerasllm-run", has_text="own-")
    expect(row.locator(".kerasllm-state")).to_have_text("completed", timeout=TRAINING)
    row.get_by_role("button", name="Open notebook").click()
    expect(page.locator(".jp-NotebookPanel .jp-OutputArea").last).to_contain_text("worldworldworld")


def test_our_notebook_runs_with_its_recipes_form(page: Page, lab: Server, screenshots: Path) -> None:
    made = lab.ask("POST", "/kerasllm/notebooks", {"recipe": "linear_regression", "folder": ""})[1]["path"]
    open_lab(page, lab)
    refresh(page)
    page.locator(".jp-DirListing-item", has_text=made).dblclick()
    page.locator("[data-jp-item-name=kerasllm-run]").click()
    form = page.locator(".kerasllm-form")
    expect(form.get_by_text("passes over the training rows")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    palette(page, "Run with Parameters")
    page.keyboard.press("Enter")
    expect(form.get_by_text("passes over the training rows")).to_be_visible()
    expect(form.locator("input[id$=_warmup]")).to_be_hidden()
    form.locator("summary").nth(1).click()
    expect(form.locator("input[id$=_warmup]")).to_be_visible()
    form.locator("input[id$=_epochs]").fill("0")
    expect(form).to_contain_text("at least 1")
    form.locator("input[id$=_epochs]").fill("3")
    form.locator("input[id$=_data]").fill("nowhere.csv")
    page.screenshot(path=screenshots / "form.png")
    page.get_by_role("button", name="Run in the background").click()
    expect(page.locator(".kerasllm-form [role=alert]")).to_contain_text("no such file")
    page.locator(".kerasllm-form input[id$=_data]").fill("sample:houses")
    known = [run.name for run in runs(lab.runs)]
    page.get_by_role("button", name="Run in the background").click()
    row = newcomer(page, known)
    expect(row.locator(".kerasllm-state")).to_have_text("completed", timeout=TRAINING)
    run = Run(lab.runs / str(row.get_attribute("data-name")))
    assert (run.asked["surface"], run.asked["parameters"]["epochs"]) == ("notebook", 3)
    assert "kerasllm_widgets" not in (run.path / "notebook.ipynb").read_text("utf-8")


def test_a_file_is_trained_on_from_its_context_menu(page: Page, lab: Server) -> None:
    (lab.root / "flats.csv").write_text("area,price\n" + "".join(f"{n},{2 * n}\n" for n in range(50)))
    open_lab(page, lab)
    refresh(page)
    page.locator(".jp-DirListing-item", has_text="flats.csv").click(button="right")
    page.locator(".lm-Menu-item", has_text="Train on This").click()
    recipes = page.get_by_role("dialog").get_by_role("combobox")
    option = recipes.locator("option", has_text="linear_regression").inner_text()
    recipes.select_option(option)
    page.get_by_role("button", name="Next").click()
    expect(page.locator(".kerasllm-form input[id$=_data]")).to_have_value("flats.csv")
    before = {run.name for run in runs(lab.runs)}
    page.get_by_role("button", name="Run in the background").click()
    expect(page.locator(".kerasllm-run")).to_have_count(len(before) + 1)
    row = page.locator(".kerasllm-run").first
    expect(row.locator(".kerasllm-state")).to_have_text("completed", timeout=TRAINING)
    assert Run(lab.runs / str(row.get_attribute("data-name"))).asked["parameters"]["data"].endswith("/root/flats.csv")


def test_markup_in_names_and_messages_is_shown_as_text_also_in_the_dark(
    page: Page, lab: Server, screenshots: Path
) -> None:
    name, message = "<b>bold<b>", "cell 1: <img src=x onerror=alert(1)>"
    run = create(LinearRegression(), lab.runs, name)
    files.replace_json(run.path / "status.json", {"state": "failed", "message": message})
    for epoch in range(1, 6):
        line = {
            "kind": "epoch",
            "epoch": epoch,
            "time": epoch,
            "loss": 1 / epoch,
            "<i>f1": epoch,
            "val_loss": 2 / epoch,
        }
        files.append_line(run.path / "history.jsonl", line)
    lab.set("apputils-extension/themes", theme="JupyterLab Dark")
    try:
        open_lab(page, lab)
        show_runs(page)
        row = page.locator(".kerasllm-run", has_text=name)
        expect(row).to_contain_text(message)
        row.get_by_role("button", name="Open view").click()
        view = page.locator(".kerasllm-view")
        expect(view).to_contain_text("<i>f1")
        for element in ("b", "i", "img"):
            expect(page.locator(f".kerasllm-runs {element}, .kerasllm-view {element}")).to_have_count(0)
        assert serious(page, ".kerasllm-runs") == serious(page, ".kerasllm-view") == []
        page.screenshot(path=screenshots / "dark.png")
    finally:
        lab.set("apputils-extension/themes", theme="JupyterLab Light")
