"""Processes of the tests that are forks of one, which has imported Keras: each would spend seconds on that itself."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import chdir

from kerasllm.forks import Fork, Origin
from kerasllm.kernels import environment
from tests.conftest import ROOT


class Forked:
    """A process to fork from for each backend, from when it is first asked for."""

    def __init__(self) -> None:
        self._origins: dict[str, Origin] = {}

    def begin(self, backend: str, *words: str, out: int = 2, err: int = 2) -> Fork:
        """What `python -m WORDS` would start."""
        if backend not in self._origins or self._origins[backend].process.poll() is not None:
            with chdir(ROOT), environment(KERAS_BACKEND=backend):
                self._origins[backend] = Origin()
        surroundings = {**os.environ, "KERAS_BACKEND": backend}
        with open(os.devnull) as nothing:
            return self._origins[backend].fork(words, surroundings, (nothing.fileno(), out, err))

    def run(self, backend: str, *words: str) -> subprocess.CompletedProcess[str]:
        """The same to its end, with what it printed."""
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            process = self.begin(backend, *words, out=out.fileno(), err=err.fileno())
            try:
                code = process.wait(300)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            for file in (out, err):
                file.seek(0)
            return subprocess.CompletedProcess(words, code, out.read(), err.read())

    def end(self) -> None:
        for origin in self._origins.values():
            origin.end()
