"""Playground: try a run's model on a text, a row, a picture or a prompt, also while the run goes on.

The model answers in a process of its own, so that the kernel imports no Keras and stays free.
"""

from __future__ import annotations

import base64
import threading
import time
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from kerasllm.encoders import INPUTS
from kerasllm.errors import InputError
from kerasllm.language import Writing
from kerasllm.run import Run, open_run
from kerasllm.run.folder import LIVE
from kerasllm_widgets import cells, children
from kerasllm_widgets.bundle import module, styles
from kerasllm_widgets.form import control, mistakes, told
from kerasllm_widgets.still import Still, html

REST = 1.0  # seconds between two looks at the run's state
SEND = 0.1  # seconds between two sendings of a text that is being written
MOST_LABELS = 10  # of an answer that are shown


class Playground(anywidget.AnyWidget):
    """Ask a run's model."""

    _esm = module("playground.js")
    _css = styles()
    kind = traitlets.Unicode().tag(sync=True)  # "" until the run has read its data
    ended = traitlets.Bool(False).tag(sync=True)  # before it had: there is nothing to ask
    name = traitlets.Unicode().tag(sync=True)
    columns: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)  # of a table
    options: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)  # of a text to be written
    answer = traitlets.Dict().tag(sync=True)
    language = traitlets.Unicode("en").tag(sync=True)

    def __init__(self, run: Run | str | Path, *, runs: str | Path | None = None):
        """Ask a run, or one by its path, name, a beginning of its name, or `last`."""
        super().__init__()
        self.run = run if isinstance(run, Run) else open_run(run, runs)
        self.still = Still(lambda: html(self.run, self.language))
        self._written: tuple[Any, str] = None, ""  # the question's id, and the text so far
        self._sent = 0.0
        self.name = self.run.name
        self._closed = threading.Event()
        self.options = [control(name, field) for name, field in Writing.model_fields.items()]
        self.recognize()
        self.on_msg(self._receive)
        self.observe(lambda _: self.still.update(), "language")  # it comes after the first display

    def ask(self, **question: Any) -> None:
        """Send a question to the model; its answer comes to the trait `answer`, with the question's id."""
        children.ask(self.run, question, self._hear)

    def close(self) -> None:
        """Let the model's process go."""
        self._closed.set()
        children.hush(self.run, self._hear)
        super().close()

    def _ipython_display_(self) -> None:
        self.still.display(self)
        children.park()
        cells.in_thread("playground", self.watch)

    def watch(self) -> None:
        """Look, until it is closed, whether the run has read its data, and have the still tell what became of it."""
        told = self.run.state
        while not self._closed.wait(REST):
            if not self.kind:
                self.recognize()  # one that had ended with nothing may go on, too
            if (state := self.run.state) != told:
                self.still.update()
                told = state

    def recognize(self) -> None:
        """Which kind of question the run answers, once its encoder is written."""
        lives = self.run.state in LIVE or children.is_starting(self.run, self.run.status)
        folder = self.run.path  # looked at after the state: what has ended writes no more
        encoder = next((one for one in INPUTS if (folder / one.FILE).exists()), None)
        if encoder and encoder.TAKES == "table" and not self.columns:
            self.columns = [
                {"name": one.name, "kind": one.kind, "value": f"{one.fill:.6g}", "choices": list(one.categories)}
                for one in encoder.load(folder).columns
            ]
        self.ended = not encoder and not lives
        self.kind = encoder.TAKES if encoder else ""  # last: the browser draws by it

    def _receive(self, _: Any, content: dict[str, Any], buffers: Any) -> None:
        """A question as the browser asks it; a picture's bytes come beside it."""
        question = {"id": content["id"]}
        if content["do"] == "picture":
            question["picture"] = base64.b64encode(bytes(buffers[0])).decode()
        elif content["do"] == "prompt":
            try:
                question |= {"prompt": content["prompt"], "options": _options(content["options"])}
            except InputError as error:
                self.answer = {"id": content["id"], "problem": told(error)}
                return
        else:
            question["rows"] = [content["row"]]
        self.ask(**question)

    def _hear(self, said: dict[str, Any]) -> None:
        """Take the model's words; a text that is being written is sent on ten times a second at most."""
        if "piece" not in said and "end" not in said:
            self.answer = _few(said)
            return
        id_, before = self._written
        text = ("" if said["id"] != id_ else before) + said.get("piece", "")
        self._written = said["id"], text
        if "end" in said or time.monotonic() - self._sent >= SEND:
            self.answer = {"id": said["id"], "text": text, "end": "end" in said, "source": said.get("source", "")}
            self._sent = time.monotonic()


def _options(given: dict[str, str]) -> dict[str, Any]:
    """How to write on, from what was typed."""
    for name, words in mistakes(Writing, given).items():
        raise InputError(f"{name}: {words['en']}", f"{name}：{words['zh']}")
    return Writing(**given).model_dump()


def _few(said: dict[str, Any]) -> dict[str, Any]:
    """An answer with its likeliest classes only."""
    if not said.get("answers"):
        return said
    answer = said.pop("answers")[0]
    shares = answer.get("probabilities")
    if shares is None:
        return {**said, "numbers": answer}
    return {**said, "label": answer["label"], "shares": list(shares.items())[:MOST_LABELS]}
