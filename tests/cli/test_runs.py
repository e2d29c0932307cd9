"""What was run: how a run is named, listed, shown, stopped and compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kerasllm_widgets.compare import Compare

from kerasllm.run import files, reserve
from kerasllm.run.process import myself
from tests.cli.commands import Answer, one_line
from tests.cli.runs import a_run, write_status
from tests.conftest import last_json


def test_a_run_is_named_by_path_name_beginning_or_last(call: Callable[..., Answer], runs: Path) -> None:
    first, second = a_run("alpha"), a_run("beta")
    for words, run in ((str(first.path), first), ("alpha", first), ("al", first), ("last", second)):
        assert last_json(call("show", words, "--json").out)["run"] == str(run.path)
    a_run("alpine")
    assert "2 runs begin with 'al'" in one_line(call("show", "al"))


def test_the_folder_of_runs_is_the_flags_then_the_environments_then_runs(
    call: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for place in ("flag", "environment", "runs"):
        a_run(place, tmp_path / place)
    monkeypatch.setenv("KERASLLM_RUNS", "environment")
    assert last_json(call("show", "last", "--runs", "flag", "--json").out)["run"] == str(tmp_path / "flag" / "flag")
    named = last_json(call("show", "last", "--json").out)["run"]
    assert named == str(tmp_path / "environment" / "environment")
    monkeypatch.delenv("KERASLLM_RUNS")
    assert last_json(call("show", "last", "--json").out)["run"] == str(tmp_path / "runs" / "runs")


def test_runs_are_listed_newest_first(call: Callable[..., Answer], runs: Path) -> None:
    assert call("runs", "--json").out.splitlines() == [f"no runs in {runs}", '{"runs": []}']
    a_run("older"), a_run("newer")
    answer = call("runs", "--json")
    assert [line.split() for line in answer.out.splitlines()[:2]] == [
        ["newer", "queued"],
        ["older", "queued"],
    ]
    assert [Path(run["run"]).name for run in last_json(answer.out)["runs"]] == ["newer", "older"]


def test_a_damaged_run_is_listed_with_the_reason_and_hides_no_other(call: Callable[..., Answer]) -> None:
    a_run("good")
    for name, file, text in (
        ("status", "status.json", "{"),
        ("torn", "scores.json", '{"split": "te'),
        ("odd", "scores.json", '{"split": "test", "splits": {"test": {"rows": 4}}}'),
        ("null", "scores.json", '{"split": "test", "splits": {"test": {"main": "rmse", "rmse": null}}}'),
    ):
        (a_run(name).path / file).write_text(text)
    answer = call("runs", "--json")
    assert answer.code == 0
    lines = answer.out.splitlines()[:-1]
    shown = {line.split()[0]: line.split(maxsplit=2)[1:] for line in lines}
    assert (shown["good"], shown["null"]) == (["queued"], ["queued"])
    assert shown["odd"] == ["unreadable", "odd: its scores.json does not tell the scores"]
    for name, file in (("status", "status.json"), ("torn", "scores.json")):
        state, reason = shown[name]
        assert (state, reason.startswith(f"{name}: its {file} cannot be read: ")) == ("unreadable", True)
    found = {Path(one["run"]).name: one for one in last_json(answer.out)["runs"]}
    assert found["odd"]["state"] == "unreadable"
    assert found["odd"]["message"] == "odd: its scores.json does not tell the scores"
    assert "odd: its scores.json does not tell" in one_line(call("show", "odd"))


def test_show_tells_what_was_asked_and_why_it_failed(call: Callable[..., Answer]) -> None:
    run = a_run("mine", epochs=9)
    write_status(run, state="failed", message="the disk is full")
    answer = call("show", "mine", "--json")
    assert "failed (the disk is full)" in answer.out
    shown = last_json(answer.out)
    assert {key: shown[key] for key in ("run", "state", "scores")} == {
        "run": str(run.path), "state": "failed", "scores": {}
    }  # fmt: skip
    assert shown["parameters"]["epochs"] == 9
    assert shown["weights"] is None


def test_a_run_whose_process_is_gone_says_how_to_go_on(call: Callable[..., Answer]) -> None:
    run = a_run("mine")
    write_status(run, state="running", **{**myself(), "pid_started": 1.0})
    answer = call("show", "mine", "--json")
    assert "kerasllm resume mine" in answer.out
    assert last_json(answer.out)["state"] == "gone"


def test_stop_asks_a_running_run_and_refuses_an_ended_one(call: Callable[..., Answer]) -> None:
    run = a_run("mine")
    write_status(run, state="running", **myself())
    answer = call("stop", "mine", "--json")
    assert (run.path / "stop").exists()
    assert last_json(answer.out) == {"run": str(run.path), "state": "stopping", "scores": {}}
    write_status(run, state="completed")
    assert "mine is completed already" in one_line(call("stop", "mine"))


def test_compare_shows_only_the_parameters_that_differ(call: Callable[..., Answer]) -> None:
    a_run("one", epochs=3), a_run("two", epochs=4)
    answer = call("compare", "one", "two", "--json")
    assert last_json(answer.out)["parameters"] == {"epochs": [3, 4]}
    rows = [line.split() for line in answer.out.splitlines()[:-1]]
    assert rows == [["one", "two"], ["state", "queued", "queued"], ["epochs", "3", "4"]]


def test_compare_tells_that_a_file_has_changed_between_two_runs(call: Callable[..., Answer], tmp_path: Path) -> None:
    (file := tmp_path / "flats.csv").write_text("area,rent\n" + "".join(f"{n},{n % 7}\n" for n in range(20)))
    for name, epochs in (("one", 3), ("two", 3), ("three", 4)):
        run = a_run(name, data=str(file), epochs=epochs)
        files.append_line(run.path / "sessions.jsonl", {"data": run.recipe.fingerprints()})
        if name == "one":
            file.write_text(file.read_text() + "20,6\n")
    told = last_json(call("compare", "one", "two", "--json").out)["parameters"]
    assert list(told) == ["data (SHA-256)"]
    before, after = told["data (SHA-256)"]
    assert (len(before), len(after)) == (8, 8)
    assert before != after
    assert Compare("two", "three").parameters == {"epochs": [3, 4]}
    a_run("waiting", data=str(file), epochs=3)  # it has read nothing yet
    assert Compare("two", "waiting").parameters == {}


def test_compare_takes_the_lists_and_dictionaries_of_a_notebook_of_ones_own(call: Callable[..., Answer]) -> None:
    for name, sizes in (("one", [1, 2]), ("two", [1, 3])):
        parameters = {"sizes": sizes, "options": {"a": 1}, "count": 3}
        reserve({"recipe": "", "notebook": "own.ipynb", "parameters": parameters, "replayable": True}, "own", name=name)
    answer = call("compare", "one", "two", "--json")
    assert last_json(answer.out)["parameters"] == {"sizes": [[1, 2], [1, 3]]}
    assert Compare("one", "two").parameters == {"sizes": [[1, 2], [1, 3]]}


def test_card_looks_at_a_table_or_at_texts(call: Callable[..., Answer], tmp_path: Path) -> None:
    table = last_json(call("card", "sample:houses", "--json").out)
    assert (table["rows"], [column["kind"] for column in table["columns"]]) == (
        100,
        ["number", "category", "number"],
    )
    file = tmp_path / "评论.csv"
    file.write_text("评论,星级\n很好,好\n太差了,坏\n很好,好\n", "utf-8")
    texts = call("card", str(file), "--text", "评论", "--label", "星级", "--json")
    assert last_json(texts.out)["labels"]["classes"] == {"好": 2, "坏": 1}
    assert "duplicates: 1" in texts.out


@pytest.mark.parametrize("rows", [[], ["1", "--file", "a.csv"]])
def test_predict_wants_rows_or_a_file(rows: list[str], call: Callable[..., Answer]) -> None:
    a_run("mine")
    assert "give rows or --file, one of both" in one_line(call("predict", "mine", *rows))
