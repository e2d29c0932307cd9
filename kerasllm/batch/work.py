"""Work through a batch: start what is not finished, try again what the machine spoiled, stop when asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from kerasllm.batch.folder import Batch
from kerasllm.batch.workers import Workers
from kerasllm.errors import InputError
from kerasllm.run import Run
from kerasllm.run.process import interrupts

LOOK = 0.25  # seconds between two looks


@dataclass
class Progress:
    """Where a batch stands; `errors` by the run's name."""

    batch: Batch
    at_work: list[Run] = field(default_factory=list)
    waiting: deque[Run] = field(default_factory=deque)
    ended: list[Run] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    is_stopping: bool = False


def work(batch: Batch, workers: Workers, look: Callable[[Progress], None]) -> Progress:
    """Bring every point to its end, or to a stop by Ctrl-C or SIGTERM; `look` is called whenever time has passed."""
    progress = Progress(batch)
    for run in batch.runs:
        (progress.ended if run.state == "completed" else progress.waiting).append(run)
    tried: set[str] = set()

    def stop() -> None:
        progress.is_stopping = True

    with interrupts(stop):
        while progress.at_work or (progress.waiting and not progress.is_stopping):
            _start(progress, workers)
            if progress.is_stopping:
                _ask_to_stop(progress)
            for end in workers.ended(LOOK):
                progress.at_work.remove(end.run)
                again = end.is_machines and end.run.name not in tried and not progress.is_stopping
                if again:
                    tried.add(end.run.name)
                    progress.waiting.append(end.run)
                    continue
                progress.ended.append(end.run)
                if end.error:
                    progress.errors[end.run.name] = end.error
            look(progress)
    return progress


def _start(progress: Progress, workers: Workers) -> None:
    for _ in range(len(progress.waiting)):
        if progress.is_stopping or not workers.free:
            return
        run = progress.waiting.popleft()
        if run.state in ("running", "stopping"):  # by somebody else: look again later
            progress.waiting.append(run)
            continue
        (run.path / "stop").unlink(missing_ok=True)  # of an earlier command, killed before the run took notice
        progress.at_work.append(run)
        workers.start(run)


def _ask_to_stop(progress: Progress) -> None:
    """Ask each run at work. One whose worker has yet to begin cannot be asked; so this is done at every look."""
    for run in progress.at_work:
        with suppress(InputError):  # it has not begun, or has just ended
            run.stop()
