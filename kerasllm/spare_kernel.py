"""A spare kernel: it imports Keras while another one trains, and the next run's notebook is executed in it.

To the notebook it is a fresh kernel: the same interpreter, folder and environment, and an empty namespace. Where that
cannot be, or it has died, papermill starts a fresh one as ever.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

NAME = "kerasllm-spare"  # of papermill's engine
OWN = ("KERASLLM_RUN", "JUPYTER_PATH")  # of the environment: what each run has for itself
PATIENCE = 600  # seconds for a kernel to answer, whose Keras is still being imported
ANSWER = 60  # seconds for a cell's last output to arrive: the next kernel may need all of the machine


class Spare:
    """The one kernel that a process keeps for its next notebook."""

    def __init__(self) -> None:
        self._kernel: Any = None  # jupyter_client's, which runs
        self._made_for: Any = None

    def park(self, name: str) -> None:
        """Start a kernel of that name, which imports Keras by itself."""
        from nbclient import NotebookClient
        from nbformat.v4 import new_notebook

        code = f"__import__('kerasllm.spare_kernel').spare_kernel.prepare({os.getpid()})"
        starter = NotebookClient(new_notebook(), kernel_name=name)
        starter.extra_arguments = [f"--IPKernelApp.code_to_run={code}"]
        kernel, made_for = starter.create_kernel_manager(), _surroundings()
        with suppress(OSError):  # no process to be had: the next notebook gets a fresh one, or tells
            starter.start_new_kernel()
            self._kernel, self._made_for = kernel, made_for

    def take(self) -> Any:
        """The kernel, which is then no longer a spare one; None where there is none that is as good as a fresh one."""
        from nbclient.util import run_sync

        kernel, made_for, self._kernel = self._kernel, self._made_for, None
        if kernel is None or (made_for == _surroundings() and run_sync(kernel.is_alive)()):
            return kernel
        run_sync(kernel.shutdown_kernel)(now=True)
        return None

    def end(self) -> None:
        """Kill it; it also ends by itself when this process does."""
        from nbclient.util import run_sync

        if self._kernel:
            run_sync(self._kernel.shutdown_kernel)(now=True)
        self._kernel = None

    def engine(self) -> dict[str, Any]:
        """The arguments by which `papermill.execute_notebook` takes this kernel and then parks another."""
        from papermill.engines import papermill_engines

        papermill_engines.register(NAME, _engine())
        return {"engine_name": NAME, "spare": self}


def prepare(parent: int) -> None:
    """Import Keras, in the spare kernel; end it where the process that it is for died meanwhile."""
    import kerasllm.training.fit  # noqa: F401

    if os.getppid() != parent:  # from now on the kernel itself looks
        os._exit(1)


def _surroundings() -> Any:
    """What a kernel inherits from this process."""
    return os.getcwd(), {name: value for name, value in os.environ.items() if name not in OWN}


def _engine() -> Any:
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import Engine

    class Client(PapermillNotebookClient):
        def papermill_execute_cells(self) -> None:
            """Tell a spare kernel whose it is, and execute the cells while the next one gets ready."""
            if not self.owns_km:
                own = {name: os.environ[name] for name in OWN}
                self.wait_for_reply(self.kc.execute(f"__import__('os').environ.update({own!r})", silent=True))
            self.spare.park(self.kernel_name)
            super().papermill_execute_cells()

    class SpareEngine(Engine):
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, *, spare: Spare, **more: Any) -> Any:
            """Execute in the spare kernel, or in a fresh one, which in both cases ends with the notebook."""
            kernel = spare.take()
            timeout = PATIENCE if kernel else more["start_timeout"]
            client = Client(nb_man, km=kernel, kernel_name=kernel_name, startup_timeout=timeout, iopub_timeout=ANSWER)
            client.spare = spare
            return client.execute(cleanup_kc=True)

    return SpareEngine
