"""Where labelled pictures come from: a folder with a folder per class, a sample, columns or arrays."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kerasllm.data import files
from kerasllm.data.memory import cells, is_blank
from kerasllm.data.notes import Notes, some
from kerasllm.errors import InputError, did_you_mean, may_read

SUFFIXES = {
    ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".heic", ".heif", ".avif",
}  # fmt: skip
LITTER = {"thumbs.db", "desktop.ini", "__macosx"}  # what systems leave in folders, beside names with a dot
SPLITS = {"train", "training", "val", "valid", "validation", "test", "testing"}


@dataclass
class Pictures:
    """The labelled pictures of a source."""

    source: str
    pictures: list[Any] = field(default_factory=list)  # paths, or what else an encoder reads
    labels: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)  # where each is, for a person

    def add(self, picture: Any, label: str, place: str) -> None:
        self.pictures.append(picture)
        self.labels.append(label)
        self.places.append(place)

    def place(self, row: int, language: str = "en") -> str:
        """Where a picture is, for an error."""
        return f"{self.source}{'，' if language == 'zh' else ', '}{self.places[row]}"

    def take(self, rows: Sequence[int]) -> Pictures:
        """Only these rows, in this order."""
        parts = ([values[row] for row in rows] for values in (self.pictures, self.labels, self.places))
        return Pictures(self.source, *parts)

    def __len__(self) -> int:
        return len(self.pictures)


def find(source: Any, notes: Notes) -> Pictures:
    """The pictures of a folder (or sample, columns, DataFrame, (X, y)) with their classes, not yet opened."""
    if isinstance(source, str) and source.startswith("sample:"):
        return _from_columns(files.read(source).columns, source, notes)
    if isinstance(source, (str, Path)):
        return _from_folder(existing_folder(Path(source)), notes)
    if isinstance(source, tuple) and len(source) == 2:
        return _from_columns({"picture": source[0], "label": source[1]}, "(X, y)", notes)
    if isinstance(source, Mapping) or hasattr(source, "columns"):
        return _from_columns(source, "the data", notes)
    raise InputError(
        "data must be a folder of pictures, sample:digits, columns or a DataFrame of picture and label, or (X, y), "
        f"not {type(source).__name__}",
        "data 须为图片文件夹、sample:digits、含 picture 与 label 的各列或 DataFrame，或 (X, y)，"
        f"而不是 {type(source).__name__}",
    )


def fingerprint(source: str) -> str:
    """SHA-256 over a folder's pictures: of each its path in the folder, and its bytes."""
    if source.startswith("sample:"):
        return files.fingerprint(source)
    digest = hashlib.sha256()
    for path, place in walk(existing_folder(Path(source)), Notes()):
        try:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise InputError(
                f"{path} may not be read: {error.strerror}", f"无法读取 {path}：{error.strerror}"
            ) from error
        digest.update(f"{place} {content}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def walk(folder: Path, notes: Notes) -> list[tuple[Path, str]]:
    """Every picture file below a folder and its path in there, in the order of those; the rest is noted.

    Links to folders are followed, but not one that leads back to a folder it is in.
    """
    found: list[tuple[Path, str]] = []
    hidden: list[str] = []
    strange: list[str] = []
    loops: list[str] = []
    above = {str(folder): {os.path.realpath(folder)}}  # the folders that each folder is in, and itself
    for place, folders, names in os.walk(folder, followlinks=True):
        hidden += [name for name in (*folders, *names) if _is_hidden(name)]
        entered = {name: os.path.realpath(os.path.join(place, name)) for name in folders if not _is_hidden(name)}
        loops += [name for name, real in entered.items() if real in above[place]]
        folders[:] = [name for name, real in entered.items() if real not in above[place]]
        above |= {os.path.join(place, name): above[place] | {entered[name]} for name in folders}
        for path in (Path(place, name) for name in names if not _is_hidden(name)):
            if path.suffix.lower() in SUFFIXES:
                found.append((path, path.relative_to(folder).as_posix()))
            else:
                strange.append(path.relative_to(folder).as_posix())
    _note(notes, "hidden, so left out", "隐藏的文件或文件夹，已略去", hidden)
    _note(notes, "a link back to a folder that it is in, so left out", "指回其所在文件夹的链接，已略去", sorted(loops))
    _note(notes, "no picture by its name, so left out", "从名称看不是图片，已略去", strange)
    return sorted(found, key=lambda pair: pair[1])


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in LITTER


def existing_folder(path: Path) -> Path:
    """The same path; what is no folder raises InputError."""
    with may_read():
        is_folder, exists = path.is_dir(), path.exists()
    if is_folder:
        return path
    if exists:
        raise InputError(
            f"{path} is a file; pictures are given as a folder that holds a folder per class",
            f"{path} 是文件；图片要以文件夹给出，其中每个类别一个文件夹",
        )
    hints = [files.nearest_beside(path, language, Path.is_dir) for language in ("en", "zh")]
    raise InputError(f"no folder {path}{hints[0]}", f"没有文件夹 {path}{hints[1]}")


def classes(folder: Path) -> list[str]:
    """The names of a folder's folders, each a class; splits (train, test) raise InputError."""
    with may_read():
        names = sorted(one.name for one in folder.iterdir() if one.is_dir() and not _is_hidden(one.name))
    for name in names:
        files.check_name(folder / name)
    if len(names) > 1 and {name.lower() for name in names} <= SPLITS:
        shown, first = ", ".join(names), next((name for name in names if name.lower().startswith("train")), names[0])
        raise InputError(
            f"{folder} holds {shown}, which are splits, not classes; name one as data, "
            f"and others as validation or test, such as {folder / first}",
            f"{folder} 中是 {shown}，它们是划分而不是类别；请把其中一个作为 data，其余作为 validation 或 test，"
            f"例如 {folder / first}",
        )
    return names


def _from_folder(folder: Path, notes: Notes) -> Pictures:
    names = classes(folder)
    found = Pictures(str(folder))
    beside, nested = list[str](), list[str]()
    for path, place in walk(folder, notes):
        parts = place.split("/")
        if len(parts) == 1:
            beside.append(place)
            continue
        found.add(str(path), parts[0], place)
        if len(parts) > 2:
            nested.append(place)
    if beside and not found:
        raise InputError(
            f"{folder} holds {len(beside)} pictures and no folders of classes; put each class's pictures into a folder "
            "that has the class's name",
            f"{folder} 有 {len(beside)} 张图片，但没有类别的文件夹；请把每个类别的图片放进以类别命名的文件夹",
        )
    if not found:
        suffixes = ", ".join(sorted(SUFFIXES))
        raise InputError(f"{folder} holds no pictures ({suffixes})", f"{folder} 中没有图片（{suffixes}）")
    _note(notes, "in no class's folder, so left out", "不在任何类别的文件夹中，已略去", beside)
    _note(
        notes, "in a folder inside a class's, and counted to the class", "在类别文件夹的子文件夹中，计入该类别", nested
    )
    filled = set(found.labels)
    empty = [name for name in names if name not in filled]
    _note(notes, "a class's folder without a picture", "没有图片的类别文件夹", empty)
    return found


def _note(notes: Notes, what: str, zh: str, names: Sequence[str]) -> None:
    if names:
        shown, shown_zh = (some(list(dict.fromkeys(names)), 5, language) for language in ("en", "zh"))
        notes.warn(f"{what}: {len(names)} ({shown})", f"{zh}：{len(names)} 个（{shown_zh}）")


def _from_columns(columns: Any, source: str, notes: Notes) -> Pictures:
    for name in ("picture", "label"):
        if name not in columns:
            raise InputError(
                f"{source}: no column {name!r}{did_you_mean(name, map(str, columns))}",
                f"{source}：没有 {name!r} 这一列{did_you_mean(name, map(str, columns), 'zh')}",
            )
    pictures, labels = list(columns["picture"]), cells(columns["label"])
    if len(pictures) != len(labels):
        raise InputError(
            f"{source}: {len(pictures)} pictures and {len(labels)} labels",
            f"{source}：有 {len(pictures)} 张图片，而标签有 {len(labels)} 个",
        )
    found = Pictures(source, [], [], [])
    for row, (picture, label) in enumerate(zip(pictures, labels, strict=True), 1):
        if is_blank(label):
            notes.drop("no label in 'label'", "'label' 列没有标签")
        else:
            found.add(picture, str(label).strip(), f"row {row}")
    if not found:
        raise InputError(f"{source}: no row has a label", f"{source}：没有一行有标签")
    return found
