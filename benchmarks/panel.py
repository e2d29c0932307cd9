"""How quick the panel is, in a real JupyterLab and a real browser.

    python -m benchmarks.panel [--rounds 5]      # visible, first point, stop; a long run in the browser
    python -m benchmarks.panel --watching 4      # what watching costs a training: pairs with and without a view

It drives the browser with the help of the browser tests (tests/lab).
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Page, expect, sync_playwright

from kerasllm.run import Run
from tests.lab.conftest import CHROMIUM, FLAGS
from tests.lab.pages import TRAINING, button, open_notebook, state
from tests.lab.server import Server

PANEL = 'from kerasllm_widgets import Panel\nPanel("text_classifier")'
LONG = (
    "from kerasllm.recipes.linear_regression import LinearRegression\nfrom kerasllm_widgets import Panel\n"
    "Panel(LinearRegression(epochs=20_000, batch_size=16))"  # 80 rows: 100,000 steps
)
WATCHED = "1600"  # epochs that took two and a half minutes on two cores
IMPORTED = "import time; from kerasllm_widgets import children; children._parked.imported.wait(60)"
FRAME = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))))"


def main() -> None:
    """Print what was measured, a line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--watching", type=int, default=0, metavar="PAIRS")
    options = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="kerasllm-"))
    with Server(place, "jupyterlab") as lab, sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS).new_page()
        page.set_default_timeout(TRAINING)
        expect.set_options(timeout=TRAINING)
        if options.watching:
            watching(page, lab, options.watching)
            return
        seen: dict[str, list[float]] = {}
        for round_ in range(options.rounds):
            for name, seconds in start(page, lab, f"round-{round_}.ipynb").items():
                seen.setdefault(name, []).append(seconds)
        for name, values in seen.items():
            print(f"{name}: median {statistics.median(values):.2f} s, from {min(values):.2f} to {max(values):.2f}")
        long_run(page, lab)


def start(page: Page, lab: Server, name: str) -> dict[str, float]:
    """Seconds of one person's first minute with a panel, in a kernel of its own."""
    lab.notebook(name, "1", PANEL, IMPORTED)
    open_notebook(page, lab, name)
    execute(page, 0)
    found = {"visible": timed(lambda: execute(page, 1), lambda: page.wait_for_selector("form.kl-box"))}
    found["first point, cold"] = first_point(page)
    found["stop acknowledged"] = stop(page)
    execute(page, 2)  # the worker is parked again
    found["first point, parked worker"] = first_point(page)
    stop(page)
    return found


def first_point(page: Page) -> float:
    """Seconds from Train to the first point of the new run's curve."""
    before = page.locator(".kl-run strong").first.text_content()
    has_point = """before => document.querySelector('.kl-run strong')?.textContent !== before
        && document.querySelector('.kl-chart path.kl-line-0')?.getAttribute('d')"""
    return timed(button(page, "Train").click, lambda: page.wait_for_function(has_point, arg=before, polling="raf"))


def stop(page: Page) -> float:
    """Seconds from Stop until it is acknowledged; returns when the run has stopped."""
    seconds = timed(button(page, "Stop").click, lambda: state(page, "stopping", "stopped"))
    state(page, "stopped")
    return seconds


def long_run(page: Page, lab: Server) -> None:
    """Milliseconds from a click to the frame after it, and messages a second, while 100,000 steps go by."""
    times: list[float] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda _: times.append(time.monotonic())))
    lab.notebook("long.ipynb", LONG)
    open_notebook(page, lab, "long.ipynb")
    execute(page, 0)
    page.wait_for_selector("form.kl-box")
    button(page, "Train").click()
    page.wait_for_selector(".kl-chart path.kl-line-0", state="attached")
    began, latencies = time.monotonic(), []
    while page.locator(".kl-state[data-state=running]").count():
        latencies.append(
            page.evaluate(
                f"async () => {{ const began = performance.now();"
                f" document.querySelector('.kl-group summary').click(); return await ({FRAME})() - began; }}"
            )
        )
        page.wait_for_timeout(1000)
    state(page, "completed")
    seconds = time.monotonic() - began
    messages = sum(moment >= began for moment in times) / seconds
    steps = Run(lab.runs / str(page.locator(".kl-run strong").first.text_content())).status["steps"]
    print(f"{steps} steps in {seconds:.0f} s: {messages:.1f} messages a second")
    latencies.sort()
    worst, usual = latencies[-1], latencies[len(latencies) // 2]
    print(f"click to frame: median {usual:.0f} ms, 95 % {latencies[int(len(latencies) * 0.95)]:.0f}, worst {worst:.0f}")


def watching(page: Page, lab: Server, pairs: int) -> None:
    """What a view in the browser costs the training that it shows, beside the same one with the notebook only open.

    The processor's seconds that Lab and the browser take for the view, once it is shown, are told as a share of the
    training's: they differ less from time to time than the training's own.
    """
    seen: dict[str, list[float]] = {}
    for pair in range(pairs):
        alone, watched = (
            training(page, lab, f"pair-{pair}-{kind}", kind == "watched") for kind in ("alone", "watched")
        )
        print(f"alone {alone}, watched {watched}", flush=True)
        for kind in ("processor", "clock"):
            seen.setdefault(f"{kind} of the training, watched to alone", []).append(watched[kind] / alone[kind])
        view = (watched["others"] - alone["others"]) / alone["share"]
        seen.setdefault("processor of Lab and browser for the view, to the training's", []).append(view)
    for name, values in seen.items():
        print(f"{name}: median {statistics.median(values):.4f}, from {min(values):.4f} to {max(values):.4f}")


def training(page: Page, lab: Server, name: str, watched: bool) -> dict[str, float]:
    """Seconds of a training, the processor's and the clock's; and from its first line to its end the share of a
    processor that it takes, and that all `others` take."""
    run = lab.runs / name
    lab.notebook(f"{name}.ipynb", "import kerasllm_widgets", f'kerasllm_widgets.RunView("{name}")')
    open_notebook(page, lab, f"{name}.ipynb")
    execute(page, 0)
    trainer = lab.kerasllm("train", "text_classifier", "--epochs", WATCHED, "--name", name)
    while not (run / "history.jsonl").exists():
        time.sleep(0.05)
    if watched:
        execute(page, 1)
        page.wait_for_selector(".kl-chart path.kl-line-0", state="attached")
    others = [one for one in psutil.Process().children(recursive=True) if one.pid != trainer.pid]
    before, trained, began = spent(others), spent([psutil.Process(trainer.pid)]), time.monotonic()
    _, status, usage = os.wait4(trainer.pid, 0)
    processor, elapsed = usage.ru_utime + usage.ru_stime, time.monotonic() - began
    after = spent(others)
    trainer.returncode = os.waitstatus_to_exitcode(status)
    lines = Run(run).epochs
    lab.end_kernels()
    return {
        "processor": processor,
        "clock": lines[-1]["time"] - lines[0]["time"],
        "share": (processor - trained) / elapsed,
        "others": (after - before) / elapsed,
    }


def spent(processes: list[psutil.Process]) -> float:
    """Seconds of the processor that they have taken, with their children that have ended."""
    return sum(sum(one.cpu_times()[:4]) for one in processes if one.is_running())


def execute(page: Page, place: int) -> None:
    """Run a cell, and wait until it has run; a panel's shows itself a moment later."""
    cell = page.locator(".jp-CodeCell").nth(place)
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    expect(cell.locator(".jp-InputPrompt")).not_to_have_text("[ ]:")
    if place != 1:
        expect(cell.locator(".jp-InputPrompt")).not_to_have_text("[*]:")


def timed(act: Any, wait: Any) -> float:
    """Seconds from an act to what it leads to."""
    began = time.perf_counter()
    act()
    wait()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
