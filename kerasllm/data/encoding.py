"""Which encoding a text file is in: by its mark, its zero bytes, else the first of UTF-8 and GB18030."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import IO

from kerasllm.errors import InputError

Opener = Callable[[], AbstractContextManager[IO[bytes]]]

SNIFFED = 1 << 16  # bytes looked at to tell UTF-16 without a mark, and what is no text
BLOCK = 1 << 20  # bytes decoded at a time
ENOUGH = 24  # bytes of good UTF-8 beyond ASCII; after them a bad byte is damage, not another encoding
PRIVATE = 0.005  # share of private characters that a true file may hold
MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
NO_TEXT = {
    b"PK\x03\x04": (
        "an Excel workbook or a zip file; save the sheet as CSV",
        "是 Excel 或 zip 文件；请把工作表另存为 CSV",
    ),
    b"\xd0\xcf\x11\xe0": ("an Excel workbook; save the sheet as CSV", "是 Excel 文件；请把工作表另存为 CSV"),
    b"\x1f\x8b": ("compressed; let its name end in .gz", "是压缩文件；名称须以 .gz 结尾"),
    b"PAR1": ("a Parquet file; let its name end in .parquet", "是 Parquet 文件；名称须以 .parquet 结尾"),
    b"\x89PNG": ("a picture, not a table", "是图片，不是表格"),
    b"\xff\xd8\xff": ("a picture, not a table", "是图片，不是表格"),
    b"%PDF": ("a PDF document, not a table", "是 PDF 文档，不是表格"),
}
HIGH = bytes(range(0x80, 0x100))
ALONE = re.compile(rb"(?<![\x80-\xff])[\x80-\xff](?![\x80-\xff])")


def encoding_of(open_bytes: Opener, name: str) -> str:
    """Tell the encoding that the whole file decodes in; a file in none raises InputError with the line.

    Args:
        open_bytes: opens the file anew at each call.
        name: the file's, for the error.
    """
    with open_bytes() as file:
        start = file.read(SNIFFED)
    if not start:
        raise InputError(f"{name} is empty", f"{name} 是空的")
    for mark, encoding in MARKS.items():
        if start.startswith(mark):
            return encoding
    for mark, (kind, zh) in NO_TEXT.items():
        if start.startswith(mark):
            raise InputError(f"{name} is {kind}", f"{name}：{zh}")
    if b"\0" in start:
        for encoding in ("utf-16-le", "utf-16-be"):
            if _reads_as(start, encoding):
                return encoding

    line, before, rest = _first_fault(open_bytes, "utf-8")
    if not line:
        return "utf-8"
    # In Latin-1 such bytes stand alone; in GB18030, GBK, GB2312 in pairs.
    latin = 2 * len(ALONE.findall(rest)) > _high(rest)
    if before < ENOUGH and not latin:
        other, _, _ = _first_fault(open_bytes, "gb18030")
        if not other and not _is_private(start):
            return "gb18030"
        line = max(line, other)
    raise InputError(
        f"{name}, line {line}: neither UTF-8, UTF-16 nor GB18030; save the file as UTF-8",
        f"{name} 第 {line} 行：不是 UTF-8、UTF-16 或 GB18030；请把文件另存为 UTF-8",
    )


def _is_private(start: bytes) -> bool:
    """Whether GB18030 finds many private characters: it decodes Big5, too, but to what nobody wrote."""
    text = start.decode("gb18030", "ignore")
    private = sum(unicodedata.category(one) == "Co" for one in text)
    return private > PRIVATE * sum(not one.isascii() for one in text)


def _reads_as(start: bytes, encoding: str) -> bool:
    """Whether the bytes decode to lines of assigned characters."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(start)
    except UnicodeDecodeError:
        return False
    characters = set(text)
    unfit = {"Cn", "Co", "Cc"}  # unassigned, private, control
    return bool(characters & {"\n", "\r"}) and not any(
        unicodedata.category(one) in unfit for one in characters - {"\n", "\r", "\t"}
    )


def _first_fault(open_bytes: Opener, encoding: str) -> tuple[int, int, bytes]:
    """The line of the first bytes that do not decode (0: none), the high bytes before it, what follows."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line, before = 1, 0
    with open_bytes() as file:
        while True:
            block = file.read(BLOCK)
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                good, rest = error.object[: error.start], error.object[error.start :]
                return line + good.count(b"\n"), before + _high(good), rest[:SNIFFED]
            if not block:
                return 0, before, b""
            line += block.count(b"\n")
            before += _high(block)


def _high(text: bytes) -> int:
    return len(text) - len(text.translate(None, HIGH))
