"""A batch's results: a row per run, the seeds' mean and spread per set of parameters, and the best run."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kerasllm import recipes
from kerasllm.batch.folder import Batch
from kerasllm.evaluate import flat
from kerasllm.run import Run


@dataclass(frozen=True)
class Group:
    """The runs that differ in nothing but the seed; `values` are their main scores."""

    parameters: dict[str, Any]
    runs: list[Run]
    values: list[float]

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
    """What a batch found out. `main` is the score that chose `best`, on the rows of `split`."""

    batch: Batch
    main: str
    smaller_is_better: bool
    split: str
    groups: list[Group]
    best: Run | None


def results(batch: Batch) -> Results:
    """Read the runs. Runs are chosen by validation rows where there are any: test rows are then left to judge by."""
    reports = {run.name: run.report for run in batch.runs}
    scored = [report for report in reports.values() if report]
    split = _split(scored)
    main = str(scored[0]["splits"][split]["main"]) if split else ""
    recipe = next((run.asked["recipe"] for run in batch.runs if reports[run.name]), "")
    smaller_is_better = bool(recipe) and recipes.find(recipe).smaller_is_better
    groups: dict[str, Group] = {}
    best: tuple[float, Run] | None = None
    for run, point in zip(batch.runs, batch.points, strict=True):
        shown = {name: point.get(name) for name in batch.varied}
        group = groups.setdefault(repr(shown), Group(shown, [], []))
        group.runs.append(run)
        value = reports[run.name]["splits"][split].get(main) if main and reports[run.name] else None
        if value is not None:
            group.values.append(value)
            is_better = best is None or (value < best[0] if smaller_is_better else value > best[0])
            if is_better and run.state == "completed":
                best = value, run
    return Results(batch, main, smaller_is_better, split, list(groups.values()), best[1] if best else None)


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
        found.append(row | {"message": status.get("message", "")})
    return found


def as_csv(table: Sequence[dict[str, Any]]) -> str:
    """The rows as CSV."""
    names = [name for name in dict.fromkeys(name for row in table for name in row) if name != "message"]
    text = io.StringIO()
    writer = csv.DictWriter(text, [*names, "message"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue()
