"""The batch's folder: the same points and data are the same batch, made by one command at a time."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from kerasllm import batch
from kerasllm.errors import InputError
from tests.batch.reserved import LINE, made


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


def test_a_run_that_was_deleted_is_reserved_again_and_the_others_are_kept() -> None:
    points = batch.from_grid(["epochs=1,2"], {"data": "sample:line"})
    first = made(points)
    created = first.runs[0].asked["created"]
    content = (first.path / "batch.json").read_text("utf-8")
    shutil.rmtree(first.runs[1].path)
    again = made(points)
    assert [(run.recipe.epochs, run.state) for run in again.runs] == [(1, "queued"), (2, "queued")]
    assert again.runs[0].asked["created"] == created
    assert (first.path / "batch.json").read_text("utf-8") == content


def test_one_command_at_a_time() -> None:
    many = made([batch.Point(LINE)])
    with many.held(), pytest.raises(InputError, match="is being run already"), many.held():
        pass
    with many.held():
        pass
