"""The routes: each verb authenticated and authorized, each path below the root, each parameter checked first."""

from __future__ import annotations

import asyncio
import functools
from asyncio import Future
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import ensure_async, url_path_join
from send2trash import send2trash
from tornado.web import HTTPError, authenticated

from kerasllm import __version__, recipes
from kerasllm.data.card import told
from kerasllm.data.look import kind
from kerasllm.errors import InputError
from kerasllm.evaluate import flat
from kerasllm.parameters import schema
from kerasllm.run import Run, files
from kerasllm.session import check_replayable
from kerasllm_widgets.log import LOG
from kerasllm_widgets.server import forms, paths
from kerasllm_widgets.server.curves import Curves
from kerasllm_widgets.server.notebooks import form, panel_notebook, reserve_notebook
from kerasllm_widgets.server.queue import Queue
from kerasllm_widgets.server.rows import LIVING, ODD, Rows, readable, seen, waiting


@dataclass(frozen=True)
class Context:
    """What the routes share: the server's root (canonical), the folder of runs, and what is kept of runs."""

    root: Path
    runs: Path
    queue: Queue
    rows: Rows
    curves: Curves
    started: str = field(default_factory=lambda: uuid4().hex)  # another one for each start of the server

    def queued(self) -> dict[str, int]:
        """The runs that wait for their turn by place, and as 0 those whose child has not written yet.

        To be asked in the event loop, where the queue moves on: on its way to those that start a run is in
        neither list. And before a run's state: what leaves both after that has written, or was stopped.
        """
        waiting = self.queue.waiting()
        return {**dict.fromkeys(self.queue.starting(), 0), **{name: place for place, name in enumerate(waiting, 1)}}

    def seen(self, run: Run, queued: Mapping[str, int]) -> dict[str, Any]:
        """What every page is told of the run now."""
        found = seen(run)
        return waiting(found) if run.name in queued else found

    def state(self, run: Run) -> str:
        """The run's state."""
        return str(self.seen(run, self.queued())["state"])


def _told(verb: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Answer with the one line of an InputError (400), or of a file that is not there, in the browser's language."""

    @functools.wraps(verb)
    async def told(self: Route, **parts: str) -> None:
        try:
            await verb(self, **parts)
        except (InputError, forms.Elsewhere) as error:
            self.set_status(404 if isinstance(error, forms.Elsewhere) else 400)
            english = error.log_message if isinstance(error, forms.Elsewhere) else str(error)
            self.finish({"message": error.zh if self.language == "zh" else english})

    return told


class Route(APIHandler):
    """What every route shares."""

    auth_resource = "kerasllm"

    @property
    def context(self) -> Context:
        """The extension's own things."""
        found: Context = self.settings["kerasllm"]
        return found

    @property
    def language(self) -> str:
        """ "zh" or "en", as the browser asks."""
        return "zh" if self.get_query_argument("language", "en").startswith("zh") else "en"

    def said(self, found: dict[str, Any]) -> dict[str, Any]:
        """What is seen of a run, with its message in the browser's language alone."""
        zh = found["message_zh"] if self.language == "zh" else ""
        return {name: found[name] for name in found if name != "message_zh"} | {"message": zh or found["message"]}

    @property
    def data(self) -> Path | None:
        """The file or folder that the browser asks about, if it does."""
        path = self.get_query_argument("data", "")
        return paths.below(self.context.root, path) if path else None

    def finish(self, *content: Any, **options: Any) -> Future[Any]:
        """Answer; NaN and infinities, which a copied run's files may hold and no browser reads, become null."""
        return super().finish(*(files.finite(one) for one in content), **options)

    def body(self, **kinds: type) -> list[Any]:
        """The JSON body's fields of these names and types; 400 for another body."""
        content = self.get_json_body()
        if not isinstance(content, dict) or not all(isinstance(content.get(name), kinds[name]) for name in kinds):
            raise HTTPError(400, f"the body needs {', '.join(f'{name} ({kinds[name].__name__})' for name in kinds)}")
        return [content[name] for name in kinds]


class Recipes(Route):
    """The recipes, for the launcher's cards and for the file or folder at `data`."""

    @authenticated
    @authorized
    @_told
    async def get(self) -> None:
        """Name and summary of each that takes such data."""
        found = [recipes.find(name) for name in recipes.names()]
        if self.data:
            found = [recipe for recipe in found if kind(self.data) in recipe.takes]
        shown = [{"name": one.name(), "summary": one.summary(self.language)} for one in found]
        self.finish({"recipes": shown, "version": __version__})


class Schema(Route):
    """A recipe's form."""

    @authenticated
    @authorized
    @_told
    async def get(self, name: str) -> None:
        """Its parameters as JSON schema, and its values for the file or folder at `data`."""
        if name not in recipes.names():
            raise HTTPError(404)
        recipe, data = recipes.find(name), self.data
        if data:
            self.finish(await asyncio.to_thread(forms.form_for, recipe, data, self.language))
        else:
            self.finish({"recipe": name, "schema": schema(recipe, self.language), "values": {}})


class Notebooks(Route):
    """Notebooks below the root."""

    @authenticated
    @authorized
    @_told
    async def get(self) -> None:
        """The form of the notebook at `path`."""
        path = paths.below(self.context.root, self.get_query_argument("path"))
        self.finish(await asyncio.to_thread(form, path, self.language))

    @authenticated
    @authorized
    @_told
    async def post(self) -> None:
        """Write a recipe's notebook, with its panel, into a folder; the answer is its path."""
        recipe, folder = self.body(recipe=str, folder=str)
        if recipe not in recipes.names():
            raise HTTPError(404)
        if not paths.below(self.context.root, folder).is_dir():
            raise HTTPError(404)
        contents = self.contents_manager
        name = await ensure_async(contents.increment_filename(f"{recipe}.ipynb", folder))
        model = {"type": "notebook", "format": "json", "content": panel_notebook(recipe)}
        saved = await ensure_async(contents.save(model, url_path_join(folder, name).strip("/")))
        self.set_status(201)
        self.finish({"path": saved["path"]})


class Runs(Route):
    """The folder of runs."""

    _track_activity = False  # a sidebar that looks on does not keep an idle server up

    @authenticated
    @authorized
    async def get(self) -> None:
        """What the sidebar shows, newest first; 304 where nothing has changed."""
        places = self.context.queued()
        rows = await asyncio.to_thread(self.context.rows.read)
        rows = [waiting(row) if row["name"] in places else row for row in rows]
        shown = [{**self.said(row), "waits": places.get(row["name"], 0)} for row in rows]
        queue = self.context.queue
        limits = {"limit": queue.limit, "own_limit": queue.own_limit}
        self.finish({"runs": shown, **limits, "server": self.context.started})

    @authenticated
    @authorized("execute")
    @_told
    async def post(self) -> None:
        """Check a filled form of a recipe or a notebook, reserve its run, and queue it; the answer is its name."""
        context = self.context
        values, source = self.body(values=dict, source=str)
        if source.endswith(".ipynb"):
            path = paths.below(context.root, source)
            filled = forms.Filled(values, str(PurePosixPath(source).parent))
            run = await asyncio.to_thread(reserve_notebook, context.root, context.runs, path, filled)
        elif source in recipes.names():
            (folder,) = self.body(folder=str)
            recipe, filled = recipes.find(source), forms.Filled(values, folder)
            run = await asyncio.to_thread(forms.reserve_training, context.root, context.runs, recipe, filled)
        else:
            raise HTTPError(404)
        context.queue.add(run)
        self.set_status(202)
        self.finish({"name": run.name})


class One(Route):
    """One run."""

    _track_activity = False  # nor does a view

    @authenticated
    @authorized
    @_told
    async def get(self, name: str) -> None:
        """Everything a view shows of it."""
        run = paths.run(self.context.runs, name)
        self.finish(await asyncio.to_thread(self._look, run, self.context.queued()))

    def _look(self, run: Run, queued: Mapping[str, int]) -> dict[str, Any]:
        with readable(run):
            card = run.card
            return {
                "name": run.name,
                "recipe": run.asked["recipe"],
                "parameters": run.asked["parameters"],
                "created": run.asked["created"],
                **self.said(self.context.seen(run, queued)),
                "split": run.scores.get("split", ""),
                "splits": {name: flat(scores) for name, scores in run.report.get("splits", {}).items()},
                "curve": self.context.curves.drawn(run),
                "warnings": [told(card, line, self.language) for line in card.get("warnings", [])],
                "notebook": self._below(run.path / "notebook.ipynb"),
                "log": self._below(run.path / LOG),
                "figures": [
                    {"path": self._below(figure), "changed": figure.stat().st_mtime}
                    for figure in sorted(run.path.glob("figures/*.png"))
                ],
            }

    def _below(self, file: Path) -> str | None:
        """A file's path below the server's root, for Lab to open; None where it lies elsewhere."""
        return paths.relative(self.context.root, file)

    @authenticated
    @authorized
    @_told
    async def delete(self, name: str) -> None:
        """Move it to the trash; refused while something works on it."""
        run = paths.run(self.context.runs, name)
        try:
            state = self.context.state(run)
        except ODD:
            state = "unreadable"  # as the sidebar shows it
        if state in LIVING:
            raise InputError(f"{run.name} is {state}; stop it first", f"{run.name} 尚未结束；请先停止")
        if not await self._is_left(run):
            raise InputError(
                f"{run.name} has ended, but its process not yet; try again",
                f"{run.name} 已结束，进程尚未退出；请再试一次",
            )
        try:
            await asyncio.to_thread(send2trash, str(run.path))
        except OSError as error:
            raise InputError(
                f"{run.name} cannot be moved to the trash: {error}", f"{run.name} 无法移到回收站：{error}"
            ) from error
        self.set_status(204)
        self.finish()

    async def _is_left(self, run: Run) -> bool:
        """Wait a while for the run's process, which tidies up after it has told the state."""
        for _ in range(100):
            if not self.context.queue.works_on(run):
                return True
            await asyncio.sleep(0.1)
            self.context.queue.tick()
        return False


class Limit(Route):
    """How many background runs train at once."""

    @authenticated
    @authorized("execute")
    @_told
    async def put(self) -> None:
        """Change it, until the server ends; 0: back to as it was started."""
        (limit,) = self.body(limit=int)
        if limit < 0:
            raise InputError(
                "limit: at least 1, or 0: as the server was started", "limit：至少 1，或 0：按服务器启动时的设置"
            )
        queue = self.context.queue
        queue.limit = limit or queue.own_limit
        self.set_status(204)
        self.finish()


class Stop(Route):
    """Stopping."""

    @authenticated
    @authorized
    @_told
    async def post(self, name: str) -> None:
        """Ask the trainer to stop, or take the run out of the queue."""
        run = paths.run(self.context.runs, name)
        if not self.context.queue.stop(run) or run.state in ("running", "stopping"):  # started elsewhere meanwhile
            run.stop()
        self.set_status(204)
        self.finish()


class Resume(Route):
    """Going on."""

    @authenticated
    @authorized("execute")
    @_told
    async def post(self, name: str) -> None:
        """Queue a run to go on from its last checkpoint."""
        run = paths.run(self.context.runs, name)
        state = self.context.state(run)
        if state in (*LIVING, "completed"):
            zh = "已完成" if state == "completed" else "尚未结束"
            raise InputError(f"{run.name} is {state} already", f"{run.name} {zh}，不能继续")
        check_replayable(run)
        self.context.queue.add(run)
        self.set_status(202)
        self.finish({"name": run.name})


NAME = r"(?P<name>[^/]+)"
ROUTES = [
    (r"/kerasllm/recipes", Recipes),
    (rf"/kerasllm/recipes/{NAME}", Schema),
    (r"/kerasllm/notebooks", Notebooks),
    (r"/kerasllm/limit", Limit),
    (r"/kerasllm/runs", Runs),
    (rf"/kerasllm/runs/{NAME}", One),
    (rf"/kerasllm/runs/{NAME}/stop", Stop),
    (rf"/kerasllm/runs/{NAME}/resume", Resume),
]
