"""Points and their runs: what is refused before any starts, and what of the user's is never touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from kerasllm import batch
from kerasllm.batch.folder import Batch
from kerasllm.batch.points import seeded
from kerasllm.errors import InputError


def made(grid: list[str], seeds: int = 1, source: str = "linear_regression", name: str = "", **fixed: str) -> Batch:
    """A batch with its runs reserved."""
    found = batch.Source(source)
    many = batch.open_batch(found, batch.from_grid(grid, fixed), seeds, name=name)
    with many.held():
        batch.reserve_runs(many, found)
    return many


# --- the user's own folders


@pytest.mark.parametrize("what", ["a file of theirs", "a folder of theirs", "a file in its place", "a link"])
def test_a_folder_of_ones_own_in_a_runs_place_is_left_as_it_is(what: str, runs: Path, tmp_path: Path) -> None:
    place = runs / "mine-2"
    notes = {
        "a file of theirs": place / "notes.txt",
        "a folder of theirs": place / "status.json" / "notes.txt",
        "a file in its place": place,
        "a link": tmp_path / "elsewhere" / "status.json",
    }[what]
    notes.parent.mkdir(parents=True)
    notes.write_text("a week's work")
    if what == "a link":
        runs.mkdir(exist_ok=True)
        place.symlink_to(notes.parent)
    with pytest.raises(InputError, match=r"mine-2 is another folder; choose another --name for the batch$"):
        made(["epochs=1,2"], name="mine", data="sample:line")
    assert notes.read_text() == "a week's work"
    assert not (runs / "mine-1").exists(), "nor is any other run reserved"


def test_what_a_killed_making_left_is_made_again(runs: Path) -> None:
    for name in ("status.json", "source.ipynb", ".new-7-run.json"):
        (runs / "mine-1").mkdir(parents=True, exist_ok=True)
        (runs / "mine-1" / name).write_text("{")
    many = made(["epochs=1,2"], name="mine", data="sample:line")
    assert [run.state for run in many.runs] == ["queued", "queued"]
    assert not (runs / "mine-1" / "source.ipynb").exists()


# --- words


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("epochs=", r'--grid epochs=: it has no value; "" is an empty one'),
        ("target=a\nb", "--grid target: new-line character seen in unquoted field"),
    ],
)
def test_an_axis_without_values_is_refused_and_not_a_batch_of_nothing(word: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        batch.from_grid([word], {})
    assert [point.words for point in batch.from_grid(['target=""'], {})] == [{"target": ""}]


@pytest.mark.parametrize("seed", ["²", "1.5", "9" * 5000])
def test_a_seed_that_is_no_whole_number_is_one_line(seed: str) -> None:
    with pytest.raises(InputError, match="is no whole number$"):
        seeded([batch.Point({"seed": seed})], 2)
    assert [point.words["seed"] for point in seeded([batch.Point({"seed": "٣"})], 2)] == ["3", "4"]


# --- the live table


def test_what_cannot_change_is_not_looked_for_at_every_row(runs: Path) -> None:
    """Each look at the live table of 1000 points took 117 ms, four times a second; now 4 ms."""
    many = batch.open_batch(batch.Source("linear_regression"), batch.from_grid(["epochs=1,2"], {}), 1)
    assert many.points is many.points
    assert many.varied is many.varied
