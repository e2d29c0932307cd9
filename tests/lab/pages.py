"""What a person does in Lab: open it, open a notebook, run a cell, fill a form, look at the runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.lab.server import Server

TRAINING = 120_000  # milliseconds until a training has imported Keras and begun, or a small one has ended
WIDGET = ".kl-widget"

# Lab tells that its notebook is there before a cell can be run.
READY = """async () => {
  const panel = window.jupyterapp.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
}"""


def open_lab(page: Page, lab: Server) -> None:
    """Lab as a person sees it first: the launcher."""
    page.goto(f"{lab.url}/lab?reset&token={lab.token}")
    page.wait_for_selector("#jupyterlab-splash", state="detached")
    page.wait_for_selector(".jp-Launcher")


def open_notebook(page: Page, server: Server, name: str) -> None:
    """Open a notebook and wait for its kernel."""
    place = f"notebooks/{name}?" if server.application == "notebook" else f"lab/tree/{name}?reset&"
    page.goto(f"{server.url}/{place}token={server.token}")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    page.evaluate(READY)


def run_cell(page: Page, place: int = 0) -> None:
    """Run one cell of the open notebook."""
    cell = page.locator(".jp-CodeCell").nth(place)
    before = cell.locator(".jp-InputPrompt").inner_text()
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    expect(cell.locator(".jp-InputPrompt")).not_to_have_text(before)


def open_panel(page: Page, server: Server, name: str, *cells: str, kernel: str = "python3") -> None:
    """Write a notebook, open it and run its first cell, which shows a view."""
    server.notebook(name, *cells, kernel=kernel)
    open_notebook(page, server, name)
    run_cell(page)
    page.wait_for_selector("form.kl-box, .kl-run:visible", timeout=TRAINING)


def button(page: Page, name: str) -> Locator:
    """A button of our views in a notebook."""
    return page.locator(WIDGET).get_by_role("button", name=name, exact=True)


def fill(page: Page, **values: str) -> None:
    """Type values into a panel's fields; a folded one is unfolded first."""
    for name, value in values.items():
        field = page.locator(WIDGET).get_by_label(re.compile(f"^{name}( |$)")).first
        folded = field.locator("xpath=ancestor::details[not(@open)]")
        if folded.count():
            folded.locator("summary").click()
        field.fill(value)


def state(page: Page, *states: str) -> None:
    """Wait until the run that a view shows is in one of these states."""
    page.wait_for_selector(", ".join(f".kl-state[data-state={one}]" for one in states), timeout=TRAINING)


def show_runs(page: Page) -> None:
    """Open the sidebar."""
    tab = page.locator('.jp-SideBar li[data-id="kerasllm-runs"]')
    if tab.get_attribute("aria-selected") != "true":
        tab.click()
    expect(page.locator(".kerasllm-runs")).to_be_visible()


def item(page: Page, name: str) -> Locator:
    """A run's place in the sidebar."""
    return page.locator(f'.kerasllm-run[data-name="{name}"]')


def newcomer(page: Page, known: Iterable[str]) -> Locator:
    """The place in the sidebar of the run that is none of these."""
    return page.locator(".kerasllm-run" + "".join(f':not([data-name="{name}"])' for name in known))


def refresh(page: Page) -> None:
    """Show what was written into the folder behind Lab's back."""
    page.locator(".jp-FileBrowser-toolbar [data-jp-item-name=refresh]").click()


def messages(page: Page, event: Literal["framesent", "framereceived"]) -> list[bytes]:
    """What a page opened from now on sends to its server, or hears of it: the list grows."""
    found: list[bytes] = []

    def hear(frame: str | bytes) -> None:
        found.append(frame.encode() if isinstance(frame, str) else frame)

    page.on("websocket", lambda socket: socket.on(event, hear))
    return found


def choose(page: Page, file: str, command: str) -> None:
    """Choose a command from the context menu of a file or folder in the file browser."""
    tab = page.locator('.jp-SideBar li[data-id="filebrowser"]')
    if tab.get_attribute("aria-selected") != "true":
        tab.click()
    refresh(page)
    page.locator(".jp-DirListing-item", has_text=file).click(button="right")
    page.locator(".lm-Menu-item", has_text=command).click()


def palette(page: Page, words: str) -> list[str]:
    """Open the palette by its shortcut and type; the labels of the commands that it offers, the first one chosen."""
    page.keyboard.press("Control+Shift+C")
    page.keyboard.type(words)
    item = page.locator(".lm-CommandPalette-item:not(.lm-mod-disabled)")
    expect(item.first.locator(".lm-CommandPalette-itemLabel")).to_contain_text(words.split()[-1])
    return item.locator(".lm-CommandPalette-itemLabel").all_inner_texts()


def focused(page: Page) -> str:
    """What a screen reader calls the element that has the focus."""
    called = """() => {
      const it = document.activeElement;
      return it.ariaLabel || it.querySelector('[aria-label]')?.ariaLabel || it.innerText || '';
    }"""
    return str(page.evaluate(called)).strip()


def serious(page: Page, place: str) -> list[Any]:
    """What axe-core calls serious or critical within our own elements."""
    found = Axe().run(page, context={"include": [[place]]}).response["violations"]
    return [
        (one["id"], [node["html"][:200] for node in one["nodes"]])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


@contextmanager
def dark(page: Page, place: str) -> Iterator[None]:
    """Lab's dark theme, from when the place has taken its paper on."""
    change = """name => window.jupyterapp.commands
        .execute('apputils:change-theme', {theme: `JupyterLab ${name}`}).then(() => null)"""
    paper = "place => getComputedStyle(document.querySelector(place)).backgroundColor"
    light = page.evaluate(paper, place)
    page.evaluate(change, "Dark")
    page.wait_for_function(f"([place, light]) => ({paper})(place) !== light", arg=[place, light])
    try:
        yield
    finally:
        page.evaluate(change, "Light")


class Told:
    """All that an element of a view has said since, however briefly."""

    def __init__(self, page: Page, place: str):
        self._page = page
        page.evaluate(
            """place => {
              const told = window.told = [];
              const clicks = window.clicks = [];
              document.addEventListener('click', () => clicks.push(performance.now()), true);
              const look = () => {
                const text = document.querySelector(place)?.textContent ?? '';
                if (text !== told.at(-1)?.[1]) told.push([performance.now(), text]);
              };
              const options = { childList: true, subtree: true, characterData: true };
              new MutationObserver(look).observe(document.querySelector('.jp-Notebook'), options);
            }""",
            place,
        )

    @property
    def texts(self) -> list[str]:
        """What it said, in order."""
        return [text for _, text in self._page.evaluate("told")]

    def since_click(self, text: str) -> float:
        """Milliseconds from the page's last click until it said this."""
        return float(self._page.evaluate("text => told.findLast(([, said]) => said === text)[0] - clicks.at(-1)", text))
