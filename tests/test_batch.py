"""Batches: points checked before any starts, runs by long-lived workers, killed and gone on with, told at the end."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from kerasllm import batch
from kerasllm.batch.folder import Batch
from kerasllm.batch.points import seeded
from kerasllm.batch.work import Progress
from kerasllm.batch.workers import Ended
from kerasllm.errors import InputError
from kerasllm.evaluate import is_better
from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.run import Run, files
from kerasllm.run import runs as list_runs
from tests.conftest import ROOT, last_json
from tests.test_own_notebook import book

slow = pytest.mark.slow
LINE = {"data": "sample:line", "epochs": "2"}


def made(points: list[batch.Point], seeds: int = 1, source: str = "linear_regression", name: str = "") -> Batch:
    """A batch with its runs reserved."""
    found = batch.Source(source)
    many = batch.open_batch(found, points, seeds, name=name)
    with many.held():
        batch.reserve_runs(many, found)
    return many


# --- points


def test_a_grid_is_every_combination_and_quotes_hold_commas_together() -> None:
    points = batch.from_grid(["epochs=1,2", 'target="a,b",c'], {"data": "x.csv"})
    assert [point.words for point in points] == [
        {"data": "x.csv", "epochs": epochs, "target": target} for epochs in ("1", "2") for target in ("a,b", "c")
    ]
    assert [point.words.get("seed") for point in seeded(batch.from_grid(["seed=4"], {}), 3)] == ["4", "5", "6"]
    assert [point.words for point in batch.from_grid([], LINE)] == [LINE]


@pytest.mark.parametrize(
    ("grid", "says"),
    [
        (["epochs"], "--grid epochs: write NAME=VALUE,VALUE"),
        (["epochs=1", "epochs=2"], "epochs is given twice"),
        (["data=a,b"], "data is given twice"),
    ],
)
def test_a_grid_in_other_words_is_one_line(grid: list[str], says: str) -> None:
    with pytest.raises(InputError, match=says):
        batch.from_grid(grid, LINE)


def test_too_many_points_are_counted_and_not_built(tmp_path: Path) -> None:
    axes = [f"{name}={','.join('12345')}" for name in "abcdef"]
    with pytest.raises(InputError, match=r"^15625 points are too many; 10000 at most$"):
        batch.from_grid(axes, {})
    (tmp_path / "runs.csv").write_text("epochs\n" + "1\n" * 10_001)
    with pytest.raises(InputError, match=r"^10001 points are too many"):
        batch.from_table(str(tmp_path / "runs.csv"), {})
    with pytest.raises(InputError, match=r"^1000000000000 points are too many"):
        seeded([batch.Point(LINE)], 10**12)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("epochs,units\n1,2\n", "runs.csv, line 2: no parameter 'units'"),
        ("epochs,seed\n1,0\nmany,0\n", "runs.csv, line 3, column 'epochs': 'many' should be a valid integer"),
        ("epochs,data\n1,sample:line\n1,no.csv\n", "runs.csv, line 3, column 'data': no file"),
        ("epochs,seed\n1,0\n1,0\n", "runs.csv, line 3: the same parameters as point 1"),
        ("epochs,seed\n1\n", "runs.csv, line 2: 1 cells where the header has 2"),
    ],
)
def test_a_wrong_cell_of_a_table_is_named_before_anything_starts(
    table: str, says: str, tmp_path: Path, runs: Path
) -> None:
    (tmp_path / "runs.csv").write_text(table)
    fixed = {} if "data" in table else {"data": "sample:line"}
    with pytest.raises(InputError) as error:
        made(batch.from_table(str(tmp_path / "runs.csv"), fixed))
    assert says in str(error.value)
    assert not runs.exists()


@pytest.mark.parametrize(
    ("source", "grid", "says"),
    [
        ("image_classifier", "data=sample:digits,{folder}/pictures.csv", "data: {folder}/pictures.csv is a file; pict"),
        ("image_classifier", "data=sample:houses", "data: sample:houses: no column 'picture'"),
        ("bert_classifier", "preset=,no/such/place", "preset: 'no/such/place' is no directory"),
        ("text_classifier", "text=text,nosuch", "data: sample:messages: no column 'nosuch'"),
        ("text_classifier", "data={folder}", "data: {folder} is a folder, not a file"),
        ("linear_regression", "target=price,prize", "data: sample:houses: no column 'prize'; did you mean 'price'?"),
    ],
)
def test_columns_presets_and_kinds_of_file_are_checked_before_anything_starts(
    source: str, grid: str, says: str, tmp_path: Path, runs: Path
) -> None:
    (tmp_path / "pictures.csv").write_text("picture,label\na.png,a\n")
    with pytest.raises(InputError) as error:
        made(batch.from_grid([grid.format(folder=tmp_path)], {}), source=source)
    assert str(error.value).startswith(says.format(folder=tmp_path))
    assert not runs.exists()


def test_data_is_read_once_for_all_points_that_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []
    monkeypatch.setattr(LinearRegression, "read", lambda self: reads.append(self.target))
    made(batch.from_grid(["epochs=1,2", "learning_rate=0.1,0.2", "target=x,y"], {"data": "sample:line"}), 3)
    assert reads == ["x", "y"]


def test_an_empty_cell_of_a_table_is_the_parameters_default(tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_text("epochs,learning_rate\n3,\n4,0.5\n")
    many = made(batch.from_table(str(tmp_path / "runs.csv"), {"data": "sample:line"}))
    assert [run.recipe.epochs for run in many.runs] == [3, 4]
    assert many.runs[0].recipe.learning_rate == LinearRegression().learning_rate  # type: ignore[attr-defined]


def test_seeds_need_a_seed(tmp_path: Path) -> None:
    path = book(tmp_path, parameters="n = 1")
    with pytest.raises(InputError, match="no parameter 'seed'; there are: n"):
        made(batch.from_grid(["n=1,2"], {}), 2, str(path))


# --- the batch's folder


def test_the_same_points_are_the_same_batch_and_others_another(tmp_path: Path) -> None:
    first = made(batch.from_grid(["epochs=1,2"], {"data": "sample:line"}), 2)
    again = made(batch.from_grid(["epochs=1,2"], {"data": "sample:line"}), 2)
    assert first.path == again.path
    assert [run.path for run in first.runs] == [run.path for run in again.runs]
    assert len(first.runs) == 4
    assert first.varied == ["epochs"]
    assert made(batch.from_grid(["epochs=1,3"], {"data": "sample:line"}), 2).path != first.path


def test_changed_data_is_another_batch(tmp_path: Path) -> None:
    data = tmp_path / "houses.csv"
    data.write_text("area,price\n50,60\n60,70\n")
    first = made([batch.Point({"data": str(data)})])
    named = made([batch.Point({"data": str(data)})], name="mine")
    data.write_text("area,price\n50,60\n60,71\n")
    assert made([batch.Point({"data": str(data)})]).path != first.path
    with pytest.raises(InputError, match=r"mine is a batch of other points or data; choose another --name"):
        made([batch.Point({"data": str(data)})], name=named.name)


def test_a_hidden_file_beside_pictures_changes_nothing(tmp_path: Path) -> None:
    for name in ("cats", "dogs"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for shade in range(2):
            Image.new("L", (4, 4), shade + 9 * len(name)).save(tmp_path / "pictures" / name / f"{shade}{name}.png")
    points = [batch.Point({"data": str(tmp_path / "pictures")})]
    first = made(points, source="image_classifier")
    (tmp_path / "pictures" / ".DS_Store").write_bytes(b"x")
    assert made(points, source="image_classifier").path == first.path
    Image.new("L", (4, 4), 200).save(tmp_path / "pictures" / "cats" / "2.png")
    assert made(points, source="image_classifier").path != first.path


def test_a_making_that_was_killed_goes_on_where_it_was(runs: Path) -> None:
    points = batch.from_grid(["epochs=1,2,3"], {"data": "sample:line"})
    found = batch.Source("linear_regression")
    many = batch.open_batch(found, points, 1)
    found.reserve(many.points[0], str(runs), many.runs[0].name)
    created = many.runs[0].asked["created"]
    many.runs[1].path.mkdir()
    again = made(points)
    assert [run.recipe.epochs for run in again.runs] == [1, 2, 3]
    assert again.runs[0].asked["created"] == created


def test_one_command_at_a_time() -> None:
    many = made([batch.Point(LINE)])
    with many.held(), pytest.raises(InputError, match="is being run already"), many.held():
        pass
    with many.held():
        pass


# --- the work, with a class in the workers' place


class Fake:
    """Ends each run at once, as told: what a cluster's class must have."""

    free = 1

    def __init__(self, *ends: tuple[str, str, bool]) -> None:
        self.ends = list(ends)
        self.started: list[str] = []
        self._run: Run | None = None

    def start(self, run: Run) -> None:
        self.started.append(run.name[-1])
        self._run, self.free = run, 0

    def ended(self, timeout: float) -> list[Ended]:
        assert self._run
        state, error, is_machines = self.ends.pop(0)
        files.replace_json(self._run.path / "status.json", {"state": state})
        self.free = 1
        return [Ended(self._run, error, is_machines)]


def worked(fake: Fake) -> Progress:
    many = made(batch.from_grid(["epochs=1,2"], {"data": "sample:line"}))
    return batch.work(many, fake, lambda progress: None)  # type: ignore[arg-type]


def test_what_the_machine_spoiled_is_tried_once_more_and_nothing_else() -> None:
    port = ("failed", "Address already in use", True)
    fake = Fake(port, ("failed", "1 / 0", False), ("completed", "", False))
    progress = worked(fake)
    assert fake.started == ["1", "2", "1"]
    assert list(progress.errors.values()) == ["1 / 0"]
    again = Fake(port, port)
    progress = worked(again)
    assert again.started == ["2", "2"], "what is completed is left, and what failed is tried again"
    assert list(progress.errors.values()) == ["Address already in use"]


# --- the results


def scored(many: Batch, *values: float, split: str = "test") -> None:
    """Runs completed with these scores, as a training would have left them."""
    for run, value in zip(many.runs, values, strict=False):
        splits = {"train": {"main": "rmse", "rmse": 0.0, "rows": 9}, split: {"main": "rmse", "rmse": value, "rows": 3}}
        files.replace_json(run.path / "scores.json", {"split": split, "splits": splits})
        files.replace_json(
            run.path / "status.json", {"state": "completed", "started": 1.0, "heartbeat": 3.0, "before": 0.5}
        )
        for epoch in (1, 2):
            files.append_line(run.path / "history.jsonl", {"kind": "epoch", "epoch": epoch, "loss": value / epoch})


def test_seeds_are_told_by_mean_and_spread_and_the_best_run_has_the_smallest_error() -> None:
    many = made(batch.from_grid(["epochs=1,2"], {"data": "sample:line"}), 2)
    scored(many, 4.0, 2.0, 1.0, 7.0)
    found = batch.results(many)
    assert (found.main, found.split, found.best) == ("rmse", "test", many.runs[2])
    assert [(group.parameters, group.mean) for group in found.groups] == [({"epochs": 1}, 3.0), ({"epochs": 2}, 4.0)]
    assert found.groups[0].spread == pytest.approx(2**0.5)


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


def test_better_is_smaller_for_errors_and_larger_for_all_else() -> None:
    assert is_better("rmse", 1.0, 2.0)
    assert is_better("accuracy", 2.0, 1.0)
    assert not is_better("log_loss", 2.0, 1.0)


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


# --- the whole, in processes


STARTED: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    """A test that fails half way leaves no batch behind."""
    yield
    while STARTED:
        process = STARTED.pop()
        process.kill()  # its workers notice
        process.communicate()


def start(*words: str) -> subprocess.Popen[str]:
    """`kerasllm batch` in a process of its own."""
    command = [sys.executable, "-m", "kerasllm", "batch", *words]
    process = subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    STARTED.append(process)
    return process


def wait_for(claim: Callable[[], Any], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 600
    while not claim():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def batches(runs: Path) -> list[Run]:
    (found,) = (runs / "batches").iterdir()
    return Batch(found).runs if (found / "batch.json").exists() else []


def completed(runs: Path) -> list[Run]:
    return [run for run in batches(runs) if run.state == "completed"] if (runs / "batches").exists() else []


SMALL = ("linear_regression", "-p", "data", "sample:diabetes", "-p", "epochs", "20", "--workers", "2")


@slow
def test_24_runs_killed_twice_end_with_24_completed_none_trained_twice(runs: Path) -> None:
    words = (*SMALL, "--grid", "learning_rate=1e-2,3e-3,1e-3", "--grid", "batch_size=32,64", "--seeds", "4", "--json")
    trained: dict[str, list[Any]] = {}
    for killed_at, whole in ((3, False), (9, True)):
        process = start(*words)
        wait_for(lambda at=killed_at: len(completed(runs)) >= at, process)
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        for child in family if whole else ():  # the batch alone, and then with all its workers
            child.kill()
        process.communicate()
        if not whole:
            _, alive = psutil.wait_procs(family, timeout=60)
            assert not alive, "the workers notice, save their runs and end"
        trained |= {run.name: run.sessions for run in completed(runs)}
    assert 9 <= len(trained) < 24
    process = start(*words)
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    found = batches(runs)
    assert [run.state for run in found] == ["completed"] * 24
    assert {run.name: run.sessions for run in found if run.name in trained} == trained, "none is trained twice"
    assert len(last_json(out)["runs"]) == 24
    assert len(list(runs.glob("*/run.json"))) == 24
    started = sum(len(run.sessions) for run in found)
    assert started <= 24 + 2 * 2, "only what was at work when it was killed has a second session"

    # The same weights as single runs', in processes of their own.
    for run in (found[0], found[-1]):
        alone = run.recipe.train(name=f"alone-{run.name}")
        assert alone.report["weights"] == run.report["weights"]


@slow
def test_a_notebook_that_trains_a_recipe_is_a_run_of_it_and_goes_on_where_it_was_killed(
    tmp_path: Path, runs: Path
) -> None:
    """A copy of a recipe's notebook with a default of its own, beside its data."""
    (tmp_path / "books").mkdir()
    path = tmp_path / "books" / "my houses.ipynb"
    (path.parent / "houses.csv").write_text("area,price\n" + "".join(f"{n},{3 * n + n % 5}\n" for n in range(60)))
    text = (ROOT / "notebooks" / "linear_regression.ipynb").read_text("utf-8")
    path.write_text(text.replace("sample:houses", "houses.csv"), "utf-8")
    words = (str(path), "-p", "epochs", "600", "-p", "checkpoint_minutes", "0", "--workers", "1")
    process = start(*words, "--name", "mine")
    wait_for(lambda: runs.exists() and batches(runs) and len(batches(runs)[0].epochs) > 5, process)
    (run,) = batches(runs)
    assert run.recipe.data == str(path.parent / "houses.csv")
    children = psutil.Process(process.pid).children(recursive=True)
    for one in (process, *children):
        one.kill()
    psutil.wait_procs(children, timeout=60)
    assert run.state == "gone"
    process = start(*words, "--name", "mine", "--json")
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    assert (run.state, len(run.sessions)) == ("completed", 2)
    assert [found.name for found in list_runs()] == [run.name], "the notebook's training is the run itself"
    assert last_json(out)["best"] == str(run.path)
    assert run.recipe.train(name="alone").report["weights"] == run.report["weights"]


@slow
def test_a_worker_gives_a_fresh_process_weights_after_other_networks(runs: Path, tmp_path: Path) -> None:
    """One worker, several recipes' states behind it: dropout, adam, then the first point's twin once more."""
    words = ("text_classifier", "-p", "data", "sample:messages", "-p", "epochs", "1", "--workers", "1")
    out, _ = start(*words, "--grid", "dropout=0.0,0.3", "--seeds", "2", "--json").communicate(timeout=900)
    last = Run(Path(last_json(out)["runs"][-1]["run"]))
    code = f"import kerasllm; kerasllm.open({str(last.path)!r}).recipe.train(name='alone')"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert Run(runs / "alone").report["weights"] == last.report["weights"]


@slow
def test_ctrl_c_stops_every_run_so_that_it_can_be_gone_on_with(runs: Path) -> None:
    words = ("linear_regression", "-p", "data", "sample:diabetes", "-p", "epochs", "100000", "--seeds", "3", "--json")
    process = start(*words)
    wait_for(lambda: sum(bool(run.epochs) for run in batches(runs)) == 2 if runs.exists() else False, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=600)
    assert (process.returncode, [line for line in err.splitlines() if "kerasllm" in line]) == (130, [])
    assert sorted(run.state for run in batches(runs)) == ["gone", "stopped", "stopped"]
    assert last_json(out)["best"] is None


@slow
def test_a_worker_that_is_killed_costs_its_run_one_try(runs: Path) -> None:
    process = start(*SMALL[:4], "-p", "epochs", "100000", "--workers", "1")
    wait_for(lambda: runs.exists() and batches(runs) and batches(runs)[0].epochs, process)
    (run,) = batches(runs)
    for attempt in range(2):
        pid = run.status["pid"]
        os.kill(pid, signal.SIGKILL)
        if attempt == 0:
            wait_for(lambda: len(run.sessions) == 2 and run.state == "running", process)
    out, _ = process.communicate(timeout=600)
    assert process.returncode == 1
    assert "the worker's process died (signal 9)" in out
    assert len(run.sessions) == 2


@slow
def test_notebooks_of_ones_own_are_none_lost_and_none_falsely_completed(tmp_path: Path, runs: Path) -> None:
    cells = ("open(f'{count}.txt', 'a').write('x')", "assert count != 3, 'three'", "open(f'{count}.end', 'w').close()")
    path = book(tmp_path / "books", *cells)
    process = start(str(path), "--grid", "count=0,1,2,3,4,5", "--workers", "2", "--json")
    out, _ = process.communicate(timeout=900)
    assert process.returncode == 1
    states = {run.asked["parameters"]["count"]: run.state for run in batches(runs)}
    assert states == {count: "failed" if count == 3 else "completed" for count in range(6)}
    assert {file.stem for file in path.parent.glob("*.end")} == {"0", "1", "2", "4", "5"}
    assert all(file.read_text() == "x" for file in path.parent.glob("*.txt")), "each was executed once"
    assert list(last_json(out)["errors"].values()) == ["cell 4: AssertionError: three"]
