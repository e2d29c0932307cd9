"""Errors in the user's words: one line with place, value and cure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

MOST_SHOWN = 12  # names in a line


class InputError(ValueError):
    """What the user gave cannot be used; the message is one line that says where, what and what to do."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `"; did you mean 'x'?"` for the nearest known word, or all of them when none is near."""
    names = list(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.7)
    if near:
        return f"; did you mean {near[0]!r}?"
    more = f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
    return f"; there are: {', '.join(names[:MOST_SHOWN])}{more}" if names else ""


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Turn a missing package into the command that installs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("kerasllm"):
            raise
        raise InputError(f"{error.name} is not installed: pip install 'kerasllm[{extra}]'") from error
