"""A notebook of one's own as a run: its parameters checked, executed by papermill, each cell told."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasllm.errors import InputError, did_you_mean, needs
from kerasllm.kernels import environment, this_interpreter
from kerasllm.notebook_engine import braces, engine
from kerasllm.parameters_cell import checked, language_of, load
from kerasllm.run import Run, files, reserve
from kerasllm.run.process import interrupts, myself
from kerasllm.run.writer import Writer

SOURCE = "source.ipynb"  # in the run's folder: what is executed, whatever becomes of the user's file


def reserve_notebook(
    path: Path, given: Mapping[str, Any], *, runs: str | Path = "", name: str = "", are_words: bool = True
) -> Run:
    """Check a notebook's parameters and kernel, and reserve a run of it: for a wrong one no kernel starts.

    `are_words` as of `checked`.
    """
    with needs("lab"):
        import ipykernel  # noqa: F401  (the kernel runs it)
        import nbformat
        import papermill  # noqa: F401
    path = path.absolute()
    values = checked(path, given, are_words=are_words)
    notebook = load(path)
    kernel_name(notebook, path.name)
    asked = {
        "recipe": "",
        "notebook": str(path),
        "parameters": values,
        "seed": values.get("seed"),
        "surface": "notebook",
        "replayable": True,
    }
    return reserve(asked, path.stem, runs, name, {SOURCE: nbformat.writes(notebook)})


def kernel_name(notebook: Any, source: str) -> str:
    """The installed kernel that a notebook asks for; "" for this interpreter, where it asks for plain Python."""
    from jupyter_client.kernelspec import KernelSpecManager

    wanted = notebook.metadata.get("kernelspec", {}).get("name", "")
    if wanted in ("", "python3"):
        return ""
    known = KernelSpecManager().find_kernel_specs()
    if wanted not in known:
        raise InputError(
            f"{source}: its kernel {wanted!r} is not installed{did_you_mean(wanted, known)}",
            f"{source}：它的内核 {wanted!r} 没有安装{did_you_mean(wanted, known, 'zh')}",
        )
    return str(wanted)


def execute(run: Run) -> Run:
    """Execute a reserved run's notebook, in its own folder, from the start; the first Ctrl-C stops it.

    It is completed when its last cell has ended well, or a cell has called `sys.exit()`, and never before. A cell's
    error raises InputError.
    """
    import papermill

    if run.state == "completed":
        return run
    source, target = run.path / SOURCE, run.path / "notebook.ipynb"
    folder = Path(run.asked["notebook"]).parent
    notebook = load(source)
    kernel = kernel_name(notebook, source.name)
    papermill.engines.papermill_engines.register("kerasllm", engine())
    with Writer(run) as writer:
        writer.start()
        session = {"time": time.time(), **myself(), "python": sys.version.split()[0], "data": {}}
        files.append_line(run.path / "sessions.jsonl", session)
        with interrupts(writer.interrupt), this_interpreter() as mine, environment(KERASLLM_RUNS=str(run.path.parent)):
            try:
                papermill.execute_notebook(
                    braces(source),
                    braces(target),
                    run.asked["parameters"],
                    engine_name="kerasllm",
                    kernel_name=kernel or mine,
                    language=language_of(notebook),
                    progress_bar=False,
                    cwd=str(folder) if folder.is_dir() else None,  # as Jupyter does
                    writer=writer,
                )
            except papermill.PapermillExecutionError as error:
                if writer.stop_asked():
                    writer.end("stopped")
                    return run
                raise InputError(
                    f"cell {error.exec_count}: {error.ename}: {error.evalue}",
                    f"单元格 {error.exec_count}：{error.ename}：{error.evalue}",
                ) from error
            except RuntimeError as error:  # nbclient's dead kernel
                if writer.stop_asked():
                    writer.end("stopped", "its kernel had to be killed", "内核只能强行结束")
                    return run
                raise InputError(f"the kernel: {error}", f"内核：{error}") from error
        writer.end("completed")
    return run
