"""A folder of pictures, one folder per class -> Data for telling the class from the picture."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from kerasllm.data import Data, Rows
from kerasllm.data.classes import check_several, torn
from kerasllm.data.notes import Notes, describe_labels
from kerasllm.data.picture_folder import Pictures, find
from kerasllm.data.splits import divide, not_elsewhere, shares_and_files, sizes
from kerasllm.encoders import Labels
from kerasllm.encoders.pictures import Fit, PictureEncoder, UnreadableError, each, is_grey, opened, upright_size
from kerasllm.errors import InputError

MEASURED = 1000  # pictures
LARGEST_SIDE = 128  # px, of the size that is chosen where none is given


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
    notes = Notes()
    found, looks = _looked(find(source, notes), notes)
    shares, others = shares_and_files(validation, test)
    encoder = _encoder(looks, size, channels, fit)
    found, looks, keys = _keyed(found, looks, encoder, notes)

    held_out: dict[str, Pictures] = {}
    held_out_keys: dict[str, set[bytes]] = {}
    for name, folder in others.items():
        other, other_keys = _readable(find(folder, Notes()), encoder, notes)
        held_out[name], held_out_keys[name] = other, set(other_keys)
    kept = not_elsewhere(keys, found.places, held_out_keys, "pictures", notes)
    check_several({found.labels[row] for row in kept}, (found.source, found.source), are_left=len(kept) < len(keys))
    parts = {
        name: _rows(found.take(rows)) for name, rows in divide(kept, keys, found.labels, shares, seed, notes).items()
    }
    labels = Labels.fit(parts["train"].truth)
    parts |= {name: _known(other, labels) for name, other in held_out.items()}
    card = {
        **_card(found, looks, keys, encoder, notes),
        "splits": sizes(parts),
        **notes.entries(),
    }
    return Data(parts["train"], parts["validation"] or None, parts["test"] or None, encoder, labels, card)


def labelled(source: Any, encoder: PictureEncoder, labels: Labels) -> Rows:
    """New pictures with their true labels, to evaluate a trained model on; what cannot be read is left out and told."""
    notes = Notes()
    found, _ = _readable(find(source, notes), encoder, notes)
    return replace(_known(found, labels), notes=notes)


def reasons(paths: Sequence[str], encoder: PictureEncoder) -> dict[str, UnreadableError]:
    """Why a picture cannot be read, of those that cannot."""

    def reason(path: str) -> UnreadableError | None:
        try:
            encoder.pixels(path)
        except UnreadableError as error:
            return error
        return None

    return {path: why for path, why in zip(paths, each(reason, paths), strict=True) if why}


def picture_card(source: Any) -> dict[str, Any]:
    """The card of a folder of pictures."""
    notes = Notes()
    found, looks = _looked(find(source, notes), notes)
    encoder = _encoder(looks, 0, 0, "crop")
    found, looks, keys = _keyed(found, looks, encoder, notes)
    return {**_card(found, looks, keys, encoder, notes), **notes.entries()}


def shades(pixels: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and variance of each channel, over at most MEASURED pictures."""
    some = pixels[:: max(1, len(pixels) // MEASURED)]
    levels = np.arange(256.0)
    counts = np.zeros((pixels.shape[-1], 256), "int64")
    for picture in some:  # not all at once: counting widens each pixel to eight bytes
        for channel, count in enumerate(counts):
            count += np.bincount(picture[..., channel].ravel(), minlength=256)
    shares = counts / some[..., 0].size
    mean = [float(share @ levels) for share in shares]
    variance = [float(share @ (levels - middle) ** 2) for share, middle in zip(shares, mean, strict=True)]
    return mean, [max(one, 1.0) for one in variance]  # pictures of one shade


def _look(picture: Any) -> Look | UnreadableError:
    try:
        image = opened(picture)
        look = Look(upright_size(image), image.format or "pixels", is_grey(image))
        if isinstance(picture, str):
            image.close()
        return look
    except UnreadableError as error:
        return error


def _looked(found: Pictures, notes: Notes) -> tuple[Pictures, list[Look]]:
    """The pictures whose beginning can be read, and what it tells; the others are noted."""
    answers = list(each(_look, found.pictures))
    good, looks = _sorted_out(found, answers, notes)
    if not looks:
        raise _none_readable(found, answers)
    return good, looks


def _keyed(
    found: Pictures, looks: list[Look], encoder: PictureEncoder, notes: Notes
) -> tuple[Pictures, list[Look], list[bytes]]:
    """The pictures that can be decoded, and a key of each that is equal for equal pixels; the others are noted."""

    def key(picture: Any) -> bytes | UnreadableError:
        try:
            return hashlib.blake2b(encoder.pixels(picture).tobytes(), digest_size=16).digest()
        except UnreadableError as error:
            return error

    answers = list(each(key, found.pictures))
    looks = [look for look, answer in zip(looks, answers, strict=True) if isinstance(answer, bytes)]
    good, keys = _sorted_out(found, answers, notes)
    if not keys:
        raise _none_readable(found, answers)
    return good, looks, keys


def _readable(found: Pictures, encoder: PictureEncoder, notes: Notes) -> tuple[Pictures, list[bytes]]:
    found, looks = _looked(found, notes)
    found, _, keys = _keyed(found, looks, encoder, notes)
    return found, keys


def _sorted_out(found: Pictures, answers: Sequence[Any], notes: Notes) -> tuple[Pictures, list[Any]]:
    good = [row for row, answer in enumerate(answers) if not isinstance(answer, UnreadableError)]
    notes.unreadable += [
        notes.say(f"{place}: {answer}", f"{place}：{answer.zh}")
        for place, answer in zip(found.places, answers, strict=True)
        if isinstance(answer, UnreadableError)
    ]
    notes.drop("unreadable", "无法读取", len(found) - len(good))
    return found.take(good), [answers[row] for row in good]


def _none_readable(found: Pictures, errors: Sequence[Any]) -> InputError:
    return InputError(
        f"{found.source}: none of {len(found)} pictures can be read, such as {found.places[0]}: {errors[0]}",
        f"{found.source}：{len(found)} 张图片都无法读取，例如 {found.places[0]}：{errors[0].zh}",
    )


def _encoder(looks: Sequence[Look], size: int, channels: int, fit: Fit) -> PictureEncoder:
    median = int(np.median([side for look in looks for side in look.size]))
    size = size or max(1, min(median, LARGEST_SIDE))
    return PictureEncoder(size, channels or (1 if all(look.grey for look in looks) else 3), fit)


def _rows(found: Pictures) -> Rows:
    return Rows(found.pictures, found.labels)


def _known(found: Pictures, labels: Labels) -> Rows:
    labels.check(found.labels, found.place)
    return _rows(found)


def _card(
    found: Pictures,
    looks: Sequence[Look],
    keys: Sequence[bytes],
    encoder: PictureEncoder,
    notes: Notes,
) -> dict[str, Any]:
    if rows := torn(keys, found.labels):
        notes.warn(
            f"{len(rows)} pictures equal one of another class, and train: such as {found.places[rows[0]]}",
            f"{len(rows)} 张图片与另一类别的图片相同，仍参与训练：例如 {found.places[rows[0]]}",
        )
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
        "duplicates": len(keys) - len(set(keys)),
        "unreadable": notes.unreadable,
    }
