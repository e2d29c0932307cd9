"""Kernels that are this very interpreter, the environment they get, and the forks that need not import Keras."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kerasllm.forks import Fork, Origin


class Kernels:
    """Kernels for notebooks that follow each other in one process: forks, on Linux."""

    def __init__(self) -> None:
        self._origin: Origin | None = None

    def provision(self, manager: Any) -> Any:
        """The same kernel manager of jupyter_client's, with a fork as its kernel's process where one can be had."""
        from jupyter_client.provisioning import LocalProvisioner

        class Provisioner(LocalProvisioner):
            kernels = self

            async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
                """Fork, or start a process."""
                found: Any = self.kernels.fork(cmd, kwargs["env"])
                if found is None:
                    return await super().launch_kernel(cmd, **kwargs)
                self.process, self.pid, self.pgid = found, found.pid, found.pid
                return self.connection_info

        if sys.platform == "linux":
            manager.provisioner = Provisioner(kernel_id="", kernel_spec=manager.kernel_spec, parent=manager)
        return manager

    def fork(self, command: list[str], environment: dict[str, str]) -> Fork | None:
        """What `command` would start, as a fork; None where there is none to be had."""
        if self._origin and not self._origin.fits:
            self.end()
        if not self._origin:
            self._origin = Origin("ipykernel.kernelapp", "pandas")
        words = command[command.index("-m") + 1 :]
        environment = {**environment, "JPY_PARENT_PID": str(self._origin.process.pid)}
        with open(os.devnull) as nothing:
            found = self._origin.fork(words, environment, (nothing.fileno(), 2, 2))
        return found if found.begins() else None

    def end(self) -> None:
        """End the process that they are forked from, and with it the kernels that it has left."""
        if self._origin:
            self._origin.end()
        self._origin = None


@contextmanager
def this_interpreter() -> Iterator[str]:
    """The name of a kernel that is this very interpreter, whatever kernels are installed."""
    with tempfile.TemporaryDirectory() as folder:
        kernel = Path(folder) / "kernels" / "kerasllm"
        kernel.mkdir(parents=True)
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=50"]
        spec = {"argv": command, "display_name": "kerasllm", "language": "python"}
        (kernel / "kernel.json").write_text(json.dumps(spec), "utf-8")
        places = filter(None, [folder, os.environ.get("JUPYTER_PATH")])
        with environment(JUPYTER_PATH=os.pathsep.join(places)):
            yield kernel.name


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Set environment variables, and put back what was there."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
