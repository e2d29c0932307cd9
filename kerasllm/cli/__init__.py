"""The command line, drawn from the recipes: no flag is kept by hand.

Exit codes: 0 fine, 2 the user's input (one line on stderr), 1 our fault (a traceback), or a batch with failed runs, or
a machine that `doctor` finds unable to train, 130 stopped.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

from cyclopts import App, CycloptsError, Group, UnusedCliTokensError

from kerasllm import __version__
from kerasllm.cli.answering import evaluate, predict
from kerasllm.cli.batch import batch
from kerasllm.cli.progress import device_notes, draw
from kerasllm.cli.report import (
    STOPPED,
    cell,
    finish,
    follow,
    number,
    print_scores,
    report,
    state,
    summary,
)
from kerasllm.cli.speech import (
    Json,
    Name,
    Pairs,
    RunName,
    Runs,
    Source,
    argument,
    chinese,
    option,
    padded,
    pairs,
    width,
    word,
)
from kerasllm.cli.training import add_recipes, train
from kerasllm.cli.usage import in_chinese
from kerasllm.errors import InputError
from kerasllm.run import Run, differing, open_run, runs_folder
from kerasllm.run import runs as list_runs
from kerasllm.spoken import language, message, said

# The disk's or the folder's doing, not a fault of ours.
UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}


app = App(
    name="kerasllm",
    help=said("Keras reference models for your own data.", "用自己的数据训练 Keras 参考模型。"),
    version=__version__,
    help_format="plaintext",  # the library's markdown would double the time of --help
    group_commands=Group(said("Commands", "命令")),
    group_parameters=Group(said("Parameters", "参数")),
    group_arguments=Group(said("Arguments", "参数")),
)
app["--help"].help, app["--version"].help = (
    said("Show this, and exit.", "显示本帮助。"),
    said("Show the version, and exit.", "显示版本。"),
)
app.command(train)
app.command(
    batch,
    help=chinese(
        "用多组参数多次训练一个配方，或运行一个笔记本。\n\n"
        "全部检查之后才开始；中断后再次执行同一命令即可继续，已完成的保持不变。"
    ),
)
app.command(predict, help=chinese("用一次运行的模型回答若干行。"))
app.command(evaluate, help=chinese("用新的带标签的行给模型打分。"))
# Named, not imported: its flags are drawn from a model that the other commands need not wait for.
app.command(
    "kerasllm.cli.writing:generate",
    name="generate",
    help=said("Write on after a prompt, shown token by token.", "接着一段开头往下写，逐词元显示。"),
)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run one command and exit with its code."""
    words = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a label that the terminal's encoding lacks
    try:
        add_recipes(words)
        code = app(words, exit_on_error=False, print_error=False, result_action="return_value")
    except UnusedCliTokensError as error:
        unused = " ".join(error.unused_tokens or [])
        _complain(
            f"{unused!r} has no place here; parameters are given by name, such as --data FILE",
            f"此处不能写 {unused!r}；参数要带名称，如 --data FILE",
        )
    except InputError as error:
        _complain(str(error), error.zh)
    except CycloptsError as error:  # a library's words
        _complain(str(error), in_chinese(str(error)))
    except KeyboardInterrupt:
        sys.exit(STOPPED)
    except BrokenPipeError:  # `kerasllm runs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        where = f" {error.filename}" if error.filename else ""
        _complain(
            f"cannot write{where}: {error.strerror}; make room, or choose another folder with --runs",
            f"无法写入{where}：{error.strerror}；请腾出空间，或用 --runs 另选文件夹",
        )
    sys.exit(code if isinstance(code, int) else 0)


def _complain(line: str, zh: str) -> NoReturn:
    print(f"kerasllm: {' '.join(said(line, zh).split())}", file=sys.stderr)
    sys.exit(2)


@app.command(name="list", help=chinese("列出各个配方。"))
def list_recipes(*, json: Json = False) -> None:
    """List the recipes."""
    from kerasllm import recipes

    found = {name: recipes.find(name).summary(language()) for name in recipes.names()}
    for name, words in found.items():
        print(f"{name:20} {words}")
    finish(json, {"recipes": found})


@app.command(help=chinese("从最近的检查点继续一次运行；已完成的保持不变。"))
def resume(run: RunName, /, *, runs: Runs = "", json: Json = False) -> int:
    """Go on with a run from its last checkpoint; a completed one is left as it is."""
    from kerasllm.own_notebook import SOURCE

    found = open_run(run, runs)
    if found.state == "completed":
        print(said(f"{found.name} is completed; there is nothing to resume", f"{found.name} 已完成，无需继续"))
        return report(found, json)
    # Its notebook, which a training alone would leave as the stop left it, or unexecuted.
    kept = any((found.path / name).exists() for name in (SOURCE, "notebook.ipynb"))
    if found.asked["surface"] == "notebook" and (kept or found.state == "queued"):
        from kerasllm.notebook_run import execute

        return follow(found, lambda: execute(found), json)
    return follow(found, found.resume, json)


@app.command(help=chinese("列出所有运行，最新的在前。"))
def runs(*, runs: Runs = "", json: Json = False) -> None:
    """List the runs, newest first; one whose files are damaged with the reason."""
    found = [_listed(run) for run in list_runs(runs)]
    if not found:
        place = runs_folder(runs)
        print(said(f"no runs in {place}", f"{place} 中没有运行"))
    columns = max((width(Path(one["run"]).name) for one in found), default=0)
    for one in found:
        main = one["scores"].get("main", "")
        value = one["scores"].get(main)  # null where it was no number
        told = f"{main} {number(value)}" if value is not None else one.get("message", "")
        print(f"{padded(Path(one['run']).name, columns)}  {padded(word(one['state']), 10)} {told}")
    finish(json, {"runs": found})


def _listed(run: Run) -> dict[str, Any]:
    try:
        why = message(run.status)
        return {**summary(run), **({"message": why} if why else {})}
    except InputError as error:  # as the sidebar shows it
        return {"run": str(run.path), "state": "unreadable", "scores": {}, "message": error.said(language())}


@app.command(help=chinese("显示一次运行：参数、状态、得分、数据，以及权重的 SHA-256。"))
def show(run: RunName, /, *, runs: Runs = "", json: Json = False) -> None:
    """Show a run: parameters, state, scores, data, and the SHA-256 of its weights."""
    from kerasllm.data.card import render

    found = open_run(run, runs)
    print(f"{found.path}\n{found.asked['recipe'] or found.asked['notebook']}: {state(found)}")
    for name, value in found.asked["parameters"].items():
        print(f"  {name} = {value!r}")
    for one in device_notes(found.status):
        print(one)
    if found.card:
        print(render(found.card, language()))
    speed = found.report.get("speed", {})
    print_scores({**found.scores, **speed})
    weights = found.report.get("weights")
    if weights:
        print(f"{said('weights', '权重')} {weights}")
    finish(json, {**summary(found), "speed": speed, "parameters": found.asked["parameters"], "weights": weights})


@app.command(name="watch", help=chinese("观看一次运行直到结束；离开不影响它。"))
def watch_run(run: RunName, /, *, runs: Runs = "", json: Json = False) -> None:
    """Watch a run until it ends; leaving does not touch it."""
    found = open_run(run, runs)
    draw(found)
    print(f"{found.path}: {state(found)}")
    finish(json, summary(found))


@app.command(help=chinese("请求停止一次运行：在一个批次内停下，留下可用的模型和可继续的检查点。"))
def stop(run: RunName, /, *, runs: Runs = "", json: Json = False) -> None:
    """Ask a run to stop: within one batch, with a valid model and a checkpoint to resume from."""
    found = open_run(run, runs)
    found.stop()
    print(said(f"asked {found.name} to stop", f"已请求 {found.name} 停止"))
    finish(json, summary(found))


@app.command(help=chinese("比较几次运行：不同的参数，以及并列的得分。"))
def compare(first: RunName, second: RunName, /, *others: RunName, runs: Runs = "", json: Json = False) -> None:
    """Show what differs between runs: parameters, and scores side by side."""
    found = [open_run(run, runs) for run in (first, second, *others)]
    parameters = differing(found)
    names = dict.fromkeys(name for run in found for name in run.scores)
    scores = {name: [run.scores.get(name) for run in found] for name in names}
    rows: list[tuple[str, list[Any]]] = [
        ("", [run.name for run in found]),
        (said("state", "状态"), [word(run.state) for run in found]),
    ]
    rows += [*parameters.items(), *scores.items()]
    first_column = max(width(name) for name, _ in rows)
    columns = max(width(cell(value)) for _, values in rows for value in values)
    for name, values in rows:
        cells = [" " * (columns - width(cell(value))) + cell(value) for value in values]
        print("  ".join((padded(name, first_column), *cells)))
    finish(json, {"runs": [summary(run) for run in found], "parameters": parameters})


@app.command(help=chinese("训练之前查看一个文件或图片文件夹：列、编码、重复、类别、问题。"))
def card(
    file: Annotated[
        str,
        argument(
            "CSV or Parquet file, folder of pictures, or sample:NAME", "CSV 或 Parquet 文件、图片文件夹，或 sample:名称"
        ),
    ],
    /,
    *,
    text: Annotated[str, option("column of the texts", "文本所在的列", show_default=True)] = "text",
    label: Annotated[str, option("column of the labels", "标签所在的列", show_default=True)] = "label",
    json: Json = False,
) -> None:
    """Look at a file, or folder of pictures, before training on it: columns, duplicates, classes, what is wrong."""
    from kerasllm.data.card import render
    from kerasllm.data.look import look

    content = look(file, text=text, label=label)
    print(render(content, language()))
    finish(json, content)


@app.command(help=chinese("检查这台机器：后端、设备、版本，以及需要安装什么。"))
def doctor(*, json: Json = False) -> int:
    """Examine this machine: backend, devices, versions, and what to install."""
    from kerasllm.doctor import examine, lines

    found = examine()
    print("\n".join(lines(found, language())))
    finish(json, found)
    return 0 if found["can_train"] else 1


@app.command(help=chinese("用 papermill 运行配方的或自己的笔记本（.ipynb）；执行后的笔记本在运行的文件夹里。"))
def notebook(
    source: Source,
    /,
    *,
    p: Pairs = None,
    name: Name = "",
    runs: Runs = "",
    json: Json = False,
) -> int:
    """Run a recipe's notebook, or one's own (.ipynb), by papermill; the executed one lies in the run's folder."""
    from kerasllm.notebook_run import execute, reserve

    run = reserve(source, pairs(p), runs=runs, name=name)
    return follow(run, lambda: execute(run), json)
