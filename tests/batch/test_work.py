"""The work, with a class in the workers' place."""

from __future__ import annotations

from kerasllm import batch
from kerasllm.batch.work import Progress
from kerasllm.batch.workers import Ended
from kerasllm.run import Run, files
from tests.batch.reserved import made


class Fake:
    """Ends each run at once, as told: what a cluster's class must have."""

    free = 1

    def __init__(self, *ends: tuple[str, str, bool]) -> None:
        self.ends = list(ends)
        self.started: list[str] = []
        self._run: Run | None = None

    def start(self, run: Run) -> None:
        self.started.append(run.name[-1])
        self._run, self.free = run, 0

    def ended(self, timeout: float) -> list[Ended]:
        assert self._run
        state, error, is_machines = self.ends.pop(0)
        files.replace_json(self._run.path / "status.json", {"state": state})
        self.free = 1
        return [Ended(self._run, error, is_machines)]


def worked(fake: Fake) -> Progress:
    many = made(batch.from_grid(["epochs=1,2"], {"data": "sample:line"}))
    return batch.work(many, fake, lambda progress: None)  # type: ignore[arg-type]


def test_what_the_machine_spoiled_is_tried_once_more_and_nothing_else() -> None:
    port = ("failed", "Address already in use", True)
    fake = Fake(port, ("failed", "1 / 0", False), ("completed", "", False))
    progress = worked(fake)
    assert fake.started == ["1", "2", "1"]
    assert list(progress.errors.values()) == ["1 / 0"]
    again = Fake(port, port)
    progress = worked(again)
    assert again.started == ["2", "2"], "what is completed is left, and what failed is tried again"
    assert list(progress.errors.values()) == ["Address already in use"]
