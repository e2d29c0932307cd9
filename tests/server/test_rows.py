"""Rows and curves: what a look at the runs shows, and how little is read for it."""

from __future__ import annotations

import json
import platform
from collections import Counter
from pathlib import Path

from kerasllm_widgets.server.curves import Curves
from kerasllm_widgets.server.rows import Rows

from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.run import create, files

EPOCHS = range(1, 101)


def test_a_hundred_runs_cost_little(runs: Path, tmp_path: Path, bytes_read: Counter[Path]) -> None:
    for place in range(100):
        run = create(LinearRegression(), runs, f"run-{place:03}")
        files.replace_json(run.path / "status.json", {"state": "completed", "epoch": 100, "epochs": 100})
        lines = [json.dumps({"kind": "epoch", "epoch": epoch, "loss": 1 / epoch, "time": epoch}) for epoch in EPOCHS]
        (run.path / "history.jsonl").write_text("\n".join([*lines, ""]))
    rows = Rows(tmp_path, runs)
    assert len(rows.read()) == 100
    assert sum(path.name == "status.json" for path in bytes_read) == 100
    bytes_read.clear()
    shown = rows.read()
    assert not bytes_read, "no file is opened where none has changed"
    assert shown[0]["name"] == "run-099"
    assert len(shown[0]["curve"]) == 40


ODD = ['{"phase": "x"}', "[]", "no JSON", '{"state": "running", "pid": "x"}', '{"state": "running", "heartbeat": {}}']


def test_an_odd_folder_takes_no_other_run_down(runs: Path, tmp_path: Path) -> None:
    create(LinearRegression(), runs, "good")
    for place, text in enumerate(ODD):
        (create(LinearRegression(), runs, f"odd-{place}").path / "status.json").write_text(text)
    folder = create(LinearRegression(), runs, "odd-folder").path / "status.json"
    folder.unlink()
    folder.mkdir()
    (create(LinearRegression(), runs, "odd-curve").path / "history.jsonl").write_text("[]\n")
    (create(LinearRegression(), runs, "odd-scores").path / "scores.json").write_text("{}")
    files.replace_json(create(LinearRegression(), runs, "odd-score").path / "scores.json", {"split": "test"})
    (create(LinearRegression(), runs, "none").path / "run.json").write_text('{"created": "now"}')
    here = {"state": "running", "host": platform.node()}
    files.replace_json(create(LinearRegression(), runs, "without-pid").path / "status.json", here)
    files.replace_json(
        create(LinearRegression(), runs, "pid").path / "status.json", {**here, "pid": -1, "pid_started": 0}
    )
    shown = {row["name"]: row for row in Rows(tmp_path, runs).read()}
    assert "none" not in shown
    assert [shown[name]["state"] for name in ("good", "odd-scores", "without-pid", "pid")] == [
        "queued", "queued", "gone", "gone",
    ]  # fmt: skip
    odd = [row for name, row in shown.items() if name.startswith("odd-") and name != "odd-scores"]
    assert len(odd) == len(ODD) + 3
    assert all(row["state"] == "unreadable" and row["message"] for row in odd)


def test_a_view_of_a_long_run_gets_a_short_curve_and_reads_it_once(runs: Path, bytes_read: Counter[Path]) -> None:
    run, curves = create(LinearRegression(), runs, "long"), Curves()
    line = '{{"kind": "epoch", "epoch": {0}, "time": {0}, "loss": 0.5, "val_loss": 0.25}}\n'
    (run.path / "history.jsonl").write_text("".join(line.format(epoch) for epoch in range(1, 20_001)))
    drawn = curves.drawn(run)["loss"]
    assert all(len(drawn[part][0]) <= 301 and drawn[part][0][-1] == 20_000 for part in ("train", "validation"))
    with (run.path / "history.jsonl").open("a") as file:
        file.write(line.format(20_001))
    bytes_read.clear()
    assert curves.drawn(run)["loss"]["train"][0][-1] == 20_001
    assert bytes_read[run.path / "history.jsonl"] == len(line.format(20_001))


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


def test_a_row_holds_no_number_that_a_browser_cannot_read(runs: Path, tmp_path: Path) -> None:
    run = create(LinearRegression(), runs, "copied")
    (run.path / "status.json").write_text('{"state": "stopped", "epoch": NaN, "step": -Infinity, "eta": 1e999}')
    (run.path / "scores.json").write_text('{"split": "test", "splits": {"test": {"main": "rmse", "rmse": NaN}}}')
    losses = ["0.5", "NaN", "Infinity", "1" + "0" * 400, "0.25"]
    lines = [f'{{"kind": "epoch", "epoch": {n}, "time": {n}, "loss": {loss}}}\n' for n, loss in enumerate(losses)]
    (run.path / "history.jsonl").write_text("".join(lines))
    (row,) = Rows(tmp_path, runs).read()
    json.dumps(row, allow_nan=False)
    assert (row["state"], row["curve"], row["score"], row["epoch"]) == ("stopped", [0.5, 0.25], None, None)
