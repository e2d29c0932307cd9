"""Every recipe on its sample: launcher card, panel, playground, sidebar, and the dialog."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from kerasllm_widgets.playground import Playground
from PIL import Image
from playwright.sync_api import Page, expect

from kerasllm import open as open_run
from kerasllm import recipes
from kerasllm.run import Run
from tests.conftest import SMALL
from tests.lab.pages import TRAINING, Told, button, fill, item, messages, open_lab, serious, show_runs, state
from tests.lab.server import Server

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", recipes.names())
def test_a_recipe_goes_from_its_card_to_an_answer(name: str, lab: Server, page: Page, tmp_path: Path) -> None:
    values = {key: str(value) for key, value in {"epochs": 1, **SMALL.get(name, {})}.items()}
    sent = messages(page, "framesent")
    open_lab(page, lab)
    page.locator(".jp-LauncherCard", has_text=name).click()
    page.wait_for_selector("form.kl-box", timeout=TRAINING)
    fill(page, **values)
    button(page, "Train").click()
    state(page, "completed")
    run = Run(lab.runs / page.locator(".kl-run strong").first.inner_text())
    assert run.asked["surface"] == "panel"
    if "confusion_matrix" in run.report["splits"][run.report["split"]]:
        expect(page.locator(".kl-confusion")).to_be_visible()

    button(page, "Try it").click()
    ask(page, run, tmp_path, sent)
    expect(page.locator(".kl-answer").locator(".kl-number b, .kl-shares li, .kl-written").first).to_be_visible(
        timeout=TRAINING
    )
    expect(page.locator(".kl-answer .kl-problem")).to_have_count(0)
    assert serious(page, ".kl-playground") == []

    show_runs(page)
    expect(item(page, run.name).locator(".kerasllm-state")).to_have_text("completed")
    main = run.scores["main"]
    expect(item(page, run.name)).to_contain_text(main)

    page.locator("[data-jp-item-name=kerasllm-run]:visible").click()
    form = page.locator(".kerasllm-form")
    for key, value in values.items():
        field = form.locator(f"input[id$=_{key}]")
        folded = field.locator("xpath=ancestor::details[not(@open)]")
        if folded.count():
            folded.locator("summary").click()
        field.fill(value)
    page.get_by_role("button", name="Run in the background").click()
    row = page.locator(f".kerasllm-run[data-name^={name}-]").first
    expect(row).not_to_have_attribute("data-name", run.name)
    expect(row.locator(".kerasllm-state")).to_have_text("completed", timeout=TRAINING)
    other = Run(lab.runs / str(row.get_attribute("data-name")))
    assert other.asked["surface"] == "notebook"
    assert other.report["weights"] == run.report["weights"]


def ask(page: Page, run: Run, folder: Path, sent: list[bytes]) -> None:
    """Ask a playground what the run's kind answers."""
    kind = Playground(run).kind
    if kind == "table":
        page.locator(".kl-playground input").first.fill("120")
    elif kind == "language":
        have_written(page)
    elif kind == "picture":
        show_pictures(page, folder)
    else:
        type_on(page, sent)


def type_on(page: Page, sent: list[bytes]) -> None:
    """Whoever types on asks once, not with every key."""
    page.get_by_label("Your text").evaluate(
        """(area, text) => {
          for (let end = 1; end <= text.length; end++) {
            area.value = text.slice(0, end);
            area.dispatchEvent(new Event('input'));
          }
        }""",
        "Where is my parcel?",
    )
    expect(page.locator(".kl-shares li").first).to_be_visible(timeout=TRAINING)
    questions = [message for message in sent if b'"row":' in message]
    assert len(questions) == 1
    assert b"Where is my parcel?" in questions[0]


def have_written(page: Page) -> None:
    """The text comes in pieces, and is drawn as the controls say."""
    box, answer, written = (page.locator(f".kl-{one}") for one in ("playground", "answer", "written"))
    box.get_by_label("Prompt").fill("我")
    box.get_by_label("top_p").fill("2")
    write = box.get_by_role("button", name="Write on")
    write.click()
    expect(answer.get_by_role("alert")).to_contain_text("top_p")
    box.get_by_label("top_p").fill("0.9")
    box.get_by_label("top_k").fill("20")
    box.get_by_label("length").fill("400")
    told = Told(page, ".kl-written")
    texts = []
    for controls in (
        {"temperature": "0"},
        {"temperature": "1"},
        {"top_k": "1"},
        {"top_k": "0", "top_p": "0.000001"},
    ):
        for name, value in controls.items():
            box.get_by_label(name).fill(value)
        write.click()
        expect(answer).not_to_have_attribute("aria-busy", "true", timeout=TRAINING)
        texts.append(str(written.text_content()))
        if len(texts) == 1:
            pieces = [text for text in told.texts if text and texts[0].startswith(text)]
    assert texts[0] != texts[1]
    assert texts[2] == texts[3] == texts[0]  # of one character to choose from it is always the likeliest
    assert len(pieces) > 2
    assert pieces == sorted(pieces, key=len)


def show_pictures(page: Page, folder: Path) -> None:
    """One is dropped, another chosen; Lab itself takes neither."""
    for name, width in (("dropped", 20), ("chosen", 40)):
        Image.effect_noise((width, width), 60).save(folder / f"{name}.png")
    dropped = page.evaluate_handle(
        """bytes => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], 'dropped.png', { type: 'image/png' }));
          return data;
        }""",
        list((folder / "dropped.png").read_bytes()),
    )
    page.locator(".kl-drop").dispatch_event("drop", {"dataTransfer": dropped})
    expect(page.locator(".kl-seen")).to_be_visible()
    answer = page.locator(".kl-shares")
    expect(answer).to_be_visible(timeout=TRAINING)
    before = answer.inner_text()
    page.locator(".kl-drop input[type=file]").set_input_files(folder / "chosen.png")
    expect(answer).not_to_have_text(before, use_inner_text=True)
    expect(page.locator(".jp-DirListing-item", has_text="dropped.png")).to_have_count(0)


def test_a_real_table_of_messages_trains_to_the_command_lines_weights(shared: Path, lab: Server, page: Page) -> None:
    shutil.copy(shared / "waimai_10k" / "train.csv", lab.root / "waimai.csv")
    open_lab(page, lab)
    page.locator(".jp-LauncherCard", has_text="text_classifier").click()
    page.wait_for_selector("form.kl-box", timeout=TRAINING)
    fill(page, data="waimai.csv", epochs="1")
    page.get_by_text(re.compile("^First rows")).click()
    expect(page.locator(".kl-data td").first).to_be_visible()
    button(page, "Train").click()
    state(page, "completed")
    run = Run(lab.runs / page.locator(".kl-run strong").first.inner_text())
    by_command = lab.kerasllm("train", "text_classifier", "--data", "waimai.csv", "--epochs", "1", "--name", "waimai")
    assert by_command.wait(120) == 0
    assert open_run(lab.runs / "waimai").report["weights"] == run.report["weights"]
