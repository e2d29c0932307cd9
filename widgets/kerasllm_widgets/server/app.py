"""KerasLLM: the extension that Jupyter Server loads, and its settings."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_server.extension.application import ExtensionApp
from tornado.ioloop import PeriodicCallback
from traitlets import Bool, Int, Unicode

from kerasllm_widgets.server.curves import Curves
from kerasllm_widgets.server.queue import Queue
from kerasllm_widgets.server.routes import ROUTES, Context
from kerasllm_widgets.server.rows import Rows

TICK = 500  # milliseconds between two looks at the queue


class KerasLLM(ExtensionApp):
    """Set it on the command line (`jupyter lab --KerasLLM.limit=2`) or in jupyter_server_config.py."""

    name = "kerasllm"
    load_other_extensions = True

    runs = Unicode(help="Folder of runs. Default: KERASLLM_RUNS, else runs/ in the server's root.", config=True)
    limit = Int(1, min=1, help="How many background runs train at once; the others wait.", config=True)
    keep_running = Bool(True, help="Whether background runs outlive the server.", config=True)

    def initialize_settings(self) -> None:
        """Find the folder of runs and name it to every kernel that this server will start."""
        assert self.serverapp
        root = Path(self.serverapp.root_dir).resolve()
        runs = Path(self.runs or os.environ.get("KERASLLM_RUNS") or root / "runs").absolute()
        os.environ["KERASLLM_RUNS"] = str(runs)
        self._queue = Queue(runs, self.limit)
        self.settings["kerasllm"] = Context(
            root=root, runs=runs, queue=self._queue, rows=Rows(root, runs), curves=Curves()
        )
        self._ticks = PeriodicCallback(self._queue.tick, TICK)
        self._ticks.start()

    def initialize_handlers(self) -> None:
        """Put the routes below the server's base URL."""
        self.handlers.extend(ROUTES)

    async def stop_extension(self) -> None:
        """Let the background runs go on, or ask them to stop, as the setting says."""
        self._ticks.stop()
        if not self.keep_running:
            self._queue.stop_all()
