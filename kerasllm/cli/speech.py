"""What the command line says, in English or Chinese, and the options that are no recipe's parameters."""

from __future__ import annotations

from typing import Annotated, Any
from unicodedata import east_asian_width

from cyclopts import Group, Parameter

from kerasllm.errors import InputError
from kerasllm.spoken import language, named, said


def word(name: str) -> str:
    """A state, a phase or a split, in the person's language."""
    return named(name, language())


def width(text: str) -> int:
    """Columns of a terminal that a text takes: a Chinese character takes two."""
    return sum(1 + (east_asian_width(one) in "WF") for one in text)


def padded(text: str, columns: int) -> str:
    """A text filled with spaces to so many columns of a terminal."""
    return text + " " * (columns - width(text))


def chinese(text: str) -> str | None:
    """A command's help in Chinese; elsewhere its docstring is its help."""
    return text if language() == "zh" else None


OPTIONS = Group(said("Options", "选项"), sort_key=99)


def option(english: str, chinese: str, **more: Any) -> Parameter:
    """An option that is no parameter of a recipe; one that is left out means what its help says."""
    return Parameter(help=said(english, chinese), group=OPTIONS, **{"show_default": False, **more})


def argument(english: str, chinese: str) -> Parameter:
    """A word that is told by its place."""
    return Parameter(help=said(english, chinese))


RunName = Annotated[
    str,
    argument(
        "a run's path, name, a beginning of its name, or last", "运行的路径、名称、名称的开头，或 last（最近一次）"
    ),
]
Source = Annotated[str, argument("a recipe, or a notebook (.ipynb)", "配方，或一个笔记本（.ipynb）")]
Runs = Annotated[
    str,
    option(
        "folder of runs; default KERASLLM_RUNS, else ./runs",
        "存放运行的文件夹；默认 KERASLLM_RUNS，否则 ./runs",
    ),
]
Json = Annotated[bool, option("end with one line of JSON on stdout", "标准输出的最后一行为 JSON", negative=())]
Name = Annotated[str, option("the run's name; default the recipe's and the time", "运行的名称；默认为配方名加时间")]
Pairs = Annotated[
    list[tuple[str, str]] | None,
    option(
        "a parameter's NAME and VALUE; may be repeated",
        "参数的名称与值；可重复",
        name=["-p", "--parameter"],
        negative=(),
    ),
]


def pairs(given: list[tuple[str, str]] | None) -> dict[str, str]:
    """The parameters given by -p; one given twice raises InputError."""
    values: dict[str, str] = {}
    for key, value in given or []:
        if key in values:
            raise InputError(f"{key} is given twice", f"{key} 给出了两次")
        values[key] = value
    return values
