"""`kerasllm batch`: many runs, one live table, one table at the end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

from kerasllm.cli.report import STOPPED, cell, finish, number, state, summary
from kerasllm.cli.speech import Json, Pairs, Runs, Source, option, pairs, word
from kerasllm.errors import InputError
from kerasllm.spoken import said

if TYPE_CHECKING:
    from rich.table import Table

    from kerasllm.batch.results import Results
    from kerasllm.batch.work import Progress
    from kerasllm.run import Run

SHOWN = 12  # rows of the live table
Grid = Annotated[
    list[str] | None,
    option(
        'NAME=VALUE,VALUE; may be repeated: every combination is a run; "a,b" in double quotes is one value',
        '名称=值,值；可重复：每种组合一次运行；双引号中的 "a,b" 是一个值',
        negative=(),
    ),
]
TableFile = Annotated[str, option("CSV file with a run's parameters in each row", "每行一次运行参数的 CSV 文件")]
Seeds = Annotated[
    int,
    option("seeds for each point, from its own or 0", "每组参数的随机种子数，从其自身的种子或 0 起", show_default=True),
]
Count = Annotated[int, option("runs at a time", "同时进行的运行数", show_default=True)]
BatchName = Annotated[str, option("the batch's name; default from its points", "批次的名称；默认由各组参数得出")]


def batch(
    source: Source,
    /,
    *,
    grid: Grid = None,
    table: TableFile = "",
    seeds: Seeds = 1,
    p: Pairs = None,
    workers: Count = 2,
    name: BatchName = "",
    runs: Runs = "",
    json: Json = False,
) -> int:
    """Train a recipe, or run a notebook, once for each of many sets of parameters.

    Everything is checked before anything starts. Interrupted, the same command goes on: what is finished is kept.
    """
    from kerasllm import batch
    from kerasllm.batch.workers import Workers

    if grid and table:
        raise InputError("give --grid or --table, one of both", "请给出 --grid 或 --table，二者之一")
    if workers < 1:
        raise InputError(f"--workers {workers}: 1 or more", f"--workers {workers}：至少为 1")
    fixed = pairs(p)
    points = batch.from_table(table, fixed) if table else batch.from_grid(grid or [], fixed)
    found = batch.Source(source)
    many = batch.open_batch(found, points, seeds, runs, name)
    with many.held():
        batch.reserve_runs(many, found)
        done = sum(run.state == "completed" for run in many.runs)
        words = said(f"{len(many.runs)} runs", f"{len(many.runs)} 次运行")
        words += said(f", {done} completed already", f"，其中 {done} 次已完成") if done else ""
        print(f"{many.path}: {words}", flush=True)
        with Workers(workers, many.path) as pool, _view(done) as look:
            progress = batch.work(many, pool, look)
        outcome = batch.results(many)
        batch.write(outcome)
    _print(outcome, progress)
    finish(json, _summary(outcome, progress))
    failed = progress.errors or any(run.state != "completed" for run in many.runs)
    return STOPPED if progress.is_stopping else 1 if failed else 0


@contextmanager
def _view(done: int) -> Iterator[Callable[[Progress], None]]:
    """What is called again and again with the progress: a live table on a terminal, a line per ended run elsewhere."""
    if not sys.stdout.isatty():
        told = done

        def tell(progress: Progress) -> None:
            nonlocal told
            for run in progress.ended[told:]:
                told += 1
                print(f"[{told}/{len(progress.batch.runs)}] {_line(run, progress)}", flush=True)

        yield tell
        return
    from rich.live import Live

    with Live(refresh_per_second=4) as live:
        yield lambda progress: live.update(_table(progress))


def _line(run: Run, progress: Progress) -> str:
    scores = run.scores
    main = f"  {scores['main']} {number(scores[scores['main']])}" if scores else ""
    error = _error(run, progress)
    return f"{run.name}  {_varied(run, progress)}{f'{word(run.state)} ({error})' if error else state(run)}{main}"


def _error(run: Run, progress: Progress) -> str:
    """Why it failed in this batch, or nothing."""
    error = progress.errors.get(run.name, "")
    return error and said(error, run.status.get("message_zh") or error)


def _varied(run: Run, progress: Progress) -> str:
    values = run.asked["parameters"]
    names = [name for name in (*progress.batch.varied, "seed") if name in values]
    return "".join(f"{name}={cell(values[name])}  " for name in names)


def _table(progress: Progress) -> Table:
    from rich.markup import escape
    from rich.table import Table

    all_runs = len(progress.batch.runs)
    failed = len(progress.errors)
    title = f"{len(progress.ended)}/{all_runs} {said('ended', '已结束')}"
    title += said(f", {failed} failed", f"，{failed} 次失败") if failed else ""
    title += said(", stopping", "，正在停止") if progress.is_stopping else ""
    table = Table(title=title, box=None)
    for name in said("run parameters state progress score", "运行 参数 状态 进度 得分").split():
        table.add_column(name)
    for run in [*progress.ended[-SHOWN:], *progress.at_work]:
        status = run.status
        done = f"{status['step'] / status['steps']:.0%}" if status.get("steps") else ""
        scores = run.scores
        main = f"{scores['main']} {cell(scores[scores['main']])}" if scores else ""
        words = (run.name, _varied(run, progress), word(status.get("phase") or run.state), done, main)
        table.add_row(*map(escape, words))
    return table


def _print(outcome: Results, progress: Progress) -> None:
    folder = outcome.batch.path
    if outcome.main:
        print(f"{said(*outcome.shown())}:")
    for group in outcome.groups if outcome.main else ():
        words = "  ".join(f"{name}={cell(value)}" for name, value in group.parameters.items())
        spread = f" ± {group.spread:.2g}" if group.spread is not None else ""
        mean = f"{number(group.mean)}{spread}" if group.mean is not None else "-"
        of = f"{len(group.values)} {said('of', '/')} {len(group.runs)} {said('runs', '次')}"
        print(f"  {mean}  ({of})  {words}")
    if outcome.best:
        print(f"{said('best', '最佳')}: {outcome.best.path}")
        if outcome.split != "validation":
            english = f"note: chosen by the {outcome.split} rows, its score there is too good; set validation=0.1"
            chinese = f"提示: 它由{word(outcome.split)}集选出，在其上的得分偏高；请设 validation=0.1"
            print(said(english, chinese))
    for run in progress.batch.runs:
        if error := _error(run, progress):
            print(f"{word('failed')}: {run.name}: {error}")
    print(f"{folder / 'table.csv'}\n{folder / 'table.html'}")
    if progress.is_stopping:
        print(said("the same command goes on from here", "再次执行同一命令即可继续"))


def _summary(outcome: Results, progress: Progress) -> dict[str, Any]:
    return {
        "batch": str(outcome.batch.path),
        "runs": [summary(run) for run in outcome.batch.runs],
        "errors": progress.errors,
        "main": outcome.main,
        "split": outcome.split,
        "groups": [
            {
                "parameters": group.parameters,
                "runs": [run.name for run in group.runs],
                "mean": group.mean,
                "spread": group.spread,
            }
            for group in outcome.groups
        ],
        "best": str(outcome.best.path) if outcome.best else None,
    }
