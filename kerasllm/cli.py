"""The command line, drawn from the recipes: no flag is kept by hand.

Exit codes: 0 fine, 2 the user's input (one line on stderr), 1 our fault (a traceback), 130 stopped.
"""

from __future__ import annotations

import inspect
import json
import locale
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

from cyclopts import App, CycloptsError, Group, Parameter

from kerasllm import __version__
from kerasllm.errors import InputError
from kerasllm.run import Run, open_run, runs_folder, watch
from kerasllm.run import runs as list_runs

if TYPE_CHECKING:
    from kerasllm.recipe import Recipe

STOPPED = 130  # as a shell reports Ctrl-C

Runs = Annotated[str, Parameter(help="folder of runs; default KERASLLM_RUNS, else ./runs", group="Options")]
Json = Annotated[bool, Parameter(negative=(), help="end with one line of JSON on stdout", group="Options")]
Name = Annotated[str, Parameter(help="the run's name; default the recipe's and the time", group="Options")]

app = App(
    name="kerasllm",
    help="Keras reference models for your own data. RUN is a run's path, name, a beginning of it, or last.",
    version=__version__,
    help_format="plaintext",  # the library's markdown would double the time of --help
)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run one command and exit with its code."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        _add_recipes(words)
        code = app(words, exit_on_error=False, print_error=False, result_action="return_value")
    except (InputError, CycloptsError) as error:
        print(f"kerasllm: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(STOPPED)
    except BrokenPipeError:  # `kerasllm runs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    sys.exit(code if isinstance(code, int) else 0)


@app.command(name="list")
def list_recipes(*, json: Json = False) -> None:
    """List the recipes."""
    from kerasllm import recipes

    found = {name: recipes.find(name).summary(language()) for name in recipes.names()}
    for name, summary in found.items():
        print(f"{name:20} {summary}")
    _finish(json, {"recipes": found})


train = App(name="train", help="Train a recipe: kerasllm train RECIPE --help lists its parameters.")
app.command(train)


def _train(recipe: Recipe, runs: str, name: str, json: bool) -> int:
    from kerasllm.run import create

    recipe = recipe.anchored()
    recipe.fingerprints()  # a missing file is told before a run is made
    run = recipe.reserved() or create(recipe, runs, name, "cli")
    return _follow(run, run.resume, json)


def _add_recipes(words: list[str]) -> None:
    """Make `train` a command per recipe, with a flag per parameter. Only the wanted ones are imported."""
    if "train" not in words[:1]:
        return
    from kerasllm import recipes

    wanted = words[1] if len(words) > 1 else ""
    if wanted and not wanted.startswith("-"):
        train.command(_command(recipes.find(wanted)), name=wanted)
    else:
        for name in recipes.names():
            train.command(_command(recipes.find(name)), name=name)


def _command(recipe: type[Recipe]) -> Callable[..., int]:
    """A function whose signature is the recipe's fields, for the library to draw."""

    def command(**values: Any) -> int:
        options = [values.pop(option, default) for option, default in (("runs", ""), ("name", ""), ("json", False))]
        return _train(recipe(**values), *options)

    from kerasllm.parameters import GROUPS, description, drawing

    only = inspect.Parameter.KEYWORD_ONLY
    shown = {key: Group(names[language() == "zh"], sort_key=place) for place, (key, names) in enumerate(GROUPS.items())}
    parameters = [
        inspect.Parameter(
            name,
            only,
            default=field.get_default(),
            annotation=Annotated[
                field.annotation, Parameter(help=description(field, language()), group=shown[drawing(field)["group"]])
            ],
        )
        for name, field in recipe.model_fields.items()
    ]
    for name, kind, default in (("runs", Runs, ""), ("name", Name, ""), ("json", Json, False)):
        parameters.append(inspect.Parameter(name, only, default=default, annotation=kind))
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__doc__ = recipe.summary(language())
    return command


@app.command
def resume(run: str, /, *, runs: Runs = "", json: Json = False) -> int:
    """Go on with a run from its last checkpoint; a completed one is left as it is."""
    found = open_run(run, runs)
    if found.state == "completed":
        print(f"{found.name} is completed; there is nothing to resume")
    return _follow(found, found.resume, json)


@app.command
def predict(
    run: str,
    /,
    *rows: str,
    file: Annotated[str, Parameter(help="CSV or Parquet file with the rows")] = "",
    runs: Runs = "",
    json: Json = False,
) -> None:
    """Answer rows with a run's model.

    A row of a text model is the text; of a table a JSON object such as '{"area": 90}', or a bare value where there is
    one column.
    """
    found = open_run(run, runs)
    if bool(rows) == bool(file):
        raise InputError("predict: give rows or --file, one of both")
    if file:
        from kerasllm.data.files import read

        answers = found.predict(read(file).columns)
    else:
        answers = found.predict([_row(row) for row in rows])
    for answer in answers:
        print(_line(answer))
    _finish(json, {"rows": answers})


@app.command
def evaluate(run: str, /, *, data: str, runs: Runs = "", json: Json = False) -> None:
    """Score a run's model on new labelled rows."""
    from kerasllm.evaluate import flat

    scores = flat(open_run(run, runs).evaluate(data))
    _print_scores(scores)
    _finish(json, {"scores": scores})


@app.command
def runs(*, runs: Runs = "", json: Json = False) -> None:
    """List the runs, newest first."""
    found = [_summary(run) for run in list_runs(runs)]
    if not found:
        print(f"no runs in {runs_folder(runs)}")
    width = max((len(Path(one["run"]).name) for one in found), default=0)
    for one in found:
        main = one["scores"].get("main")
        score = f"{main} {one['scores'][main]:.4g}" if main else ""
        print(f"{Path(one['run']).name:{width}}  {one['state']:10} {score}")
    _finish(json, {"runs": found})


@app.command
def show(run: str, /, *, runs: Runs = "", json: Json = False) -> None:
    """Show a run: parameters, state, scores, data, and the SHA-256 of its weights."""
    from kerasllm.data.card import render

    found = open_run(run, runs)
    print(f"{found.path}\n{found.asked['recipe']}: {_state(found)}")
    for name, value in found.asked["parameters"].items():
        print(f"  {name} = {value!r}")
    if found.card:
        print(render(found.card))
    _print_scores(found.scores)
    weights = found.report.get("weights")
    if weights:
        print(f"weights {weights}")
    _finish(json, {**_summary(found), "parameters": found.asked["parameters"], "weights": weights})


@app.command(name="watch")
def watch_run(run: str, /, *, runs: Runs = "", json: Json = False) -> int:
    """Watch a run until it ends; leaving does not touch it."""
    found = open_run(run, runs)
    _draw(found)
    _finish(json, _summary(found))
    return 0


@app.command
def stop(run: str, /, *, runs: Runs = "", json: Json = False) -> None:
    """Ask a run to stop: within one batch, with a valid model and a checkpoint to resume from."""
    found = open_run(run, runs)
    found.stop()
    print(f"asked {found.name} to stop")
    _finish(json, _summary(found))


@app.command
def compare(first: str, second: str, /, *others: str, runs: Runs = "", json: Json = False) -> None:
    """Show what differs between runs: parameters, and scores side by side."""
    found = [open_run(run, runs) for run in (first, second, *others)]
    asked = [{"recipe": run.asked["recipe"], **run.asked["parameters"]} for run in found]
    differing = {
        name: values
        for name in dict.fromkeys(name for one in asked for name in one)
        if len(set(values := [one.get(name) for one in asked])) > 1
    }
    scores = {name: [run.scores.get(name) for run in found] for name in dict.fromkeys(n for r in found for n in r.scores)}
    rows = [("", [run.name for run in found]), ("state", [run.state for run in found])]
    rows += [*differing.items(), *scores.items()]
    width = max(len(name) for name, _ in rows)
    columns = max(len(_cell(value)) for _, values in rows for value in values)
    for name, values in rows:
        print(f"{name:{width}}  " + "  ".join(f"{_cell(value):>{columns}}" for value in values))
    _finish(json, {"runs": [_summary(run) for run in found], "parameters": differing})


@app.command
def card(
    file: str,
    /,
    *,
    text: Annotated[str, Parameter(help="column of the texts")] = "text",
    label: Annotated[str, Parameter(help="column of the labels")] = "label",
    json: Json = False,
) -> None:
    """Look at a file before training on it: columns, encoding, duplicates, classes, what is wrong."""
    from kerasllm.data import card as cards
    from kerasllm.data import table, text as texts
    from kerasllm.data.files import read

    found = read(file)
    is_text = {text, label} <= found.columns.keys() or (text, label) != ("text", "label")
    content = texts.text_card(found, text, label) if is_text else table.table_card(found)
    print(cards.render(content))
    _finish(json, content)


@app.command
def notebook(
    recipe: str,
    /,
    *,
    p: Annotated[
        list[tuple[str, str]] | None,
        Parameter(name=["-p", "--parameter"], help="a parameter's NAME and VALUE; may be repeated", negative=()),
    ] = None,
    name: Name = "",
    runs: Runs = "",
    json: Json = False,
) -> int:
    """Run a recipe's notebook by papermill; the executed notebook lies in the run's folder."""
    from kerasllm.notebook import execute

    values: dict[str, str] = {}
    for key, value in p or []:
        if key in values:
            raise InputError(f"{key} is given twice")
        values[key] = value
    run = execute(recipe, values, runs=runs, run_name=name)
    return _report(run, json)


def language() -> str:
    """ "zh" where the environment speaks Chinese, else "en"."""
    spoken = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG")
    return "zh" if (spoken or locale.getlocale()[0] or "").lower().startswith(("zh", "chinese")) else "en"


def _follow(run: Run, work: Callable[[], Run], json: bool) -> int:
    """Work on a run while another thread draws it from its folder; Ctrl-C asks the work to stop."""
    drawer = threading.Thread(target=_draw, args=(run,), daemon=True)
    if run.state != "completed":
        drawer.start()
    work()
    if drawer.is_alive():
        drawer.join()
    return _report(run, json)


def _report(run: Run, json: bool) -> int:
    print(f"{run.path}: {_state(run)}")
    _print_scores(run.scores)
    _finish(json, _summary(run))
    return STOPPED if run.state == "stopped" else 0 if run.state == "completed" else 1


def _draw(run: Run) -> None:
    """Progress with the time left on a terminal, a line per epoch when piped."""
    if sys.stdout.isatty():
        from rich.progress import BarColumn, Progress, TextColumn

        columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}")
        with Progress(*columns) as progress:
            task = progress.add_task("queued", total=None, left="")
            for look in watch(run):
                status = look["status"]
                for epoch in look["epochs"]:
                    progress.console.print(_epoch(epoch))
                where = f"epoch {status['epoch'] + 1}/{status['epochs']}" if "epochs" in status else ""
                words = f"{status.get('phase') or look['state']} {where if status.get('phase') == 'training' else ''}"
                left = f"{_duration(status['eta'])} left" if status.get("eta") is not None else ""
                progress.update(task, description=words, completed=status.get("step"), total=status.get("steps"), left=left)
        return
    phase = ""
    for look in watch(run):
        if look["status"].get("phase", "") not in ("", phase):
            phase = look["status"]["phase"]
            print(phase, flush=True)
        for epoch in look["epochs"]:
            print(_epoch(epoch), flush=True)


def _epoch(line: dict[str, Any]) -> str:
    shown = {name: value for name, value in line.items() if name not in ("kind", "epoch", "step", "time")}
    return f"epoch {line['epoch']}: " + "  ".join(f"{name} {_number(value)}" for name, value in shown.items())


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _state(run: Run) -> str:
    state, message = run.state, run.status.get("message", "")
    if state == "gone":
        return f"its process is gone; `kerasllm resume {run.name}` goes on"
    return f"{state} ({message})" if message else state


def _summary(run: Run) -> dict[str, Any]:
    return {"run": str(run.path), "state": run.state, "scores": run.scores}


def _print_scores(scores: dict[str, Any]) -> None:
    for name, value in scores.items():
        if isinstance(value, (int, float)):
            print(f"  {name} {_number(value)}")


def _row(text: str) -> Any:
    """A row given on the command line: a JSON object, or the text itself."""
    if not text.lstrip().startswith("{"):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"row {text!r} is no JSON object: {error}") from error


def _line(answer: dict[str, Any]) -> str:
    if "probabilities" in answer:
        likely = list(answer["probabilities"].items())[:3]
        return f"{answer['label']}  ({', '.join(f'{name} {share:.3f}' for name, share in likely)})"
    return "  ".join(f"{name} {_number(value)}" for name, value in answer.items())


def _cell(value: Any) -> str:
    return _number(value) if isinstance(value, float) else "" if value is None else str(value)


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _finish(wanted: bool, content: dict[str, Any]) -> None:
    if wanted:
        print(json.dumps(content, ensure_ascii=False))
