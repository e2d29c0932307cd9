"""`kerasllm generate`: write on after a prompt, shown token by token."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import Annotated, Any

from kerasllm.cli.report import finish
from kerasllm.cli.speech import Json, Runs, chinese, option
from kerasllm.cli.training import flags
from kerasllm.run import open_run

Prompt = Annotated[str, option("what the text begins with", "文本的开头")]


def generate() -> Callable[..., None]:
    """The command, with a flag per field of `language.Writing`."""
    from kerasllm.language import Writing

    def command(run: str, /, *, prompt: str = "", runs: str = "", json: bool = False, **options: Any) -> None:
        found = open_run(run, runs)
        pieces: list[str] = []
        print(prompt, end="", flush=True)
        began = time.perf_counter()
        for piece in found.generate(prompt, **options):
            if not pieces:
                began = time.perf_counter()  # what compiling took is not writing
            pieces.append(piece)
            print(piece, end="", flush=True)
        print()
        rate = (len(pieces) - 1) / (time.perf_counter() - began) if len(pieces) > 1 else None
        finish(json, {"prompt": prompt, "text": "".join(pieces), "tokens": len(pieces), "tokens_per_second": rate})

    first = inspect.Parameter("run", inspect.Parameter.POSITIONAL_ONLY, annotation=str)
    own = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, kind, default in (("prompt", Prompt, ""), ("runs", Runs, ""), ("json", Json, False))
    ]
    command.__signature__ = inspect.Signature([first, *own, *flags(Writing)])  # type: ignore[attr-defined]
    command.__doc__ = chinese("接着一段开头往下写，逐词元显示。") or "Write on after a prompt, shown token by token."
    return command
