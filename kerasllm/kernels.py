"""The kernel that is this very interpreter, and the environment it gets."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
