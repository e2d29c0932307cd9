"""The processes that a kernel's views start: trainers, one that answers per run, and a parked worker.

The parked one has imported Keras, which makes the next start quick. On Linux all workers of a kernel are forks of one
process, which imports it once.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any

from kerasllm.forks import Fork, Origin
from kerasllm.run import Run
from kerasllm.run.folder import LIVE
from kerasllm.run.writer import fail
from kerasllm_widgets.log import LOG, last_words
from kerasllm_widgets.worker import IDLE

LIVING = (*LIVE, "stalled", "starting")  # states of a run that goes on, or whose trainer was started here
Hear = Callable[[dict[str, Any]], None]
Process = subprocess.Popen[str] | Fork

_lock = threading.RLock()
_origin: Origin | None = None
_parked: Worker | None = None
_trainers: dict[str, tuple[Process, Any]] = {}  # of each run, and the heartbeat before it began
_answering: dict[str, Answering] = {}  # of each run who answers for it
_hushed: queue.SimpleQueue[tuple[str, Hear]] = queue.SimpleQueue()  # which run's views ask no more
_refused: dict[str, tuple[Any, dict[str, str]]] = {}  # of each run the heartbeat then, and why its trainer gave up


class Worker:
    """A parked worker, as its parent sees it."""

    def __init__(self) -> None:
        self.environment = dict(os.environ)
        self.process = _worker()
        self.imported = threading.Event()
        self._said: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        for work in (self._listen, self._write):
            threading.Thread(target=work, name="kerasllm-parked", daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout
        self.process.stdout.readline()  # `ready`, or nothing where it ended
        self.imported.set()

    @property
    def fits(self) -> bool:
        """Whether it lives, and a process started now would have the same environment (KERAS_BACKEND, say)."""
        return self.process.poll() is None and self.environment == dict(os.environ)

    def give(self, **job: Any) -> None:
        """Send it its job, or a question that belongs to it. It may be large, and is read once Keras is imported."""
        self._said.put(json.dumps(job) + "\n")

    def close(self) -> None:
        """Say that nothing more comes."""
        self._said.put(None)

    def _write(self) -> None:
        assert self.process.stdin
        with suppress(OSError):  # it reads no more
            while line := self._said.get():
                self.process.stdin.write(line)
                self.process.stdin.flush()
        with suppress(OSError):
            self.process.stdin.close()

    def bury(self) -> None:
        """Wait for its end."""
        self.close()
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()

    def dismiss(self) -> None:
        """Let it go: it ends when nothing more can come."""
        threading.Thread(target=self.bury, name="kerasllm-dismissed", daemon=True).start()


def park() -> None:
    """Have a worker import Keras, unless one has."""
    global _parked
    with _lock:
        if _parked is None or not _parked.fits:
            if _parked:
                _parked.dismiss()
            _parked = Worker()


def take() -> Worker | None:
    """The parked worker, which is then no longer parked; None where there is none that fits."""
    global _parked
    with _lock:
        worker, _parked = _parked, None
    if worker and not worker.fits:
        worker.dismiss()
        return None
    return worker


def train(run: Run) -> Process:
    """Train or resume a run in a child process that outlives this one."""
    before = run.status.get("heartbeat")
    worker = take()
    if worker:
        worker.give(do="train", run=str(run.path))
        worker.close()
        process: Process = worker.process
    else:
        with (run.path / LOG).open("ab") as log:
            process = _spawn(
                "kerasllm", "resume", str(run.path), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
    _trainers[str(run.path)] = process, before
    threading.Thread(target=_await, args=(run, process, before), name="kerasllm-trainer", daemon=True).start()
    return process


class Answering:
    """The process that answers for a run, and who waits for which answer."""

    def __init__(self, run: Run):
        self.worker = take() or Worker()
        self.worker.give(do="answer", run=str(run.path))
        self._run = run
        self.askers: set[Hear] = set()
        self._waiting: dict[int, tuple[Hear, Any]] = {}  # by our number of the question: who asked it, by which id
        self._count = 0
        threading.Thread(target=self._listen, name="kerasllm-answers", daemon=True).start()

    def ask(self, question: dict[str, Any], hear: Hear) -> None:
        """Send on a question under a number of our own: two views may count alike."""
        self.askers.add(hear)
        self._count += 1
        self._waiting[self._count] = hear, question["id"]
        self.worker.give(**{**question, "id": self._count})

    def _listen(self) -> None:
        """Hand on what it says to who asked, until its end."""
        self.worker.imported.wait()
        assert self.worker.process.stdout
        for line in self.worker.process.stdout:
            if not line.endswith("\n"):  # it was killed while it wrote
                break
            said = json.loads(line)
            hear, id_ = self._waiting[said["id"]]
            if hear in self.askers:
                hear({**said, "id": id_})
            if "piece" not in said:
                del self._waiting[said["id"]]
        self.worker.bury()
        problem = lost(self._run, self.worker.process.wait())
        for hear, id_ in self._waiting.values():
            if hear in self.askers:
                hear({"id": id_, "problem": problem})


def ask(run: Run, question: dict[str, Any], hear: Hear) -> None:
    """Ask a run's model, in the one process that answers for it; `hear` is told what it says, under the same id."""
    path = str(run.path)
    with _lock:
        if not _hushing.is_alive():
            _hushing.start()
        answering = _answering.get(path)
        if answering is None or answering.worker.process.poll() is not None:
            answering = Answering(run)
        answering.ask(question, hear)
        _answering[path] = answering


def hush(run: Run, hear: Hear) -> None:
    """Tell who asked no more; the process that answers for a run ends with the last one.

    A view may be collected in the middle of any thread's work, of one that starts under the lock, say: this waits for
    nothing.
    """
    if str(run.path) in _answering:
        _hushed.put((str(run.path), hear))


def _hush(path: str, hear: Hear) -> None:
    with _lock:
        if answering := _answering.get(path):
            answering.askers.discard(hear)
            if not answering.askers:
                _answering.pop(path).worker.close()  # who listens to it buries it


def _hush_all() -> None:
    while True:
        _hush(*_hushed.get())


_hushing = threading.Thread(target=_hush_all, name="kerasllm-hush", daemon=True)


def is_deleted(run: Run) -> bool:
    """Whether there is no such run any more: moved to the trash from the sidebar, say."""
    return not (run.path / "run.json").exists()


def is_starting(run: Run, status: dict[str, Any]) -> bool:
    """Whether a trainer of this run was started here that has not yet written to its folder.

    Not told by its pid: of a notebook's run that is the kernel's.
    """
    process, before = _trainers.get(str(run.path), (None, None))
    return bool(process and process.poll() is None and status.get("heartbeat") == before)


def stop(run: Run) -> None:
    """Ask a run to stop. A resumed one whose trainer still imports Keras is not in the folder yet: end that process."""
    status = run.status
    if is_starting(run, status) and status["state"] != "queued":
        _trainers[str(run.path)][0].terminate()
    else:
        run.stop()


def refusal(run: Run, status: dict[str, Any]) -> dict[str, str]:
    """Why the last trainer started here wrote nothing to the run's folder: a resume that was refused, say."""
    heartbeat, words = _refused.get(str(run.path), (None, {}))
    return words if heartbeat == status.get("heartbeat") else {}


def lost(run: Run, code: int) -> dict[str, str]:
    """That the process of a run's model ended, and why: killed (a negative exit code), or as its log tells."""
    if code < 0:  # no log tells of it
        return {
            "en": f"the model's process was killed (signal {-code}), perhaps for want of memory; ask again",
            "zh": f"模型的进程被终止（信号 {-code}），可能是内存不足；请再试一次",
        }
    return {
        "en": f"the model's process ended, see {run.path / LOG}; ask again",
        "zh": f"模型的进程已结束，见 {run.path / LOG}；请再试一次",
    }


def _await(run: Run, process: Process, before: Any) -> None:
    """Wait for a trainer's end, and tell of one that ended before it could itself."""
    code = process.wait()
    _bury(process)
    status = run.status
    is_queued = status["state"] == "queued"
    told = status.get("heartbeat") != before or code == 0
    if told or (code < 0 and not is_queued):  # a resumed one was told to end
        return
    en, zh = last_words(run, f"its process ended with code {code}", f"进程以代码 {code} 结束")
    if is_queued:
        fail(run, en, zh)
    else:
        _refused[str(run.path)] = status.get("heartbeat"), {"en": en, "zh": zh}


def _bury(process: Process) -> None:
    """Close what led to a process, and wait for its end."""
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with suppress(OSError):  # what was not yet sent, to one that reads no more
                pipe.close()
    process.wait()


def _worker() -> Process:
    """A worker with pipes to it; on Linux the fork of a process that has imported Keras, or does so."""
    global _origin
    module = "kerasllm_widgets.worker"
    if sys.platform != "linux":
        return _spawn(module, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    (reads, gives), (says, tells) = os.pipe(), os.pipe()
    with _lock, open(os.devnull, "wb") as nothing:
        if _origin and not _origin.fits:
            _origin.leave()
            _origin = None
        if not _origin:
            _origin = Origin("kerasllm.cli", "kerasllm.recipes", options=["-P"], idle=IDLE)
        fork = _origin.fork([module], dict(os.environ), (reads, tells, nothing.fileno()))
    os.close(reads)
    os.close(tells)
    fork.stdin, fork.stdout = os.fdopen(gives, "w", encoding="utf-8"), os.fdopen(says, encoding="utf-8")
    return fork


def _spawn(module: str, *words: str, stdin: int, stdout: int | IO[bytes], stderr: int) -> subprocess.Popen[str]:
    """This interpreter on a module, in a session of its own: no signal of the kernel's reaches it."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, *words],  # no file of the notebook's folder is a module of ours
        stdin=stdin, stdout=stdout, stderr=stderr, text=True, encoding="utf-8",
        start_new_session=True,
    )  # fmt: skip
