"""Batch: the folder that remembers which runs are a batch's points."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import filelock

from kerasllm.batch.points import Point, Source, seeded
from kerasllm.errors import InputError
from kerasllm.own_notebook import SOURCE
from kerasllm.run import Run, files, runs_folder
from kerasllm.run.new import may_write

FORMAT = 1
PATIENCE = 60.0  # seconds for the workers of a killed command to save their runs and end


class Batch:
    """A batch, as its folder tells it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @cached_property
    def asked(self) -> dict[str, Any]:
        """batch.json: source, identity, points."""
        content: dict[str, Any] = files.read_json(self.path / "batch.json") or {}
        return content

    @cached_property
    def points(self) -> list[dict[str, Any]]:
        """The parameters of each point."""
        return [point["parameters"] for point in self.asked["points"]]

    @cached_property
    def runs(self) -> list[Run]:
        """The points' runs, in the points' order."""
        return [Run(self.path.parent.parent / point["run"]) for point in self.asked["points"]]

    @cached_property
    def varied(self) -> list[str]:
        """The parameters that differ between points, but for the seed."""
        names = dict.fromkeys(name for point in self.points for name in point)
        return [name for name in names if name != "seed" and len({repr(one.get(name)) for one in self.points}) > 1]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the batch: one command at a time, and none before the workers of a killed one have ended."""
        with may_write(self.path.parent.parent):
            self.path.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise InputError(
                f"the batch {self.name} is being run already; watch its runs, or wait",
                f"批次 {self.name} 已在运行；请观看它的各次运行，或等待",
            ) from None
        try:
            for other in self.path.glob(".worker-*"):
                try:
                    filelock.FileLock(other).acquire(timeout=PATIENCE).lock.release()
                except filelock.Timeout:
                    raise InputError(
                        f"a process of an earlier command still works in {self.path}",
                        f"先前命令的一个进程仍在 {self.path} 中工作",
                    ) from None
            yield
        finally:
            lock.release()


def open_batch(source: Source, points: Sequence[Point], seeds: int, folder: str = "", name: str = "") -> Batch:
    """The batch of these points: the one an earlier command made, or a new one, whose runs are yet to be reserved.

    Its name comes from the points, the data's contents and the seeds, so that the same command finds it again.
    """
    values = source.check(seeded(points, seeds))
    if Path(name).name != name or name.startswith("."):
        raise InputError(
            f"a batch's name is one folder's name, not {name!r}", f"批次的名称是单个文件夹的名称，不能是 {name!r}"
        )
    content = json.dumps([source.name, values, source.data], sort_keys=True, default=str)
    identity = hashlib.sha256(content.encode()).hexdigest()
    batch = Batch(runs_folder(folder) / "batches" / (name or f"{source.stem}-{identity[:8]}"))
    with may_write(runs_folder(folder)):
        found = files.read_json(batch.path / "batch.json")
    if found and found["identity"] != identity:
        raise InputError(
            f"{batch.path} is a batch of other points or data; choose another --name",
            f"{batch.path} 是另一批次，参数或数据不同；请另选 --name",
        )
    if not found:
        batch.asked = {
            "format": FORMAT,
            "name": batch.name,
            "source": source.name,
            "identity": identity,
            "created": time.time(),
            "points": [
                {"run": f"{batch.name}-{number:0{len(str(len(values)))}}", "parameters": one}
                for number, one in enumerate(values, 1)
            ],
        }
    return batch


def reserve_runs(batch: Batch, source: Source) -> None:
    """Reserve a run for every point that has none: of a new batch, of one killed in the making, or deleted since."""
    made = [(run.path / "run.json").exists() for run in batch.runs]
    for run, values, is_run in zip(batch.runs, batch.points, made, strict=True):
        if is_run and run.asked["parameters"] != values:
            raise InputError(
                f"{run.path} is another run; choose another --name for the batch",
                f"{run.path} 是另一次运行；请为批次另选 --name",
            )
        if not is_run and run.path.exists() and not _is_half_made(run.path):
            raise InputError(
                f"{run.path} is another folder; choose another --name for the batch",
                f"{run.path} 是另一个文件夹；请为批次另选 --name",
            )
    for run, values, is_run in zip(batch.runs, batch.points, made, strict=True):
        if is_run:
            continue
        if run.path.exists():
            shutil.rmtree(run.path)
        source.reserve(values, str(batch.path.parent.parent), run.name)
    if not (batch.path / "batch.json").exists():
        files.replace_json(batch.path / "batch.json", batch.asked)


def _is_half_made(path: Path) -> bool:
    """Whether a folder holds nothing but what the making of a run leaves when it is killed."""
    if path.is_symlink() or not path.is_dir():
        return False
    return all(
        file.is_file() and (file.name in ("status.json", SOURCE) or file.name.startswith(files.TEMPORARY))
        for file in path.iterdir()
    )
