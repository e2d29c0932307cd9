"""What a run answers, in a process of its own: `python -m tests.answers RUN`; it is trained first, if it has to be."""

from __future__ import annotations

import json
import sys
from typing import Any

import kerasllm
from kerasllm.data.files import read
from kerasllm.run import Run


def answer(run: Run) -> list[dict[str, Any]]:
    """The answers to the first rows of the run's own data."""
    columns = read(run.asked["parameters"]["data"]).columns
    found: list[dict[str, Any]] = run.predict({name: cells[:20] for name, cells in columns.items()})
    return found


if __name__ == "__main__":
    print(json.dumps({"rows": answer(kerasllm.open(sys.argv[1]).resume())}))
