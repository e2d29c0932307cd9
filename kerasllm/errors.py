"""Errors in the user's words: one line with place, value and cure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

MOST_SHOWN = 12  # names in a line


class InputError(ValueError):
    """What the user gave cannot be used; the message is one line that says where, what and what to do.

    `zh` is the same line in Chinese.
    """

    def __init__(self, message: str, zh: str):
        super().__init__(message, zh)  # both, so that it can be pickled
        self.zh = zh

    def __str__(self) -> str:
        return str(self.args[0])

    def said(self, language: str) -> str:
        """The line in `language`, "en" or "zh"."""
        return self.zh if language == "zh" else str(self)


def nearest(word: str, known: Iterable[str], language: str = "en") -> str:
    """Return `"; did you mean 'x'?"` for the nearest known word, or "" when none is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.7)
    if not near:
        return ""
    return f"；是否指 {near[0]!r}？" if language == "zh" else f"; did you mean {near[0]!r}?"


def did_you_mean(word: str, known: Iterable[str], language: str = "en") -> str:
    """Return `"; did you mean 'x'?"` for the nearest known word, or all of them when none is near."""
    chinese = language == "zh"
    names = list(known)
    if hint := nearest(word, names, language):
        return hint
    if not names:
        return ""
    shown, rest = names[:MOST_SHOWN], len(names) - MOST_SHOWN
    if chinese:
        return f"；有：{'、'.join(shown)}" + (f"，另有 {rest} 个" if rest > 0 else "")
    return f"; there are: {', '.join(shown)}" + (f" and {rest} more" if rest > 0 else "")


def in_one_line(error: BaseException) -> str:
    """A library's error: its kind, and the first line of what it says, where it says anything."""
    first = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {first[:120]}" if first else type(error).__name__


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Turn a missing package into the command that installs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("kerasllm"):
            raise
        cure = f"pip install 'kerasllm[{extra}]'"
        raise InputError(f"{error.name} is not installed: {cure}", f"{error.name} 没有安装：{cure}") from error


@contextmanager
def may_read() -> Iterator[None]:
    """Turn the system's refusal to let a path be looked at into an error that names it."""
    try:
        yield
    except PermissionError as error:
        raise InputError(
            f"{error.filename} may not be read: {error.strerror}", f"无法读取 {error.filename}：{error.strerror}"
        ) from error
