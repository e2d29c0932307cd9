"""A session: the time in which one process trains a run, from the check that it may to its last checkpoint."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasllm.errors import InputError
from kerasllm.run import Run, files
from kerasllm.run.process import interrupts
from kerasllm.run.writer import Writer

if TYPE_CHECKING:
    from kerasllm.recipe import Recipe


def reserved(recipe: Recipe) -> Run | None:
    """The run that another process reserved for this one (KERASLLM_RUN), while it waits for these parameters."""
    path = os.environ.get("KERASLLM_RUN")
    if not path or not (Path(path) / "run.json").exists():
        return None
    run = Run(Path(path).absolute())
    same = run.asked["recipe"] == recipe.name() and run.asked["parameters"] == recipe.model_dump()
    return run if same and run.status["state"] == "queued" else None


def begin(run: Run, fingerprints: dict[str, str], source: Any = None, callbacks: Sequence[Any] = ()) -> Run:
    """Train a new run; `source` stands in for the data file, callbacks are Keras'."""
    with Writer(run) as writer:
        _train(writer, fingerprints, source, callbacks)
    return run


def resume(run: Run) -> Run:
    """Go on with a stopped, failed, gone or queued run; a completed one is left as it is."""
    if run.state == "completed":
        return run
    with Writer(run) as writer:
        if run.state != "completed":  # as another process may have done just now
            _train(writer, replayed(run))
    return run


def check_replayable(run: Run) -> None:
    """Raise InputError where going on would need what only Python had; run.json tells it, no data is read."""
    if not run.asked.get("replayable"):
        raise InputError(
            f"{run.name} was trained on data or callbacks given in Python, which no file can replay; train again",
            f"{run.name} 用 Python 中给出的数据或 callbacks 训练，没有文件可以重放；请重新训练",
        )


def replayed(run: Run) -> dict[str, str]:
    """The data's fingerprints, once it is sure that going on means the same data on the same backend."""
    check_replayable(run)
    fingerprints = same_data(run)
    if run.sessions:
        from kerasllm.training import devices

        before, backend = run.sessions[0]["backend"], devices.backend()
        if before != backend:
            raise InputError(
                f"{run.name} began on {before}, this is {backend}; set KERAS_BACKEND={before}",
                f"{run.name} 开始时用 {before}，现在是 {backend}；请设 KERAS_BACKEND={before}",
            )
    return fingerprints


def same_data(run: Run) -> dict[str, str]:
    """The data's fingerprints, once it is sure that reading it again finds what the run began with."""
    before = run.sessions[0]["data"] if run.sessions else run.asked.get("data", {})
    if not run.asked.get("replayable") and "data" not in before:  # one with callbacks alone has its file
        raise InputError(
            f"{run.name} was trained on data given in Python, which cannot be read again; name a file to train on",
            f"{run.name} 用 Python 中给出的数据训练，无法再次读取；请给出训练用的文件",
        )
    fingerprints = run.recipe.fingerprints()
    for name, value in fingerprints.items():
        if before and before.get(name) != value:
            raise InputError(
                f"{run.recipe.files()[name]} has changed since {run.name} began; start a new run",
                f"{run.recipe.files()[name]} 在 {run.name} 开始之后有改动；请开始新的运行",
            )
    return fingerprints


def _train(writer: Writer, fingerprints: dict[str, str], source: Any = None, callbacks: Sequence[Any] = ()) -> None:
    run = writer.run
    writer.start()
    with interrupts(writer.interrupt):
        # Most mistakes are in the data: they are told before the seconds that Keras takes to import.
        writer.update(phase="reading the data")
        data = run.recipe.read(source)
        run.recipe.check(data)
        files.replace_json(run.path / "card.json", data.card)
        for part in (data.encoder, data.decoder):
            for name, text in part.files().items():
                files.replace_text(run.path / name, text)
        writer.update(phase="loading Keras")
        from kerasllm.training import fit

        fit.train(run, writer, data, fingerprints, callbacks)
    run.__dict__.pop("model", None)  # one loaded before this session is another
