"""Kernels that are forks of one process, which has imported Keras: they start at once, and are fresh all the same.

A notebook finds the same interpreter, folder and environment, and an empty namespace. What must not be shared (the
backend's threads and devices, zmq) does not exist before the fork. Where no fork can be had, a kernel starts as ever.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import warnings
from contextlib import suppress
from typing import Any

import psutil

OWN = ("KERASLLM_RUN", "JUPYTER_PATH")  # of the environment: what each run has for itself


class Kernels:
    """The process that a batch's worker forks its notebooks' kernels from. On Linux only."""

    def __init__(self) -> None:
        self._origin: subprocess.Popen[str] | None = None
        self._made_for: Any = None

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

    def fork(self, command: list[str], environment: dict[str, str]) -> Forked | None:
        """What `command` would start, as a fork; None where there is none to be had."""
        surroundings = os.getcwd(), {name: value for name, value in os.environ.items() if name not in OWN}
        if self._origin and (self._origin.poll() is not None or self._made_for != surroundings):
            self.end()
        if not self._origin:
            self._made_for = surroundings
            self._origin = subprocess.Popen(
                [sys.executable, "-m", "kerasllm.forked_kernel"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                start_new_session=True,
            )
        assert self._origin.stdin
        assert self._origin.stdout
        with suppress(BrokenPipeError, psutil.NoSuchProcess):
            self._origin.stdin.write(json.dumps([command, environment]) + "\n")
            self._origin.stdin.flush()
            if pid := self._origin.stdout.readline():  # once Keras is imported; nothing where it died
                return Forked(int(pid))
        return None

    def end(self) -> None:
        """End the process, and the kernels that it has left."""
        if self._origin:
            self._origin.kill()
            self._origin.communicate()
        self._origin = None


class Forked:
    """A process that is not our child, with what jupyter_client asks of a Popen."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._process = psutil.Process(pid)

    def poll(self) -> int | None:
        """None while it lives."""
        return None if self._process.is_running() else 0

    def wait(self, timeout: float | None = None) -> None:
        """Wait for its end."""
        self._process.wait(timeout)

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it is still there."""
        with suppress(psutil.NoSuchProcess):
            self._process.send_signal(number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


def main() -> None:
    """Import Keras; then a line of JSON on stdin, `[command, environment]`, is answered by the id of a fork."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    os.environ["JPY_PARENT_PID"] = str(os.getpid())  # ipykernel reads it at its import: a fork ends when this ends
    before = dict(os.environ)
    import ipykernel.kernelapp  # noqa: F401
    import pandas  # noqa: F401

    import kerasllm.training.fit  # noqa: F401

    mine = {name: value for name, value in os.environ.items() if before.get(name) != value}  # set by the imports
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    for line in sys.stdin:
        command, environment = json.loads(line)
        with warnings.catch_warnings(action="ignore"):  # Python's: pyarrow and numpy have threads, which heed forks
            pid = os.fork()
        if pid == 0:
            answers.close()
            return _become(command, {**environment, **mine, "JPY_PARENT_PID": before["JPY_PARENT_PID"]})
        print(pid, file=answers, flush=True)
    return None


def _become(command: list[str], environment: dict[str, str]) -> None:
    """Go on as `python -m MODULE …` would have begun."""
    import numpy as np

    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.environ.clear()
    os.environ.update(environment)
    np.random.seed()  # Python's own does so by itself
    module = command[command.index("-m") + 1]
    sys.argv = command[command.index("-m") + 1 :]
    with suppress(SystemExit):
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    # What Python does at its end, but for the two seconds in which it takes Keras apart.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
