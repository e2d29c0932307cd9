"""A user's file, frame or arrays -> Table."""

from __future__ import annotations

import csv
import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kerasllm.data.files import fingerprint, folder_fingerprint, read
from kerasllm.errors import InputError

ROWS = "text,label\n退款什么时候到,refund\nWhere is it?,delivery\n"
COLUMNS = {"text": ["退款什么时候到", "Where is it?"], "label": ["refund", "delivery"]}


def written(folder: Path, content: str | bytes, name: str = "reviews.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def fault(source: object) -> str:
    """The error's one line."""
    with pytest.raises(InputError) as caught:
        read(source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("gb18030", "gb18030"),
        ("gbk", "gb18030"),
        ("gb2312", "gb18030"),
    ],
)
def test_every_encoding_reads_to_the_same_cells_and_is_recorded(tmp_path: Path, encoding: str, told: str) -> None:
    table = read(written(tmp_path, ROWS.encode(encoding)))
    assert table.columns == COLUMNS
    assert table.found["encoding"] == told


def test_utf_16_without_a_mark_is_told_though_chinese_has_zero_bytes_too(tmp_path: Path) -> None:
    rows = "text,label\n" + "一丁七万丈三上下不与丐丑,一\n" * 50  # 一 is U+4E00
    for encoding in ("utf-16-le", "utf-16-be"):
        table = read(written(tmp_path, rows.encode(encoding)))
        assert table.found["encoding"] == encoding
        assert table.columns["label"] == ["一"] * 50


def test_gb18030_reads_emoji_and_traditional_characters(tmp_path: Path) -> None:
    rows = "text,label\n請問幾時送到😀㐀,物流\n"
    assert read(written(tmp_path, rows.encode("gb18030"))).columns["text"] == ["請問幾時送到😀㐀"]


def test_a_bad_byte_in_a_utf_8_file_is_an_error_with_its_line_not_another_encoding(tmp_path: Path) -> None:
    good = "text,label\n" + "这是一条很长的中文评论,好\n" * 3
    path = written(tmp_path, good.encode() + b"caf\xe9t,x\n")
    assert fault(path) == "reviews.csv, line 5: neither UTF-8, UTF-16 nor GB18030; save the file as UTF-8"


def test_latin_1_is_an_error_and_never_read_as_chinese(tmp_path: Path) -> None:
    assert "line 2: neither UTF-8" in fault(written(tmp_path, "text,label\ncaféteria,x\n".encode("latin-1")))


def test_bytes_that_break_after_a_mark_are_an_error_with_a_place(tmp_path: Path) -> None:
    assert "after line" in fault(written(tmp_path, ROWS.encode("utf-16") + b"\x00"))
    assert "not utf-8-sig" in fault(written(tmp_path, ROWS.encode("utf-8-sig") + b"\xff\n"))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_told_and_recorded(tmp_path: Path, delimiter: str) -> None:
    table = read(written(tmp_path, ROWS.replace(",", delimiter)))
    assert table.columns == COLUMNS
    assert table.found["delimiter"] == delimiter


def test_a_delimiter_inside_quotes_of_the_header_does_not_count(tmp_path: Path) -> None:
    table = read(written(tmp_path, '"a; b; c; d",label\nx,y\n'))
    assert table.columns == {"a; b; c; d": ["x"], "label": ["y"]}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_end_will_do(tmp_path: Path, end: str) -> None:
    assert read(written(tmp_path, ROWS.replace("\n", end))).columns == COLUMNS


def test_lines_stay_right_after_quoted_newlines_and_blank_lines(tmp_path: Path) -> None:
    table = read(written(tmp_path, 'text,label\r\n"a\r\nb",x\r\n\r\n"say ""hi""",y\r\n'))
    assert table.columns == {"text": ["a\r\nb", 'say "hi"'], "label": ["x", "y"]}
    assert list(table.lines) == [2, 5]
    assert table.place(1, "label") == "reviews.csv, line 5, column 'label'"


def test_full_width_text_is_kept_as_written(tmp_path: Path) -> None:
    assert read(written(tmp_path, "text,n\nＡＢＣ，１２,３\n")).columns == {
        "text": ["ＡＢＣ，１２"],
        "n": ["３"],
    }


def test_a_column_without_a_name_gets_one(tmp_path: Path) -> None:
    assert list(read(written(tmp_path, ",text,\n0,a,b\n")).columns) == ["column 1", "text", "column 3"]


def test_gzip_and_parquet_hold_the_same_table(tmp_path: Path) -> None:
    packed = tmp_path / "reviews.csv.gz"
    packed.write_bytes(gzip.compress(ROWS.encode("gbk")))
    pd.DataFrame(COLUMNS).to_parquet(tmp_path / "reviews.parquet")
    assert read(packed).columns == COLUMNS
    assert read(str(tmp_path / "reviews.parquet")).columns == COLUMNS
    assert read(tmp_path / "reviews.parquet").found == {"encoding": "parquet"}
    assert read(tmp_path / "reviews.parquet").place(1) == "reviews.parquet, row 2"


def test_frames_columns_rows_and_arrays_are_the_same_table() -> None:
    rows = [dict(zip(COLUMNS, cells, strict=True)) for cells in zip(*COLUMNS.values(), strict=True)]
    for source in (pd.DataFrame(COLUMNS), COLUMNS, rows, tuple(rows), tuple(COLUMNS.values())):
        assert read(source).columns == COLUMNS
    assert read((np.array([[1, 2], [3, 4]]), np.array([5, 6]))).columns == {
        "x1": [1, 3],
        "x2": [2, 4],
        "y": [5, 6],
    }
    assert read(([1, 2], [3, 4])).columns == {"x": [1, 2], "y": [3, 4]}


def test_a_frame_and_a_series_with_any_index_are_scikit_learn_arrays_too() -> None:
    frame = pd.DataFrame({"area": [90, 80], "town": ["a", "b"]}, index=[7, 3])
    price = pd.Series([1.5, 2.5], index=[7, 3], name="price")
    assert read((frame, price)).columns == {"area": [90, 80], "town": ["a", "b"], "price": [1.5, 2.5]}
    texts = pd.Series(["a", "b"], index=[5, 6])
    assert read((texts, np.array([[1], [0]]))).columns == {"text": ["a", "b"], "label": [1, 0]}


def test_whole_numbers_stay_whole_though_pandas_made_them_floats_for_a_missing_value() -> None:
    frame = pd.DataFrame({"text": ["a", "b", "c"], "label": [1, None, 0], "share": [0.5, 1.0, None]})
    table = read(frame)
    assert [str(cell) for cell in table.columns["label"]] == ["1", "None", "0"]
    assert table.columns["share"] == [0.5, 1.0, None]
    assert read(frame.to_dict("list")).columns == table.columns
    assert read({"label": pd.Series([1, None], dtype="Int64")}).columns == {"label": [1, None]}


def test_dates_of_a_frame_become_text_and_missing_ones_none() -> None:
    frame = pd.DataFrame({"when": pd.to_datetime(["2024-05-01 10:00:00.5", None])})
    assert read(frame).columns == {"when": ["2024-05-01T10:00:00", None]}


def test_a_missing_file_names_the_nearest_one(tmp_path: Path) -> None:
    written(tmp_path, ROWS)
    assert fault(tmp_path / "review.csv") == f"no file {tmp_path / 'review.csv'}; did you mean 'reviews.csv'?"
    assert fault(tmp_path / "zzz.csv") == f"no file {tmp_path / 'zzz.csv'}"
    assert fault(tmp_path / "no" / "zzz.csv") == f"no file {tmp_path / 'no' / 'zzz.csv'}"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert fault(str(tmp_path)) == f"{tmp_path} is a folder, not a file"


def test_a_file_that_another_program_holds_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, ROWS)

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "open", refuse)
    assert "is it open in another program?" in fault(path)


PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "reviews.csv is empty"),
        (b"\n \n", "reviews.csv is empty"),
        (b"text,label\n", "reviews.csv has a header and no rows"),
        (
            b"text,label\na,b\nc\n",
            "reviews.csv, line 3: 1 cells where the header has 2; put cells that hold the ",
        ),
        (b'text,label\n"a\nb",x\nc,d,e\n', "reviews.csv, line 4: 3 cells where the header has 2"),
        (b"text,label\na,b\nc\0,d\n", "reviews.csv, line 3: a NUL byte; the file is damaged or no text"),
        (
            b'text,label\na,b\n"c,d\ne,f\n',
            "reviews.csv, line 3: unexpected end of data; a quote is not closed",
        ),
        (b'text,label\n"a" b,c\n', "reviews.csv, line 2: "),
        (b"\ntext,label,text\na,b,c\n", "reviews.csv, line 2: two columns are named 'text'; rename one"),
        (PNG, "reviews.csv is a picture, not a table"),
        (b"\x80\x81\xff\xfe\x00\x01" * 9, "reviews.csv, line 1: neither UTF-8, UTF-16 nor GB18030"),
        (b"PK\x03\x04\x14\x00", "reviews.csv is an Excel workbook or a zip file; save the sheet as CSV"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), "reviews.csv is compressed; let its name end in .gz"),
    ],
)
def test_what_is_no_table_is_told_in_one_line_with_its_place(tmp_path: Path, content: bytes, line: str) -> None:
    assert fault(written(tmp_path, content)).startswith(line)


def test_broken_archives_are_told(tmp_path: Path) -> None:
    whole = gzip.compress(os.urandom(5000).hex().encode())
    for content in (whole[:3000], whole[:20] + b"\0\0\0\0" + whole[24:], ROWS.encode()):
        assert "reviews.csv.gz: no readable gzip file: " in fault(written(tmp_path, content, "reviews.csv.gz"))
    assert fault(written(tmp_path, b"", "reviews.csv.gz")) == "reviews.csv.gz is empty"
    pd.DataFrame(COLUMNS).to_parquet(tmp_path / "good.parquet")
    good = (tmp_path / "good.parquet").read_bytes()
    for content in (good[:-9], b"PAR1", b"", good[:40] + b"\xff" * 200 + good[240:]):
        assert "a.parquet: no readable Parquet file: " in fault(written(tmp_path, content, "a.parquet"))


def test_data_in_memory_that_is_no_table_is_told() -> None:
    assert "no columns" in fault({})
    assert "no rows" in fault({"a": []})
    assert "no rows" in fault(pd.DataFrame({"a": []}))
    assert fault({"a": [1], "b": [1, 2]}) == "the data: columns differ in length: a 1, b 2"
    assert fault({"text": "hello", "label": "x"}).startswith("the data, column 'text': 'hello' is one value")
    assert fault([{"a": 1}, {"b": 1}]) == "the data, row 2: its columns differ from the first row's"
    assert fault(([[1, 2], [3]], [1, 2])) == "X has 2 rows of 2 columns and y has 2 values"
    assert fault((np.zeros((2, 2)), np.zeros((2, 2)))) == "X has 2 rows of 2 columns and y has 4 values"
    assert "shape (3,)" in fault({"a": [np.zeros(3)]})
    assert "two columns are named 'a'" in fault(pd.DataFrame([[1, 2]], columns=["a", "a"]))
    assert "two columns are named '1'" in fault(pd.DataFrame([[1, 2]], columns=[1, "1"]))
    assert fault(7) == "data must be a file, sample:NAME, DataFrame, columns, rows or (X, y), not int"


def test_a_missing_column_names_the_nearest_one() -> None:
    with pytest.raises(InputError, match=r"the data: no column 'lable'; did you mean 'label'\?"):
        read(COLUMNS).column("lable")


def test_the_process_keeps_its_own_limit_of_csv_cells(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    path = written(tmp_path, 'text,label\n"' + "长" * 300_000 + '",x\n')
    assert len(read(path).columns["text"][0]) == 300_000
    assert csv.field_size_limit() == before


def test_fingerprints_follow_the_content_and_not_the_name(tmp_path: Path) -> None:
    one, two = written(tmp_path, ROWS, "a.csv"), written(tmp_path, ROWS, "b.csv")
    assert fingerprint(one) == fingerprint(str(two)) != fingerprint(written(tmp_path, ROWS + "x,y\n", "c.csv"))
    assert fingerprint(COLUMNS) == fingerprint(pd.DataFrame(COLUMNS)) != fingerprint({**COLUMNS, "label": ["a", "b"]})
    assert fingerprint("sample:line") == fingerprint("sample:line") != fingerprint("sample:houses")


def test_a_folder_has_a_fingerprint_only_where_one_is_meant(tmp_path: Path) -> None:
    one = written(tmp_path, ROWS)
    with pytest.raises(InputError, match="is a folder, not a file"):
        fingerprint(tmp_path)
    before = folder_fingerprint(tmp_path)
    assert before == folder_fingerprint(tmp_path)
    one.rename(tmp_path / "other.csv")
    assert folder_fingerprint(tmp_path) != before


MEASURE = r"""
import re, sys
from kerasllm.data.files import read
from kerasllm.data.text import text_card
table = read(sys.argv[1])
rows = text_card(table, "text", "label")["rows"]
# Not getrusage: its peak is the parent's, where that was larger when it started this process.
print(rows, int(re.search(r"VmHWM:\s*(\d+) kB", open("/proc/self/status").read())[1]) // 1024)
"""


@pytest.mark.slow
def test_a_file_of_200_mb_is_read_and_described_in_bounded_memory(tmp_path: Path) -> None:
    lines = [f'"退款什么时候到账，我已经等了很久了 where is my parcel {number:09}",refund\n' for number in range(1000)]
    path = tmp_path / "big.csv"
    rows = 0
    with path.open("w", encoding="utf-8") as file:
        file.write("text,label\n")
        while file.tell() < 200 << 20:
            file.write("".join(lines).replace(" parcel 0000", f" parcel {rows // 1000:04}"))
            rows += 1000
    found = subprocess.run([sys.executable, "-c", MEASURE, path], capture_output=True, text=True, check=True)
    counted, megabytes = map(int, found.stdout.split())
    assert counted == rows
    # Measured 977 MB for 1.9 million rows: cells, line numbers and digests, never the file twice.
    assert megabytes < 1200


def test_big5_is_an_error_and_never_read_as_gb18030(tmp_path: Path) -> None:
    rows = "text,label\n" + "國際訂單說明，包裹什麼時候會送到？謝謝您的幫忙,物流\n" * 20
    assert "neither UTF-8, UTF-16 nor GB18030" in fault(written(tmp_path, rows.encode("big5")))


def test_what_is_no_ordinary_file_or_not_named_in_utf_8_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert fault(pipe) == f"{pipe} is no ordinary file; save it as one"
    strange = Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xbb\xb7.csv"))
    strange.write_bytes(b"text,label\na,b\n")
    assert fault(strange) == r"'b\udcbb\udcb7.csv' is a name that is not UTF-8; rename it"
