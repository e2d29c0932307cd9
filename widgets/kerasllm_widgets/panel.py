"""Panel: a recipe's form, Train, and the run that it starts. Nothing of Keras is imported into the kernel."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import traitlets

from kerasllm import recipes
from kerasllm.errors import InputError
from kerasllm.recipe import Recipe
from kerasllm.run import Run, create
from kerasllm_widgets import cells, children, form, mark, notebooks
from kerasllm_widgets.bundle import module, styles
from kerasllm_widgets.estimate import estimate
from kerasllm_widgets.playground import Playground
from kerasllm_widgets.still import Still, said, wrapped
from kerasllm_widgets.view import RunView

BUSY = {"en": "A run is going on", "zh": "训练正在进行"}


class Form(anywidget.AnyWidget):
    """The recipe's fields; it sends what is typed and shows what is wrong with it."""

    _esm = module("form.js")
    _css = styles()
    schema = traitlets.Dict().tag(sync=True)
    values = traitlets.Dict().tag(sync=True)  # as typed: text, or a bool
    mistakes = traitlets.Dict().tag(sync=True)  # {parameter: {"en": …, "zh": …}}
    files: traitlets.List[str] = traitlets.List().tag(sync=True)  # suggested for a file
    preview = traitlets.Dict().tag(sync=True)
    card = traitlets.Dict().tag(sync=True)  # {"state": "reading"}, then {"lines": …} or {"problem": …}
    estimate = traitlets.Dict().tag(sync=True)
    notice = traitlets.Dict().tag(sync=True)  # what came of a click: {"kind", "words"}
    busy = traitlets.Bool(False).tag(sync=True)  # a run is live: no second Train
    free_name = traitlets.Unicode().tag(sync=True)  # for Save as notebook


class Panel(ipywidgets.VBox):
    """Train a recipe from a form: `Panel("text_classifier")`, or with settings of your own, `Panel(recipe)`."""

    def __init__(self, recipe: str | type[Recipe] | Recipe, *, runs: str | Path | None = None):
        """`runs`: the folder of runs, as everywhere. The run that this notebook's panel began before is shown again."""
        given = (
            recipe if isinstance(recipe, Recipe) else (recipes.find(recipe) if isinstance(recipe, str) else recipe)()
        )
        self.recipe = type(given)
        self._runs = runs
        self._last_read: dict[str, Any] = {}
        self._last_stamp: Any = None  # of the file that was read: one that was mended since is read again
        self._reading = threading.Lock()
        self._checking = threading.Lock()  # each check is of the values as they are: the last one is of the newest
        self._closed = threading.Event()
        self._answering = threading.Lock()
        self._newest: dict[str, object] = {}  # of each kind the click that is still to be answered
        self._cell = cells.here()[0]
        earlier = mark.find(self.recipe.name(), runs, self._cell)
        if earlier and not isinstance(recipe, Recipe):
            with suppress(InputError):  # another version's parameters
                given = earlier.recipe
        self.form = Form(
            schema=form.schema(self.recipe),
            values=_as_typed(given),
            files=form.files_nearby(Path.cwd(), self.recipe),
            free_name=_free_name(self.recipe.name()),
        )
        self.view = RunView()
        self.view.offers_trying = True
        self.playground: Playground | None = None
        super().__init__([self.form, self.view])
        self.still = self.view.still = Still(self._kept)
        self.form.observe(self._typed, "values")
        self.form.on_msg(self._receive)
        self.view.observe(self._looked, "look")
        self.view.on_msg(self._try)
        if earlier:
            self.view.follow(earlier)
        self._check()

    @property
    def run(self) -> Run | None:
        """The run that it shows."""
        return self.view.run

    @property
    def values(self) -> dict[str, Any]:
        """What stands in the form, as typed."""
        return dict(self.form.values)

    @property
    def given(self) -> dict[str, Any]:
        """What a run is made of: the values as typed, without the blanks around them."""
        return form.given(self.recipe, self.form.values)

    def _ipython_display_(self) -> None:
        self.still.display(self)
        self._park()
        self._look_at_file()

    def close(self) -> None:
        """Close what it is made of, too. A try for an estimate ends, a run goes on."""
        self._closed.set()
        self._newest.clear()
        self._leave_playground()
        self.form.close()
        self.view.close()
        super().close()

    def train(self, name: str = "") -> Run:
        """Start a run with what stands in the form, in a process of its own; a wrong value raises InputError."""
        recipe = self._settled().anchored()
        try:
            recipe.fingerprints()  # before a run is made of what cannot be read
        except InputError as error:
            self.form.mistakes = {form.place(recipe, error): form.told(error)}
            raise
        run = create(recipe, self._runs, name, "panel")
        mark.leave(run, self._cell)
        self._leave_playground()
        children.train(run)
        self.view.follow(run)
        return run

    def save(self, name: str = "") -> Path:
        """Save the settings as a notebook that runs by itself, by default under a name that is free."""
        path = Path(name or _free_name(self.recipe.name()))
        notebooks.save(self._settled(), path)
        self.form.free_name = _free_name(self.recipe.name())
        return path

    @classmethod
    def from_notebook(cls, path: str | Path, *, runs: str | Path | None = None) -> Panel:
        """A panel with the settings of a recipe's notebook, such as `save` wrote."""
        return cls(notebooks.load(Path(path)), runs=runs)

    def _settled(self) -> Recipe:
        """The recipe with what stands in the form; a wrong value raises InputError."""
        self._read()  # what is told of the file comes before what is told of the run
        if self._check():
            place, words = next(iter(self.form.mistakes.items()))
            raise InputError(*(f"{place}: {words[one]}" if place else words[one] for one in ("en", "zh")))
        return self.recipe(**self.given)

    def _train(self) -> None:
        try:
            self.train()
        except InputError as error:
            self.form.notice = {"kind": "problem", "words": form.told(error)}
        finally:
            self.form.busy = self.view.look.get("state") in children.LIVING

    def _estimate(self, click: object) -> None:
        def is_wanted() -> bool:
            return self._newest.get("estimate") is click

        found: dict[str, Any] = {"estimate": {}}
        try:
            found["estimate"] = {"state": "done", **estimate(self._settled(), is_wanted)}
        except InputError as error:
            found["notice"] = {"kind": "problem", "words": form.told(error)}
        finally:
            self._answer("estimate", click, found)
            self._park()

    def _card(self, click: object) -> None:
        try:
            found: dict[str, Any] = {"lines": form.card(self._settled())}
        except InputError as error:
            found = {"problem": form.told(error)}
        self._answer("card", click, {"card": found})

    def _answer(self, what: str, click: object, found: dict[str, Any]) -> None:
        """Show what came of a click, unless a newer one took its place, or other values were typed since."""
        with self._answering:
            if self._newest.get(what) is click:
                for trait, value in found.items():
                    setattr(self.form, trait, value)

    def _save(self, name: str) -> None:
        try:
            self.form.notice = {"kind": "saved", "words": self.save(name).name}
        except InputError as error:
            self.form.notice = {"kind": "problem", "words": form.told(error)}

    def _receive(self, _: Any, content: dict[str, Any], buffers: Any) -> None:
        """A click: {"do": "train"}, "estimate", "card" or "save", this one with a name; and the page's `values`."""
        if "values" in content:  # set as the page's own change is: it is not sent back to overwrite what is typed since
            self.form.set_state({"values": content["values"]})
        self.form.notice = {}
        if content["do"] in ("train", "estimate") and self.form.busy:  # a second click of a double-click, say
            self.form.notice = {"kind": "problem", "words": BUSY}
            return
        if content["do"] == "estimate":
            if self.form.estimate.get("state") == "trying":
                return
            self.form.estimate = {"state": "trying"}
        if content["do"] == "card":
            self.form.card = {"state": "reading"}
        if content["do"] == "train":
            self.form.busy = True
        click = self._newest[content["do"]] = object()
        work: dict[str, Callable[[], None]] = {
            "train": self._train,
            "estimate": lambda: self._estimate(click),
            "card": lambda: self._card(click),
            "save": lambda: self._save(content["name"]),
        }
        cells.in_thread("panel", work[content["do"]])  # large files take their time

    def _try(self, _: Any, content: dict[str, Any], buffers: Any) -> None:
        """Open a playground below the run."""
        if content["do"] == "try" and self.run:
            self._leave_playground()
            self.playground = Playground(self.run)
            cells.in_thread("playground", self.playground.watch)
            # It answers in the process that was parked: have another ready for the next Train.
            self.playground.observe(lambda _: self._park(), "answer")
            self.children = [self.form, self.view, self.playground]

    def _leave_playground(self) -> None:
        if self.playground:
            self.children = [self.form, self.view]
            self.playground.close()
            self.playground = None

    def _typed(self, change: dict[str, Any]) -> None:
        with self._answering:
            self._newest.clear()
            self.form.estimate = self.form.card = self.form.notice = {}
        self._check()
        if change["old"].get("data") != change["new"].get("data"):
            self._look_at_file()

    def _check(self) -> bool:
        """Name what is wrong under its field; whether anything is."""
        with self._checking:
            values, read = self.given, self._last_read
            is_read = read.get("source") == values["data"]
            known = read["columns"] if is_read and read.get("table") else None
            found = form.places(self.recipe, values, known) | form.mistakes(self.recipe, values)
            if is_read and read["error"]:
                found["data"] = read["error"]
            if not values["data"]:
                found["data"] = {"en": "is needed", "zh": "不能为空"}
            self.form.mistakes = found
        return bool(found)

    def _look_at_file(self) -> None:
        """Read the file in a thread: the kernel stays free."""
        cells.in_thread("panel", self._read)

    def _read(self) -> None:
        """Read the file, if it is another one or was written since it was read."""
        with self._reading:
            source = self.given["data"]
            stamp = form.stamp(source)
            if source != self._last_read.get("source") or stamp != self._last_stamp:
                self._last_read, self._last_stamp = form.preview(self.recipe, source), stamp
                self.form.preview = self._last_read
                self._check()

    def _looked(self, change: dict[str, Any]) -> None:
        """No second Train while one goes on; when it has ended, get ready for the next."""
        live = change["new"].get("state") in children.LIVING
        if self.form.busy and not live:
            self._park()
        self.form.busy = live

    def _park(self) -> None:
        """Have a process ready for the next Train, as long as there may be one."""
        if not self._closed.is_set():
            children.park()

    def _kept(self) -> str:
        if self.run:
            return self.view.kept()
        language = self.view.language
        return wrapped(f"<div>{said(self.recipe.summary(language), language)}</div>", language)


def _as_typed(recipe: Recipe) -> dict[str, Any]:
    """A recipe's values as a person would type them."""
    return {
        name: value if isinstance(value, (bool, str)) else str(value).removesuffix(".0")
        for name, value in recipe.model_dump().items()
    }


def _free_name(stem: str) -> str:
    """The first of stem-1.ipynb, stem-2.ipynb … that is not there."""
    number = 1
    while Path(f"{stem}-{number}.ipynb").exists():
        number += 1
    return f"{stem}-{number}.ipynb"
