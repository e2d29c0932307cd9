"""The results: what is told of seeds, which run is the best, and the table and the page."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from kerasllm import batch, recipes
from kerasllm.batch.folder import Batch
from kerasllm.run import files
from tests.batch.reserved import made
from tests.test_own_notebook import book


def scored(many: Batch, *values: float, split: str = "test", main: str = "rmse") -> None:
    """Runs completed with these scores, as a training would have left them."""
    for run, value in zip(many.runs, values, strict=False):
        splits = {"train": {"main": main, main: 0.0, "rows": 9}, split: {"main": main, main: value, "rows": 3}}
        files.replace_json(run.path / "scores.json", {"split": split, "splits": splits})
        files.replace_json(
            run.path / "status.json", {"state": "completed", "started": 1.0, "heartbeat": 3.0, "before": 0.5}
        )
        for epoch in (1, 2):
            files.append_line(run.path / "history.jsonl", {"kind": "epoch", "epoch": epoch, "loss": value / epoch})


def test_seeds_are_told_by_mean_and_spread_and_the_best_run_is_of_the_best_mean() -> None:
    """A seed divides the rows, too: the smallest error of all may be that of the easiest rows."""
    many = made(batch.from_grid(["epochs=1,2"], {"data": "sample:line"}), 2)
    scored(many, 4.0, 2.0, 1.0, 7.0)
    found = batch.results(many)
    assert (found.main, found.split, found.best) == ("rmse", "test", many.runs[1])
    assert [(group.parameters, group.mean) for group in found.groups] == [({"epochs": 1}, 3.0), ({"epochs": 2}, 4.0)]
    assert found.groups[0].spread == pytest.approx(2**0.5)


def test_parameters_that_lack_a_seeds_score_are_not_the_best() -> None:
    many = made(batch.from_grid(["epochs=1,2"], {"data": "sample:line"}), 2)
    scored(many, 4.0, 2.0, 1.0, 1.0)
    files.replace_json(many.runs[3].path / "status.json", {"state": "failed"})
    found = batch.results(many)
    assert found.best == many.runs[1]
    assert [group.parameters["epochs"] for group in found.ranked()] == [1, 2]


def test_parameters_of_fewer_seeds_lack_none(tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_text("epochs,seed\n1,0\n1,1\n2,0\n")
    many = made(batch.from_table(str(tmp_path / "runs.csv"), {"data": "sample:line"}))
    scored(many, 9.0, 9.0, 1.0)
    assert batch.results(many).best == many.runs[2]


def test_the_page_is_in_the_persons_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    many = made(batch.from_grid(["epochs=1,2"], {"data": "sample:line"}))
    scored(many, 4.0)
    told = {"state": "failed", "message": "no memory", "message_zh": "内存不足"}
    files.replace_json(many.runs[1].path / "status.json", told)
    batch.write(batch.results(many))
    page = (many.path / "table.html").read_text("utf-8")
    assert all(words in page for words in ("lang=zh", "测试集上的 rmse（越小越好）", "各次运行", "内存不足"))
    assert "the seeds" not in page


def test_the_curve_of_one_epoch_is_a_point() -> None:
    many = made(batch.from_grid(["l2=0,1"], {"data": "sample:line"}))
    scored(many, 4.0)
    files.replace_text(many.runs[0].path / "history.jsonl", '{"kind": "epoch", "epoch": 1, "loss": 2.0}\n')
    batch.write(batch.results(many))
    assert (many.path / "table.html").read_text("utf-8").count("<circle") == 1


def test_the_best_run_is_chosen_by_validation_rows_where_there_are_any() -> None:
    many = made(batch.from_grid(["epochs=1,2"], {"data": "sample:line"}))
    scored(many, 4.0, 2.0, split="validation")
    assert batch.results(many).split == "validation"


def test_runs_with_different_splits_are_told_by_the_rows_that_all_have() -> None:
    many = made(batch.from_grid(["test=0.2,0,0.3"], {"data": "sample:line"}))
    scored(many, 4.0, 2.0, 3.0)
    report = many.runs[1].report
    report["splits"] = {"train": {"main": "rmse", "rmse": 1.0, "rows": 9}}
    files.replace_json(many.runs[1].path / "scores.json", report | {"split": "train"})
    unscored = many.runs[2].report
    unscored["splits"]["train"]["rmse"] = float("nan")  # null in JSON
    files.replace_json(many.runs[2].path / "scores.json", unscored)
    found = batch.results(many)
    assert (found.main, found.split, found.best) == ("rmse", "train", many.runs[0])
    assert [group.mean for group in found.groups] == [0.0, 1.0, None]
    batch.write(found)
    with (many.path / "table.csv").open(encoding="utf-8") as file:
        assert [row["test rmse"] for row in csv.DictReader(file)] == ["4.0", "", "3.0"]


def test_an_unfinished_or_failed_run_is_never_the_best() -> None:
    many = made(batch.from_grid(["epochs=1,2"], {"data": "sample:line"}))
    assert batch.results(many).best is None
    scored(many, 4.0, 2.0)
    files.replace_json(many.runs[1].path / "status.json", {"state": "failed"})
    assert batch.results(many).best == many.runs[0]


@pytest.mark.parametrize(
    ("recipe", "main", "best", "words"),
    [("linear_regression", "mape", 1, "smaller is better"), ("text_classifier", "kappa", 0, "larger is better")],
)
def test_what_is_better_is_the_recipes_to_say(recipe: str, main: str, best: int, words: str) -> None:
    many = made(batch.from_grid(["epochs=1,2"], {"data": recipes.find(recipe)().data}), source=recipe)
    scored(many, 0.5, 0.25, main=main)
    found = batch.results(many)
    assert found.best == many.runs[best]
    batch.write(found)
    page = (many.path / "table.html").read_text("utf-8")
    assert words in page
    assert (page.index("number>0.25") < page.index("number>0.5")) == (found.best == many.runs[1])


def test_the_table_and_the_page_hold_every_run_and_no_markup_of_the_users(tmp_path: Path) -> None:
    path = book(tmp_path, name="<b>&mine.ipynb")
    many = made(batch.from_grid(["name=<script>alert(1)</script>,b"], {}), 2, str(path))
    scored(many, 4.0, 2.0, 1.0)
    batch.write(batch.results(many))
    with (many.path / "table.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [row["run"] for row in table] == [run.name for run in many.runs]
    assert [row["state"] for row in table] == ["completed"] * 3 + ["queued"]
    assert (table[0]["name"], table[1]["seed"], table[0]["seconds"]) == ("<script>alert(1)</script>", "1", "2.5")
    assert table[0]["test rmse"] == "4.0"
    page = (many.path / "table.html").read_text("utf-8")
    assert "<script" not in page
    assert "<b>" not in page
    assert "http" not in page
    assert page.count("<polyline") == 2
    assert all(run.name.replace("<b>&", "&lt;b&gt;&amp;") in page for run in many.runs)
