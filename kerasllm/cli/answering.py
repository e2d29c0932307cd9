"""`kerasllm predict` and `kerasllm evaluate`: a run's model on new rows."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from kerasllm.cli.report import finish, line, print_scores
from kerasllm.cli.speech import Json, RunName, Runs, argument, option
from kerasllm.errors import InputError, may_read
from kerasllm.run import Run, open_run
from kerasllm.spoken import language, said

if TYPE_CHECKING:
    from kerasllm.encoders.pictures import UnreadableError


def predict(
    run: RunName,
    /,
    *rows: Annotated[
        str,
        argument(
            "texts; or paths of pictures; or a table's rows as JSON objects, '{\"area\": 90}' for one, or bare values "
            "where there is one column. What begins with a dash stands after --",
            "文本；或图片文件的路径；或表格的行，写作 JSON 对象，如 '{\"area\": 90}'，只有一列时可直接写值。"
            "以横线开头的写在 -- 之后",
        ),
    ],
    file: Annotated[
        str,
        option(
            "CSV or Parquet file with the rows, or folder of pictures", "存放这些行的 CSV 或 Parquet 文件，或图片文件夹"
        ),
    ] = "",
    runs: Runs = "",
    json: Json = False,
) -> None:
    """Answer rows with a run's model."""
    found = open_run(run, runs)
    if bool(rows) == bool(file):
        raise InputError("predict: give rows or --file, one of both", "predict：请给出行或 --file，二者之一")
    odd: dict[str, Any] = {}
    with may_read():
        is_folder = bool(file) and Path(file).is_dir()
    if is_folder:
        answers, reasons = _predict_folder(found, Path(file))
        for path, reason in reasons.items():
            print(said(f"{path}: {reason}", f"{path}：{reason.zh}"), file=sys.stderr)
        odd = {"unreadable": [{"picture": path, "reason": str(reason)} for path, reason in reasons.items()]}
    else:
        given = _columns(file) if file else [_row(row) for row in rows]
        answers = found.predict(given)
        if notes := _unknown(found, given):
            print(*notes, sep="\n", file=sys.stderr)
            odd = {"notes": notes}
    for answer in answers:
        print(line(answer))
    finish(json, {"rows": answers, **odd})


def _columns(file: str) -> dict[str, list[Any]]:
    from kerasllm.data.files import read

    return read(file).columns


def _unknown(run: Run, rows: Any) -> list[str]:
    """What a table's rows hold that training never saw, a line per column."""
    from kerasllm import encoders
    from kerasllm.data.notes import Notes
    from kerasllm.data.table import note_unseen

    encoder, _ = encoders.load(run.path)
    notes = Notes()
    if isinstance(encoder, encoders.TableEncoder):
        note_unseen(encoder, encoder.rows(rows), notes)
    return [said(line, notes.zh[line]) for line in notes.warnings]


def _predict_folder(run: Run, folder: Path) -> tuple[list[dict[str, Any]], dict[str, UnreadableError]]:
    """The answers for a folder's pictures, and the reasons of those that cannot be read, by path."""
    from kerasllm import encoders
    from kerasllm.data.notes import Notes
    from kerasllm.data.picture_folder import walk
    from kerasllm.data.pictures import reasons

    encoder, _ = encoders.load(run.path)
    if not isinstance(encoder, encoders.PictureEncoder):
        raise InputError(
            f"{folder} is a folder, and {run.name} answers no pictures; --file names a CSV or Parquet file",
            f"{folder} 是文件夹，而 {run.name} 不回答图片；--file 应为 CSV 或 Parquet 文件",
        )
    paths = [str(path) for path, _ in walk(folder, Notes())]
    bad = reasons(paths, encoder)
    good = [path for path in paths if path not in bad]
    return [{"picture": path, **answer} for path, answer in zip(good, run.predict(good), strict=True)], bad


def evaluate(
    run: RunName,
    /,
    *,
    data: Annotated[
        str,
        option(
            "CSV or Parquet file with the rows, or folder of a picture model's classes",
            "存放这些行的 CSV 或 Parquet 文件，或图片模型的各类别文件夹",
        ),
    ],
    runs: Runs = "",
    json: Json = False,
) -> None:
    """Score a run's model on new labelled rows."""
    from kerasllm.data.card import told
    from kerasllm.data.notes import SHOWN
    from kerasllm.evaluate import flat

    found = open_run(run, runs).evaluate(data)
    scores, notes, unreadable = flat(found), found.get("notes", []), found.get("unreadable", [])
    print_scores(scores)
    for note in notes:
        print(f"  {said('note', '提示')}: {told(found, note, language())}")
    for one in unreadable[:SHOWN]:
        print(f"    {told(found, one, language())}")
    odd: dict[str, Any] = {"notes": notes} if notes else {}
    if unreadable:
        odd["unreadable"] = {"count": len(unreadable), "first": unreadable[:SHOWN]}
    finish(json, {"scores": scores, **odd})


def _row(text: str) -> Any:
    """A row given on the command line: a JSON object, or else the text itself."""
    try:
        row = json.loads(text)
    except json.JSONDecodeError:
        return text
    return row if isinstance(row, dict) else text
