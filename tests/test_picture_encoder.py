"""Pictures of every kind become pixels, or say why not."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kerasllm.encoders import PictureEncoder, load
from kerasllm.encoders import pictures as module
from kerasllm.encoders.pictures import UnreadableError, is_grey, opened, upright_size
from kerasllm.errors import InputError

RED, WHITE, BLACK = (255, 0, 0), (255, 255, 255), (0, 0, 0)


def halves(width: int = 40, height: int = 20, mode: str = "RGB") -> Image.Image:
    """Red on the left, black on the right."""
    image = Image.new("RGB", (width, height), BLACK)
    image.paste(RED, (0, 0, width // 2, height))
    return image.convert(mode)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def pixels(picture: Any, size: int = 8, channels: int = 3, fit: Any = "stretch") -> np.ndarray:
    return PictureEncoder(size, channels, fit).pixels(picture)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("WEBP", {"lossless": True}), ("BMP", {}), ("TIFF", {}), ("GIF", {}), ("PPM", {})],
)
def test_every_format_gives_the_same_pixels(kind: str, options: dict[str, Any]) -> None:
    assert (pixels(saved(halves(), kind, **options)) == pixels(halves())).all()


def test_a_jpeg_gives_nearly_the_same_pixels() -> None:
    assert abs(pixels(saved(halves(), "JPEG", quality=95)).astype(int) - pixels(halves())).max() < 40


def test_path_bytes_image_and_array_are_one_picture(tmp_path: Path) -> None:
    path = tmp_path / "猫 咪.png"
    halves().save(path)
    given = [str(path), path, path.read_bytes(), Image.open(path), np.asarray(halves())]
    found = PictureEncoder(8, 3).encode(given)["pixels"]
    assert found.shape == (5, 8, 8, 3)
    assert found.dtype == "uint8"
    assert (found == found[0]).all()


@pytest.mark.parametrize("turn", range(1, 9))
def test_the_turn_that_a_camera_noted_is_undone(turn: int) -> None:
    upright = Image.fromarray(np.arange(6 * 4 * 3, dtype="uint8").reshape(6, 4, 3))
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's transposition that makes the camera's picture
    stored = upright.transpose(Image.Transpose(back[turn])) if turn > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = turn
    picture = saved(stored, "PNG", exif=exif)
    assert upright_size(opened(picture)) == (4, 6)
    assert (pixels(picture, 6) == pixels(upright, 6)).all()


def test_transparent_is_white() -> None:
    image = halves(mode="RGBA")
    image.paste((0, 255, 0, 0), (0, 0, 20, 20))
    for kind in ("PNG", "WEBP"):
        found = pixels(saved(image, kind, lossless=True) if kind == "WEBP" else saved(image, kind))
        assert found[0, 0].tolist() == [255, 255, 255]
        assert found[0, -1].tolist() == [0, 0, 0]
    half = Image.new("LA", (4, 4), (0, 128))
    assert pixels(half, 4, 1)[0, 0, 0] == 127
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([10, 20, 30])
    assert pixels(saved(palette, "PNG"), 4)[0, 0].tolist() == [10, 20, 30]
    assert pixels(saved(palette, "PNG", transparency=0), 4)[0, 0].tolist() == [255, 255, 255]


def test_grey_becomes_rgb_and_colour_grey() -> None:
    grey = Image.new("L", (4, 4), 100)
    assert is_grey(opened(saved(grey, "PNG")))
    assert not is_grey(opened(saved(halves(), "PNG")))
    assert pixels(grey, 4)[0, 0].tolist() == [100, 100, 100]
    assert pixels(halves(), 4, 1).shape == (4, 4, 1)
    assert pixels(halves(), 4, 1)[0, 0, 0] == 76  # 0.299 of red
    assert pixels(Image.new("1", (4, 4), 1), 4)[0, 0].tolist() == [255, 255, 255]


def test_cmyk_becomes_rgb() -> None:
    cyan = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    for picture in (cyan, saved(cyan, "TIFF"), saved(cyan, "JPEG", quality=100)):
        assert abs(pixels(picture)[0, 0].astype(int) - [0, 255, 255]).max() < 6


def test_sixteen_bits_are_scaled_and_not_cut_off() -> None:
    deep = Image.fromarray(np.full((4, 4), 40_000, "uint16"))
    found = opened(saved(deep, "PNG"))
    assert is_grey(found)
    assert pixels(found, 4, 1)[0, 0, 0] == 40_000 // 257
    assert pixels(saved(deep, "TIFF"), 4)[0, 0].tolist() == [40_000 // 257] * 3


def test_the_first_frame_of_a_moving_picture_counts() -> None:
    frames = [Image.new("RGB", (4, 4), RED), Image.new("RGB", (4, 4), BLACK)]
    for kind in ("GIF", "WEBP"):
        moving = saved(frames[0], kind, save_all=True, append_images=frames[1:])
        assert pixels(moving, 4)[0, 0, 0] > 240


def test_a_square_is_cropped_padded_or_stretched() -> None:
    wide = Image.new("RGB", (80, 20), BLACK)
    wide.paste(RED, (30, 0, 50, 20))
    assert (pixels(wide, 20, fit="crop") == RED).all()
    padded = pixels(wide, 20, fit="pad")
    assert (padded[0] == WHITE).all()
    assert (padded[10, 0] == BLACK).all()
    stretched = pixels(wide, 20, fit="stretch")
    assert (stretched[:, 0] == BLACK).all()
    assert (stretched[:, 10] == RED).all()


def test_a_picture_of_the_right_size_is_left_as_it_is() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), "uint8")
    for fit in ("crop", "pad", "stretch"):
        assert (pixels(noise, 32, fit=fit) == noise).all()


def bomb(side: int) -> bytes:
    """A small PNG that says it is large."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(10_000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [9_500, 20_000, 60_000])
def test_a_decompression_bomb_is_refused_before_it_is_unpacked(side: int) -> None:
    with pytest.raises(InputError, match=r"^row 1: .*decompression bomb"):
        PictureEncoder(8, 3).encode([bomb(side)])


@pytest.mark.parametrize(
    ("picture", "why"),
    [
        (b"", "^empty$"),
        (b"no picture at all", "^no picture, or none of BMP, GIF"),
        (saved(halves(), "JPEG")[:-100], "truncated"),
        (saved(halves(400, 400), "PNG")[:-60], "truncated|damaged"),
        (saved(halves(), "WEBP")[:60], "."),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture, or none of"),
        (Image.fromarray(np.zeros((4, 4), "float32")), "its pixels are floats"),
        (np.zeros((4, 4, 3)), "an array of float64; give uint8"),
        (np.zeros((4, 4, 2), "uint8"), r"an array of shape \(4, 4, 2\)"),
        (np.zeros((0, 4, 3), "uint8"), r"an array of shape \(0, 4, 3\)"),
        (3, "int is no path, bytes, Pillow image or array"),
    ],
)
def test_what_cannot_be_read_says_why(picture: Any, why: str) -> None:
    with pytest.raises(UnreadableError, match=why):
        pixels(picture)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    encoder = PictureEncoder(8, 3)
    for given, says in [
        (tmp_path / "a.jpg", "a.jpg: empty"),
        (tmp_path / "b.jpg", "b.jpg: no such file"),
        (tmp_path, ": a folder; name the pictures in it"),
    ]:
        with pytest.raises(InputError, match=says):
            encoder.encode([given])


def test_a_picture_with_another_formats_name_is_read(tmp_path: Path) -> None:
    halves().save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert (pixels(tmp_path / "a.jpg") == pixels(halves())).all()


def test_a_large_jpeg_shrinks_to_nearly_the_same_pixels_as_whole() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (12, 12, 3), "uint8")
    large = Image.fromarray(noise).resize((1200, 1200), Image.Resampling.BICUBIC)
    found = pixels(saved(large, "JPEG", quality=95), 16).astype(int)
    assert abs(found - pixels(large, 16)).max() < 12


def test_the_callers_own_picture_stays_as_large_as_it_is(tmp_path: Path) -> None:
    Image.new("RGB", (800, 800), RED).save(tmp_path / "a.jpg")
    image = Image.open(tmp_path / "a.jpg")
    pixels(image)
    assert image.size == (800, 800)


def test_rows_come_in_many_forms() -> None:
    encoder = PictureEncoder(8, 3)
    array = np.zeros((5, 6, 6, 3), "uint8")
    assert len(encoder.rows(array)) == 5
    assert len(encoder.rows(array[0])) == len(encoder.rows(array[0, ..., 0])) == 1
    assert len(encoder.rows(array[..., 0])) == 5
    assert encoder.rows("a.jpg") == encoder.rows(["a.jpg"]) == encoder.rows({"picture": ["a.jpg"]}) == ["a.jpg"]
    assert encoder.rows([{"picture": "a.jpg"}]) == ["a.jpg"]
    assert encoder.rows([]) == []
    assert encoder.encode([])["pixels"].shape == (0, 8, 8, 3)
    with pytest.raises(InputError, match=r"^no column 'picture'; did you mean 'pictures'"):
        encoder.rows({"pictures": ["a.jpg"]})


def test_many_pictures_lie_in_a_file_that_goes_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    given = list(np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3), "uint8"))
    encoder = PictureEncoder(8, 3)
    inside = encoder.encode(given)["pixels"]
    monkeypatch.setattr(module, "MEMORY", 1000)
    monkeypatch.setattr(module, "CHUNK", 7)
    outside = encoder.encode(given)["pixels"]
    assert isinstance(outside, np.memmap)
    assert not isinstance(inside, np.memmap)
    assert (inside == outside).all()


def test_the_encoder_comes_back_from_its_file(tmp_path: Path) -> None:
    for name, text in (PictureEncoder(24, 1, "pad").files() | {"labels.json": '["a", "b"]'}).items():
        (tmp_path / name).write_text(text)
    encoder, labels = load(tmp_path)
    assert vars(encoder) == {"size": 24, "channels": 1, "fit": "pad"}
    assert labels.names == ["a", "b"]
