"""The rows that a sidebar shows of runs."""

from __future__ import annotations

import json
from pathlib import Path

from kerasllm_widgets.server.rows import Rows

from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.run import create, files


def test_a_row_has_a_curve_before_its_second_epoch(runs: Path, tmp_path: Path) -> None:
    run, rows = create(LinearRegression(), runs, "mine"), Rows(tmp_path, runs)
    history = run.path / "history.jsonl"

    def curve(*lines: tuple[str, float, float]) -> list[float]:
        for kind, epoch, loss in lines:
            files.append_line(history, {"kind": kind, "epoch": epoch, "time": epoch, "loss": loss})
        found: list[float] = rows.read()[0]["curve"]
        return found

    assert curve(("step", 0.25, 9.0), ("step", 0.5, 8.0)) == [9.0, 8.0]
    assert curve(("epoch", 1, 7.0), ("step", 1.5, 6.0)) == [9.0, 8.0, 6.0]
    assert curve(("epoch", 2, 5.0)) == [7.0, 5.0]
    lines = [json.dumps({"kind": "epoch", "epoch": n, "time": n, "loss": 1 / n}) + "\n" for n in range(3, 5001)]
    with history.open("a") as file:
        file.writelines(lines)
    assert (len(curve()), curve()[0], curve()[-1]) == (40, 7.0, 0.0002)
