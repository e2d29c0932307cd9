"""A folder of pictures becomes data: found, checked, split, described."""

from __future__ import annotations

import os
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kerasllm.data.card import render
from kerasllm.data.picture_folder import fingerprint
from kerasllm.data.pictures import labelled, picture_card, read_pictures, reasons, shades
from kerasllm.errors import InputError

Counts = dict[str, int]


def picture(seed: int, width: int = 12, height: int = 12) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), "uint8"))


def write(folder: Path, counts: Counts, kind: str = "png", start: int = 0) -> Path:
    """`counts` different pictures per class; the next folder of a test begins elsewhere."""
    for name, count in counts.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for place in range(count):
            picture(zlib.crc32(f"{name} {start + place}".encode())).save(folder / name / f"{start + place:03}.{kind}")
    return folder


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    return write(tmp_path / "animals", {"cats": 30, "dogs": 20})


def card(folder: Path) -> dict[str, Any]:
    return picture_card(str(folder))


def test_each_folder_is_a_class_and_splits_keep_its_share(animals: Path) -> None:
    data = read_pictures(str(animals), validation="0.1", test="0.2", seed=1)
    assert data.validation
    assert data.test
    assert (len(data.train), len(data.validation), len(data.test)) == (35, 5, 10)
    assert sorted(data.test.truth) == ["cats"] * 6 + ["dogs"] * 4
    assert data.decoder.names == ["cats", "dogs"]  # type: ignore[attr-defined]
    assert data.training.inputs["pixels"].shape == (35, 12, 12, 3)  # type: ignore[union-attr]
    everything = [*data.train.features, *data.validation.features, *data.test.features]
    assert sorted(everything) == sorted(str(path) for path in animals.rglob("*.png"))
    again = read_pictures(str(animals), validation="0.1", test="0.2", seed=1)
    assert again.train.features == data.train.features
    assert read_pictures(str(animals), test="0.2", seed=2).train.features != data.train.features


def test_chinese_names_and_many_formats(tmp_path: Path) -> None:
    folder = tmp_path / "动物"
    write(folder, {"猫": 4})
    write(folder, {"狗": 4}, "webp")
    write(folder, {"狗": 2}, "jpg", start=10)
    found = card(folder)
    assert found["labels"]["classes"] == {"狗": 6, "猫": 4}
    assert found["found"] == {"PNG": 4, "WEBP": 4, "JPEG": 2}
    assert "动物: 10 pictures (WEBP 4, PNG 4, JPEG 2)" in render(found)


def test_what_cannot_be_read_is_left_out_and_listed(animals: Path) -> None:
    (animals / "cats" / "empty.jpg").touch()
    (animals / "cats" / "words.png").write_text("no picture")
    whole = (animals / "dogs" / "000.png").read_bytes()
    (animals / "dogs" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (animals / "dogs" / "wrong.jpg").write_bytes((animals / "dogs" / "001.png").read_bytes())
    data = read_pictures(str(animals), test="0.2")
    assert data.card["rows"] == 51
    assert [line.split(":")[0] for line in data.card["unreadable"]] == [
        "cats/empty.jpg",
        "cats/words.png",
        "dogs/cut.png",
    ]
    assert data.card["dropped"] == {"unreadable": 3}
    assert data.card["duplicates"] == 1
    shown = render(data.card)
    assert "dropped: 3 pictures, unreadable" in shown
    assert "略去: 3 张图片, 无法读取" in render(data.card, "zh")
    assert "    cats/empty.jpg: empty" in shown


def test_hidden_and_other_files_are_left_out_and_said(animals: Path) -> None:
    for name in (".DS_Store", "cats/.DS_Store", "cats/Thumbs.db", "cats/._001.png", "cats/notes.txt"):
        (animals / name).write_bytes(b"x")
    (animals / "__MACOSX").mkdir()
    picture(1).save(animals / "__MACOSX" / "a.png")
    found = card(animals)
    assert found["rows"] == 50
    assert not found["unreadable"]
    assert found["labels"]["classes"] == {"cats": 30, "dogs": 20}
    notes = "\n".join(found["warnings"])
    assert "hidden, so left out: 5 (" in notes
    assert "no picture by its name, so left out: 1 (cats/notes.txt)" in notes


def test_nested_and_empty_folders_and_pictures_beside_them_are_said(animals: Path) -> None:
    (animals / "birds").mkdir()
    write(animals / "cats", {"more": 2}, start=50)
    picture(2).save(animals / "alone.png")
    found = card(animals)
    assert found["labels"]["classes"] == {"cats": 32, "dogs": 20}
    assert "in no class's folder, so left out: 1 (alone.png)" in found["warnings"]
    assert "a class's folder without a picture: 1 (birds)" in found["warnings"]
    assert (
        "in a folder inside a class's, and counted to the class: 2 (cats/more/050.png, cats/more/051.png)"
        in (found["warnings"])
    )


def test_links_to_folders_are_followed_but_not_in_a_circle(animals: Path, tmp_path: Path) -> None:
    elsewhere = write(tmp_path / "elsewhere", {"birds": 5, "more": 1})
    before = fingerprint(str(animals))
    (animals / "birds").symlink_to(elsewhere / "birds")
    (elsewhere / "birds" / "more").symlink_to(elsewhere / "more")
    (elsewhere / "more" / "back").symlink_to(elsewhere / "birds")
    (animals / "dogs" / "all").symlink_to(animals)
    found = card(animals)
    assert found["labels"]["classes"] == {"cats": 30, "dogs": 20, "birds": 6}
    assert "a link back to a folder that it is in, so left out: 2 (all, back)" in found["warnings"]
    assert fingerprint(str(animals)) != before


def test_a_class_with_one_picture_trains(animals: Path) -> None:
    write(animals, {"fish": 1})
    data = read_pictures(str(animals), validation="0.3", test="0.3")
    assert data.train.truth.count("fish") == 1  # type: ignore[attr-defined]
    assert "one row only, so never in validation or test: 'fish'" in data.card["warnings"]


def test_equal_pictures_never_straddle_a_split(tmp_path: Path) -> None:
    folder = write(tmp_path / "copies", {"a": 30, "b": 30})
    for path in list(folder.rglob("*.png")):
        Image.open(path).save(path.with_suffix(".bmp"))  # other bytes, same pixels
    data = read_pictures(str(folder), validation="0.2", test="0.2")
    assert data.card["duplicates"] == 60
    parts = [{Path(name).stem + Path(name).parent.name for name in part.features} for part in (data.train, data.test)]  # type: ignore[union-attr]
    assert not parts[0] & parts[1]
    assert len(data.test or ()) == 24


def test_one_picture_in_two_classes_trains_and_is_said(animals: Path) -> None:
    (animals / "dogs" / "twin.png").write_bytes((animals / "cats" / "003.png").read_bytes())
    data = read_pictures(str(animals), test="0.4")
    twins = [str(animals / name) for name in ("cats/003.png", "dogs/twin.png")]
    assert set(twins) <= set(data.train.features)
    assert "1 pictures equal one of another class, and train: such as dogs/twin.png" in data.card["warnings"]


def test_a_test_folder_is_scored_whole_and_its_pictures_do_not_train(animals: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other", {"cats": 3, "dogs": 3}, start=100)
    (other / "cats" / "same.png").write_bytes((animals / "cats" / "007.png").read_bytes())
    data = read_pictures(str(animals), test=str(other))
    assert data.card["splits"] == {"train": 49, "test": 7}
    assert str(animals / "cats" / "007.png") not in data.train.features
    assert data.card["leaked"] == ["cats/007.png"]
    assert "leaked: cats/007.png" in render(data.card)
    write(other, {"cows": 2})
    with pytest.raises(InputError, match=r"other, cows/000.png: training saw no class 'cows'"):
        read_pictures(str(animals), test=str(other))


def test_labelled_pictures_are_read_as_in_training(animals: Path) -> None:
    data = read_pictures(str(animals))
    rows = labelled(str(animals), data.encoder, data.decoder)  # type: ignore[arg-type]
    assert len(rows) == 50
    (animals / "cats").rename(animals / "cat")
    with pytest.raises(InputError, match="training saw no class 'cat'; did you mean 'cats'"):
        labelled(str(animals), data.encoder, data.decoder)  # type: ignore[arg-type]


def test_new_pictures_that_cannot_be_read_are_told_with_their_reasons(animals: Path) -> None:
    data = read_pictures(str(animals))
    (animals / "cats" / "empty.png").write_bytes(b"")
    rows = labelled(str(animals), data.encoder, data.decoder)  # type: ignore[arg-type]
    assert rows.notes
    assert (len(rows), rows.notes.unreadable) == (50, ["cats/empty.png: empty"])
    assert rows.notes.zh["cats/empty.png: empty"] == "cats/empty.png：是空的"
    paths = [str(path) for path in sorted(animals.rglob("*.png"))]
    found = reasons(paths, data.encoder)  # type: ignore[arg-type]
    assert {path: (str(why), why.zh) for path, why in found.items()} == {
        str(animals / "cats" / "empty.png"): ("empty", "是空的")
    }


def refused(folder: Path) -> str:
    with pytest.raises(InputError) as error:
        read_pictures(str(folder), test="0.2")
    assert "\n" not in str(error.value)
    return str(error.value)


def test_folders_that_cannot_be_used(tmp_path: Path, animals: Path) -> None:
    assert "no folder" in refused(tmp_path / "animal")
    assert "did you mean 'animals'" in refused(tmp_path / "animal")
    (tmp_path / "a.csv").write_text("x")
    assert "a.csv is a file; pictures are given as a folder" in refused(tmp_path / "a.csv")
    assert "cats holds 30 pictures and no folders of classes" in refused(animals / "cats")
    (tmp_path / "empty" / "cats").mkdir(parents=True)
    assert "empty holds no pictures" in refused(tmp_path / "empty")
    one = write(tmp_path / "one", {"cats": 30})
    assert "one: 1 class to train on (cats); at least 2 are needed" in refused(one)
    for name in ("a", "b"):
        (tmp_path / "broken" / name).mkdir(parents=True)
        (tmp_path / "broken" / name / "x.png").write_bytes(b"x")
    assert "broken: none of 2 pictures can be read, such as a/x.png: no picture" in refused(tmp_path / "broken")
    parts = tmp_path / "parts"
    for name in ("test", "train"):
        write(parts / name, {"cats": 2, "dogs": 2})
    assert f"{parts} holds test, train, which are splits, not classes" in refused(parts)
    assert refused(parts).endswith(f"such as {parts / 'train'}")


def test_a_chosen_size_suits_the_pictures(tmp_path: Path) -> None:
    folder = write(tmp_path / "small", {"a": 3, "b": 3})
    assert card(folder)["pixels"] == {"size": 12, "channels": 3, "fit": "crop"}
    for name in "ab":
        for place in range(5):
            picture(place, 300, 200).save(folder / name / f"large{place}.png")
    assert card(folder)["pixels"]["size"] == 128
    assert "width: min 12, p50 300, max 300" in render(card(folder))
    assert "the network sees 128 x 128 pixels, RGB (crop)" in render(card(folder))
    assert read_pictures(str(folder), size=40, channels=1).training.inputs["pixels"].shape[1:] == (40, 40, 1)  # type: ignore[union-attr]


def test_grey_pictures_have_one_channel(tmp_path: Path) -> None:
    folder = write(tmp_path / "grey", {"a": 3, "b": 3})
    for path in folder.rglob("*.png"):
        Image.open(path).convert("L").save(path)
    assert card(folder)["pixels"]["channels"] == 1
    picture(0).save(folder / "a" / "colour.png")
    assert card(folder)["pixels"]["channels"] == 3


def test_arrays_and_columns_are_pictures_too() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 9, 9), "uint8")
    labels = np.arange(40) % 2
    data = read_pictures((pixels, labels), test="0.2")
    assert data.encoder.size == 9  # type: ignore[attr-defined]
    assert data.decoder.names == ["0", "1"]  # type: ignore[attr-defined]
    assert len(data.train) == 32
    columns = {"picture": list(pixels), "label": ["x", "y"] * 20}
    assert read_pictures(columns, test="0.2").decoder.names == ["x", "y"]  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="the data: no row has a label"):
        read_pictures({**columns, "label": [None, " "] * 20})
    with pytest.raises(InputError, match="40 pictures and 2 labels"):
        read_pictures((pixels, [0, 1]))
    with pytest.raises(InputError, match="no column 'picture'"):
        read_pictures({"image": [1], "label": [1]})


def test_a_picture_without_a_label_is_left_out_and_said() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (42, 9, 9), "uint8")
    frame = pd.DataFrame({"picture": list(pixels), "label": [*range(2), np.nan, np.nan, *[0, 1] * 19]})
    data = read_pictures(frame, test="0.2")
    assert data.decoder.names == ["0", "1"]  # type: ignore[attr-defined]
    assert data.card["rows"] == 40
    assert data.card["dropped"] == {"no label in 'label'": 2}


def test_the_digits_are_a_sample() -> None:
    data = read_pictures("sample:digits", test="0.2")
    assert data.card["rows"] == 1797
    assert data.card["pixels"] == {"size": 8, "channels": 1, "fit": "crop"}
    assert len(data.decoder.names) == 10  # type: ignore[attr-defined]
    assert data.training.inputs["pixels"].max() == 255  # type: ignore[union-attr]


def test_a_fingerprint_tells_names_and_contents_apart_and_nothing_else(animals: Path) -> None:
    first = fingerprint(str(animals))
    assert first == fingerprint(str(animals))
    (animals / ".DS_Store").touch()
    os.utime(animals / "cats" / "000.png", (0, 0))
    assert fingerprint(str(animals)) == first
    path = animals / "cats" / "000.png"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"x")
    changed = fingerprint(str(animals))
    assert changed != first
    path.write_bytes(content)
    path.rename(animals / "dogs" / "moved.png")
    assert fingerprint(str(animals)) not in (first, changed)
    assert fingerprint("sample:digits") == fingerprint("sample:digits")


def test_shades_are_the_channels_mean_and_variance() -> None:
    pixels = np.random.default_rng(0).integers(0, 200, (20, 5, 5, 3), "uint8")
    mean, variance = shades(pixels)
    assert mean == pytest.approx(pixels.mean(axis=(0, 1, 2)))
    assert variance == pytest.approx(pixels.var(axis=(0, 1, 2)))
    assert shades(np.zeros((2, 4, 4, 1), "uint8")) == ([0.0], [1.0])


def test_shades_take_no_memory_for_all_pictures_at_once() -> None:
    pixels = np.zeros((200, 64, 64, 3), "uint8")
    tracemalloc.start()
    shades(pixels)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < pixels.nbytes / 10
