"""The sidebar: what it tells of runs, by eye, by keyboard and by notification; the runs are written by hand."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Response, expect

from kerasllm.run import Run, files
from kerasllm.run.process import myself
from tests.lab.pages import item, open_lab, serious, show_runs
from tests.lab.server import Server
from tests.lab.written import LIVES, LOST, SILENT, score, tell, write_run

pytestmark = pytest.mark.slow

# What is told of each run, and what its buttons offer beside its view.
STATES = {
    "lives": ("running", ["Stop"]),
    "leaves": ("stopping…", ["Stop"]),
    "silent": ("stalled", ["Stop"]),
    "lost": ("its process is gone", ["Resume", "Delete"]),
    "halted": ("stopped", ["Resume", "Delete"]),
    "broken": ("failed", ["Resume", "Delete"]),
    "done": ("completed", ["Delete"]),
    "torn": ("unreadable", ["Delete"]),
}

LINES = """it => {
  const text = document.createRange();
  text.selectNodeContents(it);
  return text.getClientRects().length;
}"""


@pytest.fixture
def folder(lab: Server) -> Iterator[Server]:
    """Lab, with no run left from another test, and none left for the next one."""
    shutil.rmtree(lab.runs, ignore_errors=True)
    yield lab
    shutil.rmtree(lab.runs, ignore_errors=True)


def shown(page: Page) -> list[str]:
    """The names of the runs that the sidebar lists."""
    return [str(row.get_attribute("data-name")) for row in page.locator(".kerasllm-run").all()]


def test_each_state_is_told_filtered_by_and_offers_what_can_be_done(folder: Server, page: Page) -> None:
    runs = folder.runs
    training = {"phase": "training", "epoch": 2, "epochs": 6, "step": 30, "steps": 60, "eta": 75}
    write_run(runs, "lives", **LIVES, **training)
    (write_run(runs, "leaves", **LIVES).path / "stop").touch()
    silent = write_run(runs, "silent", **SILENT, phase="compiling")
    write_run(runs, "lost", **LOST)
    write_run(runs, "halted", state="stopped")
    write_run(runs, "broken", "text_classifier", state="failed", message="loss is NaN in epoch 2")
    score(write_run(runs, "done", "text_classifier"), accuracy=0.875)
    (write_run(runs, "torn").path / "status.json").write_text("[]")
    open_lab(page, folder)
    show_runs(page)
    for name, (word, offers) in STATES.items():
        row = item(page, name)
        expect(row.locator(".kerasllm-state")).to_have_text(word)
        labels = [one.get_attribute("aria-label") for one in row.locator(".jp-Button").all()]
        assert labels == [f"{offer}: {name}" for offer in ["Open view", *offers]]
    expect(item(page, "lives").locator(".kerasllm-detail")).to_have_text("epoch 3/6, 1 min 15 s left")
    expect(item(page, "lives").get_by_role("progressbar")).to_have_attribute("value", "30")
    expect(item(page, "lives").get_by_role("progressbar")).to_have_attribute("max", "60")
    expect(item(page, "silent").locator(".kerasllm-detail")).to_have_text("compiling")
    expect(item(page, "broken")).to_contain_text("loss is NaN in epoch 2")
    expect(item(page, "done").locator(".kerasllm-detail")).to_have_text("accuracy 0.875")
    expect(item(page, "torn")).to_contain_text("does not tell the state")
    assert serious(page, ".kerasllm-runs") == []

    by_recipe, by_state = page.get_by_label("Recipe", exact=True), page.get_by_label("State", exact=True)
    for choice in (by_recipe, by_state):
        expect(choice.locator("xpath=following-sibling::*//*[name()='svg']")).to_be_visible()  # it is a list
    for name, (word, _) in STATES.items():
        by_state.select_option(word)
        assert shown(page) == [name]
    by_recipe.select_option("linear_regression")
    by_state.select_option("failed")
    expect(page.locator(".kerasllm-runs")).to_contain_text("No run is like that.")
    by_recipe.select_option("text_classifier")
    assert shown(page) == ["broken"]
    by_state.select_option("all states")
    assert shown(page) == ["done", "broken"]
    for name in ("done", "broken"):  # the last ones of their recipe
        shutil.rmtree(runs / name)
    expect(item(page, "lives")).to_be_visible()
    expect(by_recipe).to_have_value("")

    tell(silent, **LIVES)  # its heart beats again
    expect(item(page, "silent").locator(".kerasllm-state")).to_have_text("running")

    page.route("**/kerasllm/runs?*", lambda route: route.abort())
    expect(page.locator(".kerasllm-runs [role=alert]")).to_contain_text("The server does not answer")
    page.unroute("**/kerasllm/runs?*")
    expect(page.locator(".kerasllm-runs [role=alert]")).to_have_count(0)


def test_at_the_sidebars_own_width_nothing_of_a_run_is_cut_nor_a_word_beside_eight_compared(
    folder: Server, page: Page
) -> None:
    long = {"phase": "training", "epoch": 12, "epochs": 100_000, "step": 30, "steps": 60, "eta": 16_600}
    name = "linear_regression-20260711-120000-1"
    write_run(folder.runs, name, **LIVES, **long)
    curve = folder.runs / name / "history.jsonl"
    for epoch in (1, 2, 3):
        files.append_line(curve, {"kind": "epoch", "epoch": epoch, "time": epoch, "loss": 1 / epoch})
    (folder.runs / name / "notebook.ipynb").write_text("{}")
    write_run(
        folder.runs, "an_unbroken_name_of_many_letters_" * 2, state="stopped", message="its kernel had to be killed"
    )
    score(write_run(folder.runs, "done", "text_classifier"), macro_averaged_f1=0.875)
    for place in range(5):
        write_run(folder.runs, f"linear_regression-20260711-130000-{place}", "text_classifier")
    open_lab(page, folder)
    show_runs(page)
    expect(item(page, name).locator(".kerasllm-detail")).to_have_text("epoch 13/100000, 4 h 36 min left")
    expect(item(page, name).locator(".kerasllm-sparkline")).to_be_visible()
    for part in page.locator(".kerasllm-name, .kerasllm-detail, .kerasllm-state, .kerasllm-run").all():
        width, needed = part.evaluate("it => [it.clientWidth, it.scrollWidth]")
        assert needed <= width, part.inner_text()

    for row in page.locator(".kerasllm-run").all():
        row.get_by_role("checkbox").check()
    page.get_by_role("button", name="Compare (8)").click()
    heads = page.locator(".kerasllm-view th[scope=row]")
    expect(heads.first).to_have_text("recipe")
    for head in heads.all():
        assert head.evaluate(LINES) == 1, head.inner_text()


def test_the_runs_that_are_selected_are_compared(folder: Server, page: Page) -> None:
    for place in range(9):
        score(
            write_run(folder.runs, f"run{place}", "linear_regression" if place else "text_classifier"), rmse=place / 4
        )
    open_lab(page, folder)
    show_runs(page)
    compare = page.get_by_role("button", name="Compare (")
    expect(compare).to_be_disabled()
    for place in range(9):
        item(page, f"run{place}").get_by_role("checkbox").check()
        expect(compare).to_have_text(f"Compare ({place + 1})")
        expect(compare).to_be_enabled(enabled=1 <= place <= 7)
    for place in range(1, 8):
        item(page, f"run{place}").get_by_role("checkbox").uncheck()
    compare.click()
    view = page.locator(".kerasllm-view")
    expect(view.get_by_role("heading")).to_have_text("Compare 2 runs")
    for caption in ("State", "Scores", "Parameters that differ"):
        head = view.locator("table", has_text=caption).locator("th[scope=col]")
        expect(head).to_have_text(["run8", "run0"])
    expect(view.get_by_role("row", name="rmse 2 0", exact=True)).to_be_visible()
    for header, count in (("state", 1), ("message", 0)):  # there is no message to tell
        expect(view.get_by_role("rowheader", name=header, exact=True)).to_have_count(count)
    expect(view.get_by_role("img", name="loss: run8 0.3333, run0 0.3333")).to_be_visible()
    assert serious(page, ".kerasllm-view") == []

    shutil.rmtree(folder.runs / "run8")  # the first one that is asked for
    score(Run(folder.runs / "run0"), rmse=0.5)
    expect(view.get_by_role("alert")).to_have_text("run8: That is not there any more.")
    expect(view.get_by_role("row", name="rmse 2 0.5", exact=True)).to_be_visible()


def test_a_run_is_deleted_to_the_trash_unless_it_is_still_worked_on(folder: Server, page: Page) -> None:
    busy, done = write_run(folder.runs, "busy", **LIVES), write_run(folder.runs, "done")
    (done.path / "model.keras").write_bytes(b"weights")
    open_lab(page, folder)
    show_runs(page)
    dialog = page.get_by_role("dialog")
    expect(item(page, "busy").get_by_role("button", name="Delete")).to_have_count(0)
    page.evaluate("() => { void window.jupyterapp.commands.execute('kerasllm:delete', {name: 'busy'}); }")
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("busy is running; stop it first")).to_be_visible()
    assert busy.state == "running"

    item(page, "done").get_by_role("button", name="Delete").click()
    expect(dialog).to_contain_text("done, with its model and notebook, goes to the trash.")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    assert done.path.exists()
    item(page, "done").get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(item(page, "done")).to_have_count(0)
    expect(page.get_by_label("Recipe", exact=True)).to_be_focused()
    card = page.locator(".jp-LauncherCard").first
    card.focus()
    tell(busy, **LIVES, message="slow disk")
    expect(item(page, "busy")).to_contain_text("slow disk")
    expect(card).to_be_focused()  # the filters have had the focus, and let go of it
    trash = folder.place / "share" / "Trash" / "files"
    assert not done.path.exists()
    assert b"weights" in [file.read_bytes() for file in trash.glob("done*/model.keras")]

    torn = write_run(folder.runs, "torn")
    (torn.path / "status.json").write_text("[]")
    item(page, "torn").get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(item(page, "torn")).to_have_count(0)
    assert not torn.path.exists()


def test_the_end_of_a_run_is_told_as_what_it_is_until_that_is_switched_off(folder: Server, page: Page) -> None:
    ends: dict[str, tuple[dict[str, Any], str]] = {
        "fails": ({"state": "failed", "message": "loss is NaN"}, "fails failed: loss is NaN"),
        "vanishes": (LOST, "vanishes: its process is gone; resume it to go on."),
        "lingers": ({"message": "notebook: no 'a'"}, "lingers is completed, but: notebook: no 'a'"),
        "stops": ({"state": "stopped"}, "stops has stopped."),
        "completes": ({}, "completes is completed."),
    }
    made = {name: write_run(folder.runs, name, **LIVES) for name in ends}
    open_lab(page, folder)
    show_runs(page)
    expect(page.locator(".kerasllm-run[data-state=running]")).to_have_count(len(ends))
    toasts = page.locator(".Toastify__toast")
    for name, (status, words) in ends.items():
        tell(made[name], **status)
        expect(toasts.filter(has_text=words)).to_be_visible()
    expect(toasts).to_have_count(3)  # what needs nobody's care has left by itself
    toasts.filter(has_text="fails failed").get_by_role("button", name="Open view").click()
    expect(page.locator(".kerasllm-view").get_by_role("heading")).to_have_text("fails")

    # Resumed, it waits for one that this process stands for; stopped there, it is the old failure and no news.
    queue = {"waiting": [], "started": [{"run": "stops", "before": 0, **myself()}]}
    files.replace_json(folder.runs / ".queue.json", queue)
    tell(made["fails"], state="failed", message="loss is NaN", phase="training", epoch=2, epochs=6, step=3, steps=6)
    row = item(page, "fails")
    row.get_by_role("button", name="Resume").dblclick()
    expect(row.locator(".kerasllm-state")).to_have_text("waiting, place 1")
    expect(row.locator(".kerasllm-detail")).to_have_text("")
    expect(row.get_by_role("progressbar")).to_have_count(0)
    expect(row.get_by_role("button", name="fails", exact=True)).to_be_focused()  # the button that was has gone
    row.get_by_role("button", name="Stop").press("Enter")
    expect(row.locator(".kerasllm-state")).to_have_text("failed")
    expect(row.get_by_role("button", name="fails", exact=True)).to_be_focused()
    expect(row).to_contain_text("loss is NaN")
    expect(toasts.filter(has_text="fails")).to_have_count(0)
    (folder.runs / ".queue.json").unlink()

    page.evaluate("() => { void window.jupyterapp.commands.execute('settingeditor:open', {query: 'kerasllm'}); }")
    notify = page.locator("input[id$=_notify]")

    def is_applied(answer: Response) -> bool:
        """Lab has saved the settings, and reads them again."""
        return "settings/kerasllm" in answer.url and answer.request.method == "GET"

    try:
        for name, heard in (("silently", False), ("aloud", True)):
            run = write_run(folder.runs, name, **LIVES)
            expect(item(page, name).locator(".kerasllm-state")).to_have_text("running")
            with page.expect_response(is_applied):
                notify.set_checked(heard)
            tell(run, state="failed", message="loss is NaN")  # this news stays
            expect(item(page, name).locator(".kerasllm-state")).to_have_text("failed")
    finally:
        notify.check()
    expect(toasts.filter(has_text="aloud failed")).to_be_visible()
    expect(toasts.filter(has_text="silently")).to_have_count(0)
