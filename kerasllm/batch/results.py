"""A batch's results: a row per run, the seeds' mean and spread per set of parameters, and the best run of the best."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kerasllm import recipes
from kerasllm.batch.folder import Batch
from kerasllm.evaluate import flat
from kerasllm.run import Run
from kerasllm.spoken import message, named


@dataclass(frozen=True)
class Group:
    """The runs that differ in nothing but the seed, and the main score of each completed one."""

    parameters: dict[str, Any]
    runs: list[Run]
    scores: list[float | None]

    @property
    def values(self) -> list[float]:
        """The scores that there are."""
        return [score for score in self.scores if score is not None]

    @property
    def mean(self) -> float | None:
        """The mean of the main score, where a run has one."""
        return statistics.fmean(self.values) if self.values else None

    @property
    def spread(self) -> float | None:
        """The sample standard deviation over the seeds, where there are two or more."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None


@dataclass(frozen=True)
class Results:
    """What a batch found out. `main` is the score that ranks, on the rows of `split`."""

    batch: Batch
    main: str
    smaller_is_better: bool
    split: str
    groups: list[Group]

    def ranked(self) -> list[Group]:
        """The groups, the best mean first; those that lack a run's score come after the others."""

        def place(group: Group) -> tuple[bool, int, float]:
            lacking = len(group.runs) - len(group.values)
            return group.mean is None, lacking, self._sign * (group.mean or 0)

        return sorted(self.groups, key=place)

    @cached_property
    def best(self) -> Run | None:
        """The best run of the best mean.

        A seed divides the rows, too: of all the runs the best may be the one with the easiest rows to be scored on.
        """
        group = next(iter(self.ranked()), None)
        scored = zip(group.runs, group.scores, strict=True) if group else ()
        found = [(self._sign * score, run) for run, score in scored if score is not None]
        return min(found, key=lambda pair: pair[0])[1] if found else None

    def shown(self) -> tuple[str, str]:
        """What is shown of each group, in English and Chinese."""
        english, chinese = f"{self.main} on the {self.split} rows", f"{named(self.split, 'zh')}集上的 {self.main}"
        if all(len(group.runs) == 1 for group in self.groups):
            return english, chinese
        return (
            f"{english}, mean ± standard deviation over the seeds",
            f"{chinese}，各随机种子的均值 ± 标准差",
        )

    @property
    def _sign(self) -> int:
        return 1 if self.smaller_is_better else -1


def results(batch: Batch) -> Results:
    """Read the runs. Runs are chosen by validation rows where there are any: test rows are then left to judge by."""
    reports = {run.name: run.report for run in batch.runs}
    scored = [report for report in reports.values() if report]
    split = _split(scored)
    main = str(scored[0]["splits"][split]["main"]) if split else ""
    recipe = next((run.asked["recipe"] for run in batch.runs if reports[run.name]), "")
    smaller_is_better = bool(recipe) and recipes.find(recipe).smaller_is_better
    groups: dict[str, Group] = {}
    for run, point in zip(batch.runs, batch.points, strict=True):
        shown = {name: point.get(name) for name in batch.varied}
        group = groups.setdefault(repr(shown), Group(shown, [], []))
        group.runs.append(run)
        counts = main and reports[run.name] and run.state == "completed"
        group.scores.append(reports[run.name]["splits"][split].get(main) if counts else None)
    return Results(batch, main, smaller_is_better, split, list(groups.values()))


def _split(reports: Sequence[dict[str, Any]]) -> str:
    """The rows to choose by: the first of validation, test and training ones that every run was scored on."""
    common = (name for name in ("validation", "test", "train") if all(name in one["splits"] for one in reports))
    return next(common, "") if reports else ""


def rows(batch: Batch) -> list[dict[str, Any]]:
    """A row per run: its name, state, parameters that differ, seed, seconds, scores by split, message."""
    seeds = any("seed" in point for point in batch.points)
    found = []
    for run, point in zip(batch.runs, batch.points, strict=True):
        status = run.status
        row: dict[str, Any] = {"run": run.name, "state": run.state}
        row |= {name: point.get(name) for name in [*batch.varied, *(["seed"] if seeds else [])]}
        row["seconds"] = round(run.seconds, 2) or None
        for split, scores in run.report.get("splits", {}).items():
            row |= {f"{split} {name}": value for name, value in flat(scores).items() if name != "main"}
        found.append(row | {"message": message(status)})
    return found


def as_csv(table: Sequence[dict[str, Any]]) -> str:
    """The rows as CSV."""
    names = [name for name in dict.fromkeys(name for row in table for name in row) if name != "message"]
    text = io.StringIO()
    writer = csv.DictWriter(text, [*names, "message"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue()
