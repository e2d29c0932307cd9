"""A folder of pictures, one folder per class -> Data for telling the class from the picture."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kerasllm.data import Data, Rows, files
from kerasllm.data.card import Notes, describe_labels
from kerasllm.data.splits import divide, not_elsewhere, shares_and_files
from kerasllm.encoders import Labels
from kerasllm.encoders.pictures import Fit, PictureEncoder, UnreadableError, each, is_grey, opened, upright_size
from kerasllm.errors import InputError, did_you_mean

SUFFIXES = {
    ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".heic", ".heif", ".avif",
}  # fmt: skip
LITTER = {"thumbs.db", "desktop.ini", "__macosx"}  # what systems leave in folders, beside names with a dot
SPLITS = {"train", "training", "val", "valid", "validation", "test", "testing"}
MEASURED = 1000  # pictures
LARGEST_SIDE = 128  # px, of the size that is chosen where none is given


@dataclass
class Pictures:
    """The labelled pictures of a source, and how many of what else was there."""

    source: str
    pictures: list[Any] = field(default_factory=list)  # paths, or what else an encoder reads
    labels: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)  # where each is, for a person

    def add(self, picture: Any, label: str, place: str) -> None:
        self.pictures.append(picture)
        self.labels.append(label)
        self.places.append(place)

    def take(self, rows: Sequence[int]) -> Pictures:
        """Only these rows, in this order."""
        parts = ([values[row] for row in rows] for values in (self.pictures, self.labels, self.places))
        return Pictures(self.source, *parts)

    def __len__(self) -> int:
        return len(self.pictures)


class Look(NamedTuple):
    """What a picture's first bytes tell."""

    size: tuple[int, int]  # width, height
    format: str
    grey: bool


def read_pictures(
    source: Any,
    *,
    size: int = 0,
    channels: int = 0,
    fit: Fit = "crop",
    validation: str = "",
    test: str = "",
    seed: int = 0,
) -> Data:
    """Find, check and split pictures; learn the classes from the training rows.

    `validation` and `test` are shares of the pictures or folders. `size` 0: the pictures' median side, 128 px at most;
    `channels` 0: 1 where no picture has colour, else 3.
    """
    notes, unreadable = Notes(), list[str]()
    found, looks = _looked(find(source, notes), unreadable)
    shares, others = shares_and_files(validation, test)
    encoder = _encoder(looks, size, channels, fit)
    found, looks, keys = _keyed(found, looks, encoder, unreadable)

    held_out: dict[str, Pictures] = {}
    held_out_keys: dict[str, set[bytes]] = {}
    for name, folder in others.items():
        other, other_keys = _readable(find(folder, Notes()), encoder, unreadable)
        held_out[name], held_out_keys[name] = other, set(other_keys)
    kept = not_elsewhere(keys, found.places, held_out_keys, "pictures", notes)
    classes = sorted({found.labels[row] for row in kept})
    if len(classes) < 2:
        left = "; pictures that are in the validation or test folder too are left out" if len(kept) < len(keys) else ""
        raise InputError(
            f"{found.source}: {len(classes)} class to train on ({', '.join(classes)}); at least 2 are needed, "
            f"a folder each{left}"
        )
    rows = divide(kept, keys, found.labels, shares, seed, notes)
    parts = {name: _rows(found.take(places)) for name, places in rows.items() if places}
    labels = Labels.fit(parts["train"].truth)
    parts |= {name: _known(other, labels) for name, other in held_out.items()}
    card = {
        **_card(found, looks, keys, encoder, unreadable, notes),
        "splits": {name: len(part) for name, part in parts.items()},
        **notes.entries(),
    }
    return Data(parts["train"], parts.get("validation"), parts.get("test"), encoder, labels, card)


def labelled(source: Any, encoder: PictureEncoder, labels: Labels) -> Rows:
    """New pictures with their true labels, to evaluate a trained model on; what cannot be read is left out."""
    return _known(_readable(find(source, Notes()), encoder, [])[0], labels)


def holds(source: str) -> bool:
    """Whether it holds pictures: a folder, or a sample of some."""
    if source.startswith("sample:"):
        return PictureEncoder.COLUMN in files.read(source).columns
    return Path(source).is_dir()


def picture_card(source: Any) -> dict[str, Any]:
    """The card of a folder of pictures."""
    notes, unreadable = Notes(), list[str]()
    found, looks = _looked(find(source, notes), unreadable)
    encoder = _encoder(looks, 0, 0, "crop")
    found, looks, keys = _keyed(found, looks, encoder, unreadable)
    return {**_card(found, looks, keys, encoder, unreadable, notes), **notes.entries()}


def fingerprint(source: str) -> str:
    """SHA-256 over a folder's pictures: of each its path in the folder, and its bytes."""
    if source.startswith("sample:"):
        return files.fingerprint(source)
    digest = hashlib.sha256()
    for path, place in walk(_folder(Path(source)), Notes()):
        try:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise InputError(f"{path} may not be read: {error.strerror}") from error
        digest.update(f"{place} {content}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def shades(pixels: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and variance of each channel, over at most MEASURED pictures."""
    some = pixels[:: max(1, len(pixels) // MEASURED)]
    levels = np.arange(256.0)
    shares = [
        np.bincount(some[..., channel].ravel(), minlength=256) / some[..., 0].size
        for channel in range(pixels.shape[-1])
    ]
    mean = [float(share @ levels) for share in shares]
    variance = [float(share @ (levels - middle) ** 2) for share, middle in zip(shares, mean, strict=True)]
    return mean, [max(one, 1.0) for one in variance]  # pictures of one shade


def find(source: Any, notes: Notes) -> Pictures:
    """The pictures of a folder (or sample, columns, DataFrame, (X, y)) with their classes, not yet opened."""
    if isinstance(source, str) and source.startswith("sample:"):
        return _from_columns(files.read(source).columns, source)
    if isinstance(source, (str, Path)):
        return _from_folder(_folder(Path(source)), notes)
    if isinstance(source, tuple) and len(source) == 2:
        return _from_columns({"picture": source[0], "label": source[1]}, "(X, y)")
    if isinstance(source, Mapping) or hasattr(source, "columns"):
        return _from_columns(source, "the data")
    raise InputError(
        "data must be a folder of pictures, sample:digits, columns or a DataFrame of picture and label, or (X, y), "
        f"not {type(source).__name__}"
    )


def walk(folder: Path, notes: Notes) -> list[tuple[Path, str]]:
    """Every picture file below a folder and its path in there, in the order of those; the rest is noted."""
    found: list[tuple[Path, str]] = []
    hidden: list[str] = []
    strange: list[str] = []
    for place, folders, names in os.walk(folder):
        hidden += [name for name in (*folders, *names) if _is_hidden(name)]
        folders[:] = [name for name in folders if not _is_hidden(name)]
        for name in names:
            path = Path(place, name)
            if _is_hidden(name):
                continue
            if path.suffix.lower() in SUFFIXES:
                found.append((path, path.relative_to(folder).as_posix()))
            else:
                strange.append(path.relative_to(folder).as_posix())
    _note(notes, "hidden, so left out", hidden)
    _note(notes, "no picture by its name, so left out", strange)
    return sorted(found, key=lambda pair: pair[1])


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in LITTER


def _folder(path: Path) -> Path:
    if path.is_dir():
        return path
    if path.exists():
        raise InputError(f"{path} is a file; pictures are given as a folder that holds a folder per class")
    folders = [one.name for one in path.parent.iterdir() if one.is_dir()] if path.parent.is_dir() else []
    hint = did_you_mean(path.name, folders)
    raise InputError(f"no folder {path}{hint if hint.startswith('; did you mean') else ''}")


def _from_folder(folder: Path, notes: Notes) -> Pictures:
    classes = sorted(one.name for one in folder.iterdir() if one.is_dir() and not _is_hidden(one.name))
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
            "that has the class's name"
        )
    if not found:
        raise InputError(f"{folder} holds no pictures ({', '.join(sorted(SUFFIXES))})")
    filled = set(found.labels)
    if len(filled) > 1 and {name.lower() for name in filled} <= SPLITS:
        names = ", ".join(sorted(filled))
        raise InputError(
            f"{folder} holds {names}, which are splits, not classes; name one as data, "
            f"and others as validation or test, such as {folder / sorted(filled)[0]}"
        )
    _note(notes, "in no class's folder, so left out", beside)
    _note(notes, "in a folder inside a class's, and counted to the class", nested)
    _note(notes, "a class's folder without a picture", [name for name in classes if name not in filled])
    return found


def _note(notes: Notes, what: str, names: Sequence[str]) -> None:
    if names:
        distinct = list(dict.fromkeys(names))
        more = f" and {len(distinct) - 5} more" if len(distinct) > 5 else ""
        notes.warn(f"{what}: {len(names)} ({', '.join(distinct[:5])}{more})")


def _from_columns(columns: Any, source: str) -> Pictures:
    for name in ("picture", "label"):
        if name not in columns:
            raise InputError(f"{source}: no column {name!r}{did_you_mean(name, map(str, columns))}")
    pictures, labels = list(columns["picture"]), [str(label) for label in columns["label"]]
    if len(pictures) != len(labels):
        raise InputError(f"{source}: {len(pictures)} pictures and {len(labels)} labels")
    if not pictures:
        raise InputError(f"{source}: no rows")
    return Pictures(source, pictures, labels, [f"row {row}" for row in range(1, 1 + len(pictures))])


def _look(picture: Any) -> Look | UnreadableError:
    try:
        image = opened(picture)
        look = Look(upright_size(image), image.format or "pixels", is_grey(image))
        if isinstance(picture, str):
            image.close()
        return look
    except UnreadableError as error:
        return error


def _looked(found: Pictures, unreadable: list[str]) -> tuple[Pictures, list[Look]]:
    """The pictures whose beginning can be read, and what it tells; the others are listed."""
    answers = list(each(_look, found.pictures))
    found, looks = _sorted_out(found, answers, unreadable)
    if not looks:
        raise InputError(f"{found.source}: none of {len(answers)} pictures can be read, such as {unreadable[0]}")
    return found, looks


def _keyed(
    found: Pictures, looks: list[Look], encoder: PictureEncoder, unreadable: list[str]
) -> tuple[Pictures, list[Look], list[bytes]]:
    """The pictures that can be decoded, and a key of each that is equal for equal pixels; the others are listed."""

    def key(picture: Any) -> bytes | UnreadableError:
        try:
            return hashlib.blake2b(encoder.pixels(picture).tobytes(), digest_size=16).digest()
        except UnreadableError as error:
            return error

    answers = list(each(key, found.pictures))
    looks = [look for look, answer in zip(looks, answers, strict=True) if isinstance(answer, bytes)]
    found, keys = _sorted_out(found, answers, unreadable)
    if not keys:
        raise InputError(f"{found.source}: none of {len(answers)} pictures can be read, such as {unreadable[0]}")
    return found, looks, keys


def _readable(found: Pictures, encoder: PictureEncoder, unreadable: list[str]) -> tuple[Pictures, list[bytes]]:
    found, looks = _looked(found, unreadable)
    found, _, keys = _keyed(found, looks, encoder, unreadable)
    return found, keys


def _sorted_out(found: Pictures, answers: Sequence[Any], unreadable: list[str]) -> tuple[Pictures, list[Any]]:
    good = [row for row, answer in enumerate(answers) if not isinstance(answer, UnreadableError)]
    unreadable += [
        f"{place}: {answer}"
        for place, answer in zip(found.places, answers, strict=True)
        if isinstance(answer, UnreadableError)
    ]
    return found.take(good), [answers[row] for row in good]


def _encoder(looks: Sequence[Look], size: int, channels: int, fit: Fit) -> PictureEncoder:
    median = int(np.median([side for look in looks for side in look.size]))
    size = size or max(1, min(median, LARGEST_SIDE))
    return PictureEncoder(size, channels or (1 if all(look.grey for look in looks) else 3), fit)


def _rows(found: Pictures) -> Rows:
    return Rows(found.pictures, found.labels)


def _known(found: Pictures, labels: Labels) -> Rows:
    known = set(labels.names)
    for place, label in zip(found.places, found.labels, strict=True):
        if label not in known:
            hint = did_you_mean(label, labels.names)
            raise InputError(f"{found.source}, {place}: training saw no class {label!r}{hint}")
    return _rows(found)


def _card(
    found: Pictures,
    looks: Sequence[Look],
    keys: Sequence[bytes],
    encoder: PictureEncoder,
    unreadable: Sequence[str],
    notes: Notes,
) -> dict[str, Any]:
    notes.drop("unreadable", len(unreadable))
    meant: dict[bytes, str] = {}
    torn = [
        place
        for key, place, label in zip(keys, found.places, found.labels, strict=True)
        if meant.setdefault(key, label) != label
    ]
    if torn:
        notes.warn(f"{len(torn)} pictures equal one of another class, and train: such as {torn[0]}")
    sides = {
        name: {"min": int(min(values)), "p50": int(np.median(values)), "max": int(max(values))}
        for name, values in zip(("width", "height"), zip(*(look.size for look in looks), strict=True), strict=True)
    }
    return {
        "source": found.source,
        "rows": len(found),
        "unit": "pictures",
        "found": dict(Counter(look.format for look in looks).most_common()),
        "labels": describe_labels(found.labels, notes),
        "sides": sides,
        "pixels": {"size": encoder.size, "channels": encoder.channels, "fit": encoder.fit},
        "duplicates": len(keys) - len(meant),
        "unreadable": list(unreadable),
    }
