"""papermill's engine as runs need it: each cell is told to a writer, and a wish to stop interrupts the cell."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kerasllm.kernels import Kernels
from kerasllm.run.writer import POLL

PATIENCE = 10.0  # seconds a cell may take to heed an interrupt, before its kernel is killed


def braces(path: Path) -> str:
    """The path as papermill wants it, which fills parameters into a path's braces."""
    return str(path).replace("{", "{{").replace("}", "}}")


def engine(kernels: Kernels | None = None) -> Any:
    """papermill's engine, telling each cell to a `writer`, and interrupting a cell when that is asked to stop.

    With `kernels` the notebook's is one of those.
    """
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NBClientEngine

    class Client(PapermillNotebookClient):
        def create_kernel_manager(self) -> Any:
            """As ever, but for the process where there are kernels to fork."""
            manager = super().create_kernel_manager()
            return kernels.provision(manager) if kernels else manager

        def papermill_execute_cells(self) -> None:
            """Execute the cells while a thread looks for a wish to stop."""
            with _stopping(self.writer, self.km):
                super().papermill_execute_cells()

    class Engine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, *, writer: Any, **more: Any) -> Any:
            """Execute, with each cell's place among the code cells as the run's phase."""
            places = [place for place, cell in enumerate(nb_man.nb.cells) if cell.cell_type == "code"]
            begin = nb_man.cell_start

            def tell(cell: Any, cell_index: int | None = None, **words: Any) -> None:
                if cell_index in places:
                    done = places.index(cell_index)
                    writer.update(phase=f"cell {done + 1}/{len(places)}", step=done, steps=len(places))
                begin(cell, cell_index, **words)

            nb_man.cell_start = tell
            writer.update(phase="starting the kernel")
            names = ("input_path", "start_timeout", "execution_timeout", "log_output", "stdout_file", "stderr_file")
            kept = {name: value for name, value in more.items() if name not in names}
            client = Client(nb_man, kernel_name=kernel_name, startup_timeout=more.get("start_timeout", 60), **kept)
            client.writer = writer
            return client.execute()

    return Engine


@contextmanager
def _stopping(writer: Any, kernel: Any) -> Iterator[None]:
    """Interrupt the kernel once a stop is asked; kill it where the cell does not heed that."""
    done = threading.Event()

    def look() -> None:
        while not writer.stop_asked():
            if done.wait(POLL):
                return
        process = kernel.provisioner.process
        process.send_signal(signal.SIGINT)
        if not done.wait(PATIENCE):
            process.kill()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
