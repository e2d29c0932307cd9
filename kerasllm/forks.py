"""Processes that are forks of one, which has imported Keras: they start at once, and are fresh all the same.

A fork finds the same interpreter, folder and environment as a new process would, and an empty namespace. What must not
be shared (the backend's threads and devices, zmq) does not exist before the fork. On Linux only.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Any, NoReturn

OWN = ("KERASLLM_RUN", "JUPYTER_PATH")  # of the environment: what each run has for itself


class Origin:
    """The process that others are forked from; it ends with its parent, or after `idle` seconds without a fork."""

    def __init__(self, *modules: str, options: Sequence[str] = (), idle: float | None = None):
        """`modules` are imported beside Keras; `options` are the interpreter's."""
        self._surroundings = _surroundings()
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, *options, "-m", "kerasllm.forks", str(theirs.fileno()), str(idle or ""), *modules],
                # PyTorch asks for GPUs at its import, and only in this way leaves them to the forks.
                env={**os.environ, "PYTORCH_NVML_BASED_CUDA_CHECK": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # who starts an ordinary process instead hears the same error
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    @property
    def fits(self) -> bool:
        """Whether it lives, and a process started now would have the same folder and environment."""
        return self.process.poll() is None and self._surroundings == _surroundings()

    def fork(self, words: Sequence[str], environment: dict[str, str], files: Sequence[int]) -> Fork:
        """What `python -m WORDS` would start, once Keras is imported; `files` are its stdin, stdout and stderr."""
        told, tells = os.pipe()
        with os.fdopen(os.memfd_create("request"), "w+") as request:  # an environment may be larger than a message
            json.dump([words, environment], request)
            request.flush()
            with suppress(ConnectionError):  # it is gone: the fork ends before it begins
                socket.send_fds(self._requests, [b"fork"], [request.fileno(), *files, tells])
        os.close(tells)
        return Fork(told)

    def leave(self) -> None:
        """Ask for no more forks: it ends once it has made those that were asked for."""
        self._requests.close()
        threading.Thread(target=self.process.wait, name="kerasllm-left", daemon=True).start()

    def end(self) -> None:
        """End the process now; the forks that have begun go on."""
        self._requests.close()
        self.process.kill()
        self.process.wait()


class Fork:
    """A process that is not our child, with what one asks of a Popen."""

    stdin: IO[str] | None = None
    stdout: IO[str] | None = None
    stderr: IO[str] | None = None

    def __init__(self, told: int):
        """`told` is where it tells its id, and its exit code."""
        self.pid = 0
        self.returncode: int | None = None
        self._signal = 0  # the last one
        self._lock, self._begun, self._ended = threading.Lock(), threading.Event(), threading.Event()
        threading.Thread(target=self._listen, args=(told,), name="kerasllm-fork", daemon=True).start()

    def _listen(self, told: int) -> None:
        with os.fdopen(told) as lines:
            pid = int(lines.readline() or 0)
            with self._lock:
                self.pid, early = pid, self._signal
            if early:
                self.send_signal(early)
            self._begun.set()
            code = lines.readline()
            lines.read()  # until nobody can tell more
        with suppress(OSError):  # it is gone; a killed one lets its files go a moment before
            gone = os.pidfd_open(pid)
            ends = select.poll()
            ends.register(gone, select.POLLIN)
            ends.poll()
            os.close(gone)
        # Who began and told no code was killed; who never began is as one whose import failed.
        self.returncode = int(code) if code else -(self._signal or signal.SIGKILL) if pid else 1
        self._ended.set()

    def begins(self) -> bool:
        """Wait until it has begun; False if it could not."""
        return self._begun.wait() and bool(self.pid)

    def poll(self) -> int | None:
        """Its exit code; None while it lives."""
        return self.returncode if self._ended.is_set() else None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired("a fork", timeout or 0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it is still there; before it has begun, once it has."""
        with self._lock:
            self._signal = number
            if self.pid and self.poll() is None:
                with suppress(ProcessLookupError):
                    os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


def _surroundings() -> Any:
    try:
        folder = os.getcwd()
    except FileNotFoundError:  # deleted: processes start there all the same
        folder = ""
    return folder, {name: value for name, value in os.environ.items() if name not in OWN}


def main(requests: str, idle: str, *modules: str) -> None:
    """Import Keras and modules; then each message on a socket makes a fork.

    It brings five files: one that holds `[words, environment]`, stdin, stdout, stderr, and one for the fork to tell in.
    """
    os.environ["JPY_PARENT_PID"] = str(os.getpid())  # ipykernel reads it at its import: a kernel ends when this ends
    before = dict(os.environ)
    import kerasllm.training.fit  # noqa: F401

    for module in modules:
        importlib.import_module(module)
    mine = {name: value for name, value in os.environ.items() if before.get(name) != value}  # set by the imports
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    with socket.socket(fileno=int(requests)) as asked, suppress(TimeoutError):
        asked.settimeout(float(idle) if idle else None)
        while True:
            message, files, _, _ = socket.recv_fds(asked, 4, 5)
            if not message:
                break
            with os.fdopen(files.pop(0)) as request:
                request.seek(0)
                words, environment = json.load(request)
            with warnings.catch_warnings(action="ignore"):  # Python's: pyarrow and numpy have threads, which heed forks
                pid = os.fork()
            if pid == 0:
                asked.close()
                _become(words, {**environment, **mine}, *files)
            for file in files:
                os.close(file)
    os._exit(0)  # Python would take Keras apart for two seconds


def _become(words: list[str], environment: dict[str, str], *files: int) -> NoReturn:
    """Go on as `python -m WORDS` would have begun; the last file is told the id and the exit code."""
    import numpy as np

    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *standard, tells = files
    for place, file in enumerate(standard):
        os.dup2(file, place)
        os.close(file)
    os.set_inheritable(tells, False)
    heard = [tells]

    def tell(number: int) -> None:
        for file in heard:
            with suppress(BrokenPipeError):  # who asked for the fork has ended
                os.write(file, f"{number:d}\n".encode())

    def tell_no_more() -> None:
        while heard:
            os.close(heard.pop())

    os.register_at_fork(after_in_child=tell_no_more)  # a child of this process is not this process
    tell(os.getpid())
    os.environ.clear()
    os.environ.update(environment)
    np.random.seed()  # Python's own does so by itself
    sys.argv = words
    code = 0
    try:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        code = end.code & 0xFF if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    atexit.unregister(shutil.rmtree)  # matplotlib's temporary folder, where it has one, is every fork's
    # What Python does at its end, but for taking Keras apart.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    tell(code)
    os._exit(code)


if __name__ == "__main__":
    main(*sys.argv[1:])
