"""`kerasllm generate`: write on after a prompt, shown token by token."""

from __future__ import annotations

import inspect
import time
from typing import Annotated, Any

from kerasllm.cli.report import finish
from kerasllm.cli.speech import Json, RunName, Runs, option
from kerasllm.cli.training import flags
from kerasllm.language import Writing
from kerasllm.run import open_run

Prompt = Annotated[str, option("what the text begins with", "文本的开头")]


def generate(run: RunName, /, **options: Any) -> None:
    """Write on after a prompt, shown token by token."""
    prompt, runs, json = options.pop("prompt", ""), options.pop("runs", ""), options.pop("json", False)
    found = open_run(run, runs)
    pieces: list[str] = []
    drawn = found.generate(prompt, **options)
    print(prompt, end="", flush=True)
    began = time.perf_counter()
    for piece in drawn:
        if not pieces:
            began = time.perf_counter()  # what compiling took is not writing
        pieces.append(piece)
        print(piece, end="", flush=True)
    print()
    rate = (len(pieces) - 1) / (time.perf_counter() - began) if len(pieces) > 1 else None
    finish(json, {"prompt": prompt, "text": "".join(pieces), "tokens": len(pieces), "tokens_per_second": rate})


def _signature() -> inspect.Signature:
    """The run, the prompt, and a flag per field of `Writing`."""
    first = inspect.Parameter("run", inspect.Parameter.POSITIONAL_ONLY, annotation=RunName)
    own = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, kind, default in (("prompt", Prompt, ""), ("runs", Runs, ""), ("json", Json, False))
    ]
    return inspect.Signature([first, *own, *flags(Writing)])


generate.__signature__ = _signature()  # type: ignore[attr-defined]
