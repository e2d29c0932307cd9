"""RunView: any run, live or ended, whoever started it. It reads the run's folder; all it writes is a wish to stop."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from kerasllm.data.card import told
from kerasllm.errors import InputError, in_one_line
from kerasllm.evaluate import flat
from kerasllm.run import Run, open_run
from kerasllm.run.folder import ENDED
from kerasllm.run.process import is_stalled
from kerasllm.run.watch import Tail
from kerasllm.session import check_replayable
from kerasllm_widgets import cells, children, log
from kerasllm_widgets.bundle import module, styles
from kerasllm_widgets.curve import Curve
from kerasllm_widgets.still import Still, html

POLL = 0.3  # seconds between two looks at a live run
REST = 1.0  # at an ended one, which somebody may resume
# Between two sendings: a share of the phase's age, some seconds at most. Most of what watching costs
# is a page's drawing, on a processor that the training may want.
SHARE, LATEST = 1 / 4, 5.0
KEEP = 30.0  # between two replacements of the still, which are dearer
SHOWN = (
    "phase", "epoch", "epochs", "step", "steps", "eta", "metrics", "message", "message_zh", "device", "note", "note_zh",
)  # fmt: skip
MOST_CLASSES = 15  # in a confusion matrix drawn as a table


class RunView(anywidget.AnyWidget):
    """A run's progress, curve and result, with Stop and Resume."""

    _esm = module("run.js")
    _css = styles()
    look = traitlets.Dict().tag(sync=True)  # state, phase, step … ; {} where there is no run
    curve = traitlets.Dict().tag(sync=True)
    result = traitlets.Dict().tag(sync=True)
    figures: traitlets.List[dict[str, str]] = traitlets.List().tag(sync=True)  # when asked for
    log = traitlets.Unicode().tag(sync=True)  # when asked for
    offers_trying = traitlets.Bool(False).tag(sync=True)  # where a panel has room for a playground
    problem = traitlets.Unicode().tag(sync=True)  # why a click did nothing
    language = traitlets.Unicode("en").tag(sync=True)  # the browser's

    def __init__(self, run: Run | str | Path | None = None, *, runs: str | Path | None = None):
        """Show a run, or one by its path, name, a beginning of its name, or `last`; `runs` is the folder of runs."""
        super().__init__()
        self.run: Run | None = None
        self.still = Still(self.kept)
        self._wake = threading.Event()
        self._until: threading.Event | None = None
        self.on_msg(self._receive)
        self.observe(lambda _: self.still.update(), "language")  # it comes after the first display
        if run is not None:
            self.follow(run if isinstance(run, Run) else open_run(run, runs))

    def follow(self, run: Run) -> None:
        """Turn to a run."""
        if self._until:
            self._until.set()
        self.run, self._until = run, threading.Event()
        self.curve, self.result, self.figures, self.log, self.problem = {}, {}, [], "", ""
        self.look = _look(run)
        cells.in_thread("view", self._watch, run, self._until)

    def kept(self) -> str:
        """What a notebook keeps of the run."""
        return html(self.run, self.language, self.curve or None) if self.run else ""

    def close(self) -> None:
        """Look no more."""
        if self._until:
            self._until.set()
            self._wake.set()
        super().close()

    def _ipython_display_(self) -> None:
        self.still.display(self)

    def _watch(self, run: Run, until: threading.Event) -> None:
        """Look at the folder until turned away; send what has changed, the rarer the longer a phase lasts."""
        tail, curve, news = Tail(run.path / "history.jsonl"), Curve(), False
        stage, since, sent = ("", ""), 0.0, 0.0  # the state and its phase, since when, and when it was last sent
        told, kept = "", 0.0  # the state that the still tells, and since when
        while not until.is_set():
            look = _look(run)
            ended = look["state"] not in children.LIVING
            if look["state"] == "deleted":
                self.look = look  # what was shown of it stays, here and in the still
                until.wait(REST)  # it may come back from the trash
                continue
            lines = tail.read()
            curve.add(lines)
            if until.is_set():
                return
            news, is_new, now = news or bool(lines), look != self.look, time.monotonic()
            reached = look["state"], look.get("phase", "")
            if reached != stage:
                stage, since, sent = reached, now, 0.0
            is_due = ended or now - sent >= min(SHARE * (now - since), LATEST)
            if is_due and (news or is_new or (ended and not self.result)):
                drawn, result = curve.drawn(), _result(run) if ended else {}
                with self.hold_sync():
                    self.curve, self.result, self.look = drawn, result, look
                news, sent = False, now
            if look["state"] != told or (is_new and time.monotonic() - kept >= KEEP):
                self.still.update()
                told, kept = look["state"], time.monotonic()
            self._wake.wait(REST if ended else POLL)
            self._wake.clear()

    def _receive(self, _: Any, content: dict[str, Any], buffers: Any) -> None:
        """A click: {"do": "stop", "session": WHICH}, "resume", "figures" or "log"; "try" is for the panel around it."""
        stop = partial(self.stop, content.get("session"))
        work: dict[str, Callable[[], None]] = {
            "stop": stop,
            "resume": self.resume,
            "figures": self._figures,
            "log": self._log,
        }
        if not self.run or content["do"] not in work:
            return
        self.problem = ""
        try:
            if children.is_deleted(self.run):
                raise InputError(f"{self.run.name} was deleted", f"{self.run.name} 已被删除")
            work[content["do"]]()
        except InputError as error:
            self.problem = error.said(self.language)
        except OSError as error:  # a folder that may only be read, a full disk, a figure that is gone
            self.problem = in_one_line(error)

    def stop(self, session: float | None = None) -> None:
        """Ask the run to stop: within one batch, with a model and a checkpoint. An ended one is as asked.

        `session` is the one meant, by its start: a busy kernel hears of a click late, when a later one may go on.
        """
        assert self.run
        is_meant = session in (None, _look(self.run).get("session"))
        if is_meant and (self.run.state not in ENDED or children.is_starting(self.run, self.run.status)):
            children.stop(self.run)
        self.look = _look(self.run)
        self._wake.set()

    def resume(self) -> None:
        """Go on with the run in a child process."""
        assert self.run
        check_replayable(self.run)
        children.train(self.run)
        self.log = ""  # it was of the session before
        self.look = _look(self.run)
        self._wake.set()

    def _figures(self) -> None:
        assert self.run
        self.figures = [
            {"name": file.stem, "png": base64.b64encode(file.read_bytes()).decode()}
            for file in sorted((self.run.path / "figures").glob("*.png"))
        ]

    def _log(self) -> None:
        assert self.run
        self.log = log.tail(self.run)


def _look(run: Run) -> dict[str, Any]:
    """What a view shows of a run now."""
    state, status = run.state, run.status
    asked = {name: run.asked[name] for name in ("recipe", "created")}
    look = {"name": run.name, "path": str(run.path), **asked, "state": state}
    if children.is_deleted(run):
        return {**look, "state": "deleted"}
    if children.is_starting(run, status):
        stopping = (run.path / "stop").exists() and status["state"] == "queued"
        return {**look, "state": "stopping" if stopping else "starting"}
    if words := children.refusal(run, status):
        look["problem"] = words
    if state in ("running", "stopping"):
        if is_stalled(status):
            look["state"] = "stalled"
        if "started" in status:
            look["session"] = status["started"]
    return {**look, **{name: status[name] for name in SHOWN if status.get(name) not in (None, "")}}


def _result(run: Run) -> dict[str, Any]:
    """Scores by split, the main split's confusion matrix, and which figures there are."""
    report = run.report
    if not report:
        return {}
    card = run.card
    main = report["splits"][report["split"]]
    names = list(main.get("per_class", {}))
    result = {
        "splits": {name: flat(scores) for name, scores in report["splits"].items()},
        "split": report["split"],
        "main": main.get("main", ""),
        "weights": report.get("weights", ""),
        "figures": [file.stem for file in sorted((run.path / "figures").glob("*.png"))],
        "warnings": [
            {language: told(card, line, language) for language in ("en", "zh")} for line in card.get("warnings", [])
        ],
    }
    if 0 < len(names) <= MOST_CLASSES and "confusion_matrix" in main:
        result["confusion"] = {"names": names, "counts": main["confusion_matrix"]}
    return result
