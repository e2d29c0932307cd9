"""Pictures -> pixels: a file, bytes, Pillow image or array, upright, on white, in one size."""

from __future__ import annotations

import io
import json
import os
import struct
import tempfile
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from kerasllm.encoders.cells import pick
from kerasllm.errors import InputError

Fit = Literal["crop", "pad", "stretch"]
Answer = TypeVar("Answer")

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # no format that runs a program
LARGEST = 89_478_485  # pixels, Pillow's own bound; a small file can unpack to more than the memory holds
MEMORY = 1 << 29  # bytes of pixels kept in memory; more of them lie in a temporary file
CHUNK = 1024  # pictures decoded at a time
BROKEN = (OSError, SyntaxError, ValueError, LookupError, TypeError, OverflowError, EOFError, struct.error, zlib.error)


class UnreadableError(Exception):
    """Why a picture cannot be read, in a few words without its name; `zh` says it in Chinese."""

    def __init__(self, reason: str, zh: str):
        super().__init__(reason)
        self.zh = zh


def opened(picture: Any) -> Image.Image:
    """A path, bytes, Pillow image or (H, W), (H, W, 1, 3 or 4) array of uint8 as a Pillow image, not yet decoded."""
    if isinstance(picture, Image.Image):
        image = picture
    elif isinstance(picture, np.ndarray):
        image = _from_array(picture)
    elif not isinstance(picture, (str, Path, bytes)):
        raise UnreadableError(
            f"{type(picture).__name__} is no path, bytes, Pillow image or array",
            f"{type(picture).__name__} 不是路径、字节、Pillow 图片或数组",
        )
    else:
        try:
            image = Image.open(io.BytesIO(picture) if isinstance(picture, bytes) else picture, formats=FORMATS)
        except FileNotFoundError:
            raise UnreadableError("no such file", "没有这个文件") from None
        except IsADirectoryError:
            raise UnreadableError("a folder; name the pictures in it", "是文件夹；请指定其中的图片") from None
        except Image.DecompressionBombError as error:
            raise UnreadableError(f"a decompression bomb? {error}", f"可能是解压炸弹：{error}") from None
        except UnidentifiedImageError:
            empty = not picture if isinstance(picture, bytes) else not os.path.getsize(picture)
            if empty:
                raise UnreadableError("empty", "是空的") from None
            raise UnreadableError(
                f"no picture, or none of {', '.join(FORMATS)}", f"不是图片，或格式不是 {'、'.join(FORMATS)}"
            ) from None
        except BROKEN as error:
            raise _broken(error) from None
    if image.width * image.height > LARGEST:
        raise UnreadableError(
            f"{image.width} x {image.height} pixels, more than {LARGEST}: a decompression bomb?",
            f"{image.width} x {image.height} 像素，超过 {LARGEST}：可能是解压炸弹",
        )
    return image


def is_grey(image: Image.Image) -> bool:
    """Whether its mode holds no colour."""
    return image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I")


def upright_size(image: Image.Image) -> tuple[int, int]:
    """(width, height) after the turn that a camera noted."""
    try:
        turned = image.getexif().get(0x0112) in (5, 6, 7, 8)
    except BROKEN:
        turned = False
    return (image.height, image.width) if turned else image.size


class PictureEncoder:
    """Pictures -> `pixels` (rows, size, size, channels) uint8: upright by EXIF, transparency on white, grey or RGB.

    `fit` says how a picture becomes a square: crop its middle, pad it with white, or stretch it. A row is a path, the
    bytes of a file, a Pillow image or an array; or a mapping that holds one as `picture`.
    """

    FILE, TAKES = "pixels.json", "picture"
    COLUMN = "picture"

    def __init__(self, size: int, channels: int, fit: Fit = "crop"):
        self.size, self.channels, self.fit = size, channels, fit

    def rows(self, given: Any) -> list[Any]:
        """A picture, pictures, an array of them, a DataFrame or columns with `picture`, or mappings -> pictures."""
        if hasattr(given, "columns") or isinstance(given, Mapping):
            return list(pick(self.COLUMN, given))
        if isinstance(given, np.ndarray):
            single = given.ndim == 2 or (given.ndim == 3 and given.shape[-1] in (1, 3, 4))
            return [given] if single else list(given)
        if isinstance(given, (str, Path, bytes, Image.Image)):
            return [given]
        return [
            pick(self.COLUMN, row, place) if isinstance(row, Mapping) else row for place, row in enumerate(given, 1)
        ]

    def encode(self, pictures: Sequence[Any]) -> dict[str, np.ndarray]:
        """All pictures' pixels; one that cannot be read raises InputError. Beyond MEMORY they lie in a file."""

        def pixels(numbered: tuple[int, Any]) -> np.ndarray:
            try:
                return self.pixels(numbered[1])
            except UnreadableError as error:
                raise InputError(f"{named(*numbered)}: {error}", f"{named(*numbered, 'zh')}：{error.zh}") from None

        shape = (len(pictures), self.size, self.size, self.channels)
        decoded = each(pixels, list(enumerate(pictures, 1)))
        if np.prod(shape, dtype="int64") <= MEMORY:
            found = np.empty(shape, "uint8")
            for place, one in enumerate(decoded):
                found[place] = one
            return {"pixels": found}
        with tempfile.TemporaryFile() as file:  # it has no name, and is gone with the process, however that ends
            for one in decoded:
                file.write(one.tobytes())
            file.flush()
            return {"pixels": np.memmap(file, "uint8", "r", shape=shape)}

    def pixels(self, picture: Any) -> np.ndarray:
        """One picture's (size, size, channels); UnreadableError says why there are none."""
        image = opened(picture)
        try:
            if image is not picture:  # one that we opened: the caller's own must stay as large as it is
                image.draft(None, (4 * self.size, 4 * self.size))  # a large JPEG need not be unpacked whole
            image = _plain(ImageOps.exif_transpose(image), self.channels)
            square = (self.size, self.size)
            if self.fit == "crop":
                image = ImageOps.fit(image, square, Image.Resampling.BILINEAR)
            elif self.fit == "pad":
                white = 255 if self.channels == 1 else (255, 255, 255)
                image = ImageOps.pad(image, square, Image.Resampling.BILINEAR, white)
            else:
                image = image.resize(square, Image.Resampling.BILINEAR)
        except BROKEN as error:
            raise _broken(error) from None
        return np.asarray(image, "uint8").reshape(self.size, self.size, self.channels)

    def files(self) -> dict[str, str]:
        """What to save, by file name."""
        return {self.FILE: json.dumps({"size": self.size, "channels": self.channels, "fit": self.fit}, indent=1)}

    @classmethod
    def load(cls, folder: Path) -> PictureEncoder:
        """Read pixels.json."""
        return cls(**json.loads((folder / cls.FILE).read_text("utf-8")))


def each(work: Callable[[Any], Answer], pictures: Sequence[Any]) -> Iterator[Answer]:
    """`work(picture)` of each, in order, several at a time; Pillow's warnings are not shown."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(pictures), CHUNK):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                chunk = list(pool.map(work, pictures[start : start + CHUNK]))
            yield from chunk


def named(row: int, picture: Any, language: str = "en") -> str:
    """A picture's name for an error: its path, or its row."""
    if isinstance(picture, (str, Path)):
        return str(picture)
    return f"第 {row} 行" if language == "zh" else f"row {row}"


def _from_array(array: np.ndarray) -> Image.Image:
    if array.dtype != "uint8":
        raise UnreadableError(
            f"an array of {array.dtype}; give uint8 pixels of 0 to 255",
            f"是 {array.dtype} 数组；请给出 0 到 255 的 uint8 像素",
        )
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[:, :, 0]
    if not array.size or not (array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in (3, 4))):
        raise UnreadableError(
            f"an array of shape {array.shape}; give (height, width) or (height, width, 3)",
            f"是形状为 {array.shape} 的数组；请给出（高，宽）或（高，宽，3）",
        )
    return Image.fromarray(np.ascontiguousarray(array))


def _plain(image: Image.Image, channels: int) -> Image.Image:
    """Grey or RGB with 8 bits, transparency on white."""
    if image.mode.startswith("I"):  # 16 bits; Pillow would cut them off at 255
        image = Image.fromarray((np.asarray(image).astype("int64").clip(0, 65535) // 257).astype("uint8"))
    if image.mode == "F":
        raise UnreadableError("its pixels are floats; save it with 8 or 16 bits", "像素是浮点数；请存为 8 位或 16 位")
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("L" if channels == 1 else "RGB")


def _broken(error: Exception) -> UnreadableError:
    name, words = type(error).__name__, str(error) if isinstance(error, OSError) else ""
    return UnreadableError(words or f"damaged ({name})", f"无法读取：{words}" if words else f"已损坏（{name}）")
