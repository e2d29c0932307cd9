"""`kerasllm train`: a command per recipe, with a flag per parameter. No flag is kept by hand."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Group, Parameter

from kerasllm.cli.report import follow
from kerasllm.cli.speech import Json, Name, Runs
from kerasllm.spoken import language, said

if TYPE_CHECKING:
    from pydantic import BaseModel

    from kerasllm.recipe import Recipe

train = App(
    name="train",
    help=said(
        "Train a recipe: kerasllm train RECIPE --help lists its parameters.",
        "训练一个配方：kerasllm train RECIPE --help 列出它的参数。",
    ),
)


def _train(recipe: Recipe, runs: str, name: str, json: bool) -> int:
    from kerasllm import session
    from kerasllm.run import create

    recipe = recipe.anchored()
    if run := session.reserved(recipe):
        return follow(run, run.resume, json)
    fingerprints = recipe.fingerprints()  # a missing file is told before a run is made
    run = create(recipe, runs, name, "cli")
    return follow(run, partial(session.begin, run, fingerprints), json)


def add_recipes(words: list[str]) -> None:
    """Make `train` a command per recipe, with a flag per parameter. Only the wanted ones are imported."""
    if "train" not in words[:1]:
        return
    from kerasllm import recipes

    wanted = words[1] if len(words) > 1 else ""
    for name in [wanted] if wanted and not wanted.startswith("-") else recipes.names():
        found = recipes.find(name)
        if name not in train:
            train.command(_command(found), name=name)


def _command(recipe: type[Recipe]) -> Callable[..., int]:
    """A function whose signature is the recipe's fields, for the library to draw."""

    def command(**values: Any) -> int:
        runs, name, json = values.pop("runs", ""), values.pop("name", ""), values.pop("json", False)
        return _train(recipe(**values), runs, name, json)

    only = inspect.Parameter.KEYWORD_ONLY
    parameters = flags(recipe)
    for name, kind, default in (("runs", Runs, ""), ("name", Name, ""), ("json", Json, False)):
        parameters.append(inspect.Parameter(name, only, default=default, annotation=kind))
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__doc__ = recipe.summary(language())
    return command


def flags(fields: type[BaseModel]) -> list[inspect.Parameter]:
    """A flag per field, as the library takes them from a signature."""
    from kerasllm.parameters import GROUPS, description, drawing

    shown = {key: Group(said(*names), sort_key=place) for place, (key, names) in enumerate(GROUPS.items())}
    parameters = []
    for name, field in fields.model_fields.items():
        kind: Any = field.annotation
        default, metavar = field.get_default(), None
        if kind in (int, float):
            # The recipe reads the word, as on every surface: the library would take 2.5 epochs for 2.
            kind, default, metavar = str, str(default), kind.__name__.upper()
        group = shown[drawing(field)["group"]]
        drawn = Parameter(help=description(field, language()), group=group, metavar=metavar, show_default=default != "")
        annotation = Annotated[kind, drawn]
        parameters.append(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        )
    return parameters
