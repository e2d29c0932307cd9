"""The recipes: this folder is the list, and so is the entry-point group `kerasllm.recipes` of other packages.

Importing a recipe imports neither Keras nor the data libraries.
"""

from __future__ import annotations

import importlib
import pkgutil
from importlib.metadata import entry_points

from kerasllm.errors import InputError, did_you_mean
from kerasllm.recipe import Recipe


def names() -> list[str]:
    """The recipes' names, sorted."""
    return sorted(_modules())


def find(name: str) -> type[Recipe]:
    """The recipe of that name; an unknown one raises InputError with the nearest."""
    modules = _modules()
    if name not in modules:
        raise InputError(
            f"no recipe {name!r}{did_you_mean(name, modules)}", f"没有配方 {name!r}{did_you_mean(name, modules, 'zh')}"
        )
    module = importlib.import_module(modules[name])
    for member in vars(module).values():
        if isinstance(member, type) and issubclass(member, Recipe) and member.__module__ == module.__name__:
            return member
    raise ImportError(f"{module.__name__} holds no recipe")


def _modules() -> dict[str, str]:
    """Names and the modules they live in; ours come first."""
    others = {point.name: point.module for point in entry_points(group="kerasllm.recipes")}
    return others | {found.name: f"{__name__}.{found.name}" for found in pkgutil.iter_modules(__path__)}
