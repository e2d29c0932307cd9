"""Run: a view of one run's folder, with one-line conveniences that call upward; open, list and compare runs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasllm.errors import InputError, may_read, nearest
from kerasllm.run import files
from kerasllm.run.process import is_alive
from kerasllm.spoken import named

if TYPE_CHECKING:
    import keras
    import pandas as pd

    from kerasllm.recipe import Recipe

FORMAT = 1
ASKED: dict[str, Any] = {"format": int, "recipe": str, "parameters": dict, "created": (int, float)}
# The numbers of status.json, where it has them.
STATUS: dict[str, Any] = {"pid": int} | dict.fromkeys(("pid_started", "heartbeat", "started", "before"), (int, float))
SHORT = 8  # characters of a SHA-256 that tell two files apart
LIVE = ("queued", "running", "stopping")  # states of a run that goes on, or will
ENDED = ("completed", "stopped", "failed")


class Run:
    """One training, as its folder tells it. Reading never writes.

    States: queued, running, stopping, stopped, failed, completed, and gone (its process vanished; resume it).
    """

    def __init__(self, path: Path):
        self.path = path

    def __repr__(self) -> str:
        return f"Run({self.name!r}, {self.state})"

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @cached_property
    def asked(self) -> dict[str, Any]:
        """run.json: recipe ("" of a notebook of one's own), parameters, created, surface, replayable."""
        with may_read():
            try:
                content: dict[str, Any] = files.read_json(self.path / "run.json") or {}
            except ValueError as error:
                raise InputError(
                    f"{self.path} is no run: its run.json is no JSON: {error}",
                    f"{self.path} 不是运行：它的 run.json 不是 JSON：{error}",
                ) from error
        if not isinstance(content, dict) or not all(isinstance(content.get(name), ASKED[name]) for name in ASKED):
            raise InputError(
                f"{self.path} is no run: its run.json does not tell recipe and parameters",
                f"{self.path} 不是运行：它的 run.json 没有写明配方与参数",
            )
        if content["format"] > FORMAT:
            raise InputError(
                f"{self.path} was written by a newer kerasllm: pip install -U kerasllm",
                f"{self.path} 由更新的 kerasllm 写成：pip install -U kerasllm",
            )
        return content

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe with this run's parameters."""
        from kerasllm.recipes import find

        if not self.asked["recipe"]:
            raise InputError(
                f"{self.name} is a run of {self.asked['notebook']}, of no recipe",
                f"{self.name} 是 {self.asked['notebook']} 的运行，不属于任何配方",
            )

        return find(self.asked["recipe"])(**self.asked["parameters"])

    @property
    def status(self) -> dict[str, Any]:
        """status.json: state, phase, epoch, step, eta (seconds), metrics, message, pid, heartbeat (Unix time).

        `message_zh` is the message in Chinese, where that is known. `started` is the session's, `before` the seconds of
        those before it.
        """
        content = self._read("status.json")
        if content is None:
            return {"state": "queued"}
        if not isinstance(content, dict) or not isinstance(content.get("state"), str):
            raise InputError(
                f"{self.name}: its status.json does not tell the state", f"{self.name}：它的 status.json 没有写明状态"
            )
        for name, kind in STATUS.items():
            if name in content and not isinstance(content[name], kind):
                raise InputError(
                    f"{self.name}: its status.json has no number as {name!r}",
                    f"{self.name}：它的 status.json 中 {name!r} 不是数字",
                )
        return content

    def _read(self, name: str) -> Any:
        """A JSON file of the folder, or None where there is none yet."""
        try:
            return files.read_json(self.path / name)
        except (ValueError, OSError) as error:
            raise InputError(
                f"{self.name}: its {name} cannot be read: {error}",
                f"{self.name}：它的 {name} 无法读取：{error}",
            ) from error

    @property
    def state(self) -> str:
        """The state in one word; told apart from what status.json says where its process is gone."""
        status = self.status
        if status["state"] not in ("queued", "running"):
            return str(status["state"])
        if not is_alive(status):
            # It may have ended between the two looks.
            again = self.status
            return "gone" if again["state"] == status["state"] and not is_alive(again) else str(again["state"])
        return "stopping" if (self.path / "stop").exists() else str(status["state"])

    @property
    def seconds(self) -> float:
        """How long it has been worked on, all sessions together."""
        status = self.status
        last = status["heartbeat"] - status["started"] if "started" in status else 0.0
        return float(status.get("before", 0.0) + last)

    @property
    def scores(self) -> dict[str, Any]:
        """The main split's scores as numbers, with `rows`, `main` and `split`; {} until there are some."""
        from kerasllm.evaluate import flat

        report = self.report
        return {**flat(report["splits"][report["split"]]), "split": report["split"]} if report else {}

    @property
    def report(self) -> dict[str, Any]:
        """scores.json: every split's scores, per class too, and the weights' SHA-256."""
        content: dict[str, Any] = self._read("scores.json") or {}
        if content and not _tells_scores(content):
            raise InputError(
                f"{self.name}: its scores.json does not tell the scores", f"{self.name}：它的 scores.json 没有写明得分"
            )
        return content

    @property
    def card(self) -> dict[str, Any]:
        """The data card."""
        return self._read("card.json") or {}

    @property
    def sessions(self) -> list[dict[str, Any]]:
        """Where it ran: a dictionary per start or resume."""
        return files.read_lines(self.path / "sessions.jsonl")

    @property
    def epochs(self) -> list[dict[str, Any]]:
        """The curve: a dictionary per finished epoch."""
        return [line for line in files.read_lines(self.path / "history.jsonl") if line["kind"] == "epoch"]

    @property
    def history(self) -> pd.DataFrame:
        """The curve as a DataFrame, a row per epoch."""
        from kerasllm.errors import needs

        with needs("train"):
            import pandas as pd
        return pd.DataFrame(self.epochs).drop(columns=["kind"], errors="ignore")

    @cached_property
    def model(self) -> keras.Model:
        """The trained network, loaded from model.keras."""
        from kerasllm.training.answer import load_model

        return load_model(self)

    def predict(self, rows: Any) -> list[dict[str, Any]]:
        """Answer rows -> {"label", "probabilities"} or {target: number} each.

        Rows are texts, mappings of columns, a DataFrame, or bare values where there is one column.
        """
        from kerasllm import encoders

        encoder, decoder = encoders.load(self.path)
        inputs = encoder.encode(encoder.rows(rows))
        return decoder.decode(self.recipe.outputs(self.model, inputs)) if len(next(iter(inputs.values()))) else []

    def evaluate(self, data: Any) -> dict[str, Any]:
        """Score the model on new labelled rows: a file, DataFrame or rows.

        Where rows were left out, or hold what training never saw, `notes` says so, a line each, and `unreadable` lists
        the pictures that cannot be read, with their reasons; `zh` has each line in Chinese.
        """
        from kerasllm import encoders
        from kerasllm.data import Examples

        encoder, decoder = encoders.load(self.path)
        rows = self.recipe.labelled(data, encoder, decoder)
        examples = Examples(encoder.encode(rows.features), decoder.encode(rows.truth))
        scores = self.recipe.measure(self.model, examples, rows.truth, decoder)[0]
        if rows.notes and (lines := rows.notes.lines()):
            scores |= {"notes": lines, "unreadable": rows.notes.unreadable, "zh": rows.notes.zh}
        return scores

    def generate(self, prompt: str = "", **options: Any) -> Iterator[str]:
        """Write on after `prompt`, piece by piece as it is drawn: a language model's run.

        Options: length (tokens), temperature, top_k, top_p, seed.
        """
        return self.recipe.generate(self, prompt, **options)

    def stop(self) -> None:
        """Ask the trainer to stop; it does within one batch, and saves a valid model and a checkpoint."""
        state = self.state
        if state in ENDED:
            raise InputError(f"{self.name} is {state} already", f"{self.name} 已结束：{named(state, 'zh')}")
        if state == "gone":
            raise InputError(
                f"{self.name}: its process is gone already; `kerasllm resume {self.name}` goes on",
                f"{self.name}：进程已消失；用 `kerasllm resume {self.name}` 继续",
            )
        try:
            (self.path / "stop").touch()
        except OSError as error:
            raise InputError(
                f"{self.name} cannot be asked to stop: {error.strerror}", f"无法请求 {self.name} 停止：{error.strerror}"
            ) from error

    def resume(self) -> Run:
        """Go on from the last checkpoint to the same weights as if never stopped; blocks until it ends.

        A notebook of one's own has no checkpoint: it is executed from its start.
        """
        if not self.asked["recipe"]:
            from kerasllm.own_notebook import execute

            return execute(self)
        from kerasllm.session import resume

        return resume(self)


def _tells_scores(report: Any) -> bool:
    """Whether it has a main score of every split, and says which split is the main one."""
    try:
        main = [scores[scores["main"]] for scores in report["splits"].values()]
        return report["split"] in report["splits"] and all(isinstance(one, (int, float, type(None))) for one in main)
    except (KeyError, TypeError, AttributeError):
        return False


def runs_folder(folder: str | Path | None = None) -> Path:
    """The folder of runs: as given, else KERASLLM_RUNS, else ./runs."""
    return Path(folder or os.environ.get("KERASLLM_RUNS") or "runs").expanduser().absolute()


def runs(folder: str | Path | None = None) -> list[Run]:
    """The runs of a folder, newest first; folders that hold something else are passed over."""
    place = runs_folder(folder)
    found = []
    with may_read():
        made = list(place.glob("*/run.json")) if place.is_dir() else []
    for file in made:
        try:
            run = Run(file.parent)
            found.append(((run.asked["created"], run.name), run))
        except InputError:  # a stranger's run.json; opening it by its path tells what is wrong
            continue
    return [run for _, run in sorted(found, key=lambda pair: pair[0], reverse=True)]


def open_run(run: str | Path, folder: str | Path | None = None) -> Run:
    """Open a run by its path, name, a unique beginning of its name, or `last`."""
    path = Path(run)
    with may_read():
        if (path / "run.json").exists():
            return Run(path.absolute())
    known = runs(folder)
    if str(run) == "last" and known:
        return known[0]
    exact = [one for one in known if one.name == str(run)]
    near = exact or [one for one in known if one.name.startswith(str(run))]
    if len(near) == 1:
        return near[0]
    if near:
        raise InputError(
            f"{len(near)} runs begin with {str(run)!r}: {', '.join(one.name for one in near[:8])}",
            f"有 {len(near)} 次运行以 {str(run)!r} 开头：{'、'.join(one.name for one in near[:8])}",
        )
    hint, zh = (nearest(str(run), [one.name for one in known], language) for language in ("en", "zh"))
    raise InputError(
        f"no run {str(run)!r} in {runs_folder(folder)}{hint}", f"{runs_folder(folder)} 中没有运行 {str(run)!r}{zh}"
    )


def differing(compared: Sequence[Run]) -> dict[str, list[Any]]:
    """The recipe and the parameters that are not the same in all runs, and files that changed: a value per run."""
    found = _differing([{"recipe": run.asked["recipe"], **run.asked["parameters"]} for run in compared])
    read = [run.sessions[0].get("data", {}) if run.sessions else {} for run in compared]
    changed = {
        f"{name} (SHA-256)": [digest[:SHORT] for digest in digests]
        for name, digests in _differing(read).items()
        if name not in found and None not in digests
    }
    return found | changed


def _differing(compared: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for one in compared for name in one)
    values = {name: [one.get(name) for one in compared] for name in names}
    return {name: found for name, found in values.items() if any(one != found[0] for one in found)}
