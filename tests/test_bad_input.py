"""Bad input, as a user meets it: one clear line, exit code 2, and nothing lost."""

from __future__ import annotations

import errno
import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasllm.cli import main
from kerasllm.errors import InputError
from kerasllm.recipes.image_classifier import ImageClassifier
from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.run import Run, create, files
from tests.cli.commands import Answer, end, one_line, start, users

slow = pytest.mark.slow
Train = Callable[..., str]


@pytest.fixture
def complaint(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, runs: Path) -> Train:
    """The line that `kerasllm train` ends with; a run that was made must have failed with the same line."""
    monkeypatch.chdir(tmp_path)
    create(LinearRegression(), name="earlier")

    def train(recipe: str, *flags: str) -> str:
        with pytest.raises(SystemExit) as left:
            main(["train", recipe, *flags, "--name", "mine"])
        line = one_line(Answer(left.value.code, *capsys.readouterr()))  # type: ignore[arg-type]
        assert {path.name for path in runs.iterdir()} <= {"earlier", "mine"}
        assert Run(runs / "earlier").state == "queued"
        if (runs / "mine").exists():
            assert Run(runs / "mine").state == "failed"
            assert line == f"kerasllm: {Run(runs / 'mine').status['message']}\n"
        return line

    return train


TEXTS = "".join(f"good {place},yes\nbad {place},no\n" for place in range(20))
HOUSES = "".join(f"{50 + place},{place % 7},{100 + 3 * place}\n" for place in range(30))


@pytest.mark.parametrize(
    ("recipe", "content", "says"),
    [
        ("text_classifier", "", "data.csv is empty"),
        ("text_classifier", "text,label\n", "data.csv has a header and no rows"),
        ("text_classifier", "text,label\nwell,yes\nso,so,no\n", "data.csv, line 3: 3 cells where the header has 2"),
        ("text_classifier", 'text,label\nwell,yes\n"so\nso\nno\n', "data.csv, line 3: "),
        ("text_classifier", "text,label\nwell,yes\nb\0d,no\n", "data.csv, line 3: a NUL byte"),
        ("text_classifier", "text,text\nwell,yes\n", "data.csv, line 1: two columns are named 'text'"),
        ("text_classifier", "txt,label\n" + TEXTS, "no column 'text'; did you mean 'txt'"),
        ("text_classifier", "text,label\n" + TEXTS.replace("no", "yes"), "column 'label': 1 class to train on (yes)"),
        ("text_classifier", "text,label\nwell,\nbad,\n", "no row has both a text in 'text' and a label in 'label'"),
        ("text_classifier", b"text,label\ncaf\xe9 noir,yes\nth\xe9 vert,no\n", "save the file as UTF-8"),
        ("text_classifier", b"PK\x03\x04\x14\0", "an Excel workbook or a zip file; save the sheet as CSV"),
        ("text_classifier", gzip.compress(b"text,label\n", mtime=0), "let its name end in .gz"),
        ("lstm_text", "text\nshort\n", "5 characters to train on; at least 200 are needed"),
        ("lstm_text", "poem\nlong\n", "data.csv: no column 'text'; there are: poem"),
        ("linear_regression", "area,price\n50,100\n60,cheap\n", "line 3, column 'price': 'cheap' is not a number"),
        ("linear_regression", "area,price\n50,100\n", "there is nothing to learn"),
        ("linear_regression", "area,price\n50,100\n60,\n", "there is nothing to learn"),
        ("linear_regression", "area,price\n50,\n60,\n", "column 'price': no row holds a number"),
        ("linear_regression", "area,price\n" + "50,100\n60,100\n" * 20, "every row holds 100; there is nothing"),
        ("linear_regression", "id,price\n" + "".join(f"{n},1{n}\n" for n in "1234"), "no usable column"),
        ("linear_regression", "price\n1\n2\n3\n", "no usable column beside 'price'"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used(
    recipe: str, content: str | bytes, says: str, complaint: Train, tmp_path: Path
) -> None:
    (tmp_path / "data.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    line = complaint(recipe, "--data", "data.csv")
    assert says in line
    assert "data.csv" in line


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ("--data hauses.csv", "no file {folder}/hauses.csv; did you mean 'houses.csv'?"),
        ("--data .", "is a folder, not a file"),
        ("--test ..", "is a folder, not a file"),
        ("--data=", "data: name a CSV (.gz too) or Parquet file, or sample:NAME"),
        ("--data sample:huoses", "no sample 'huoses'; did you mean 'houses'?"),
        ("--data houses.csv --target prise", "houses.csv: no column 'prise'; did you mean 'price'?"),
        ("--data houses.csv --drop aera", "drop: houses.csv has no column 'aera'; did you mean 'area'?"),
        ("--data houses.csv --numeric price", "numeric: 'price' is the target"),
        ("--data houses.csv --test missing.csv", "missing.csv"),
        ("--data houses.csv --test 1.5", "test: 1.5 is not a share of the rows: 0 or more and below 1"),
        ("--data houses.csv --test 0.6 --validation 0.5", "leave nothing to train on"),
        ("--data houses.csv --early-stopping 3", "early_stopping needs validation rows to look at"),
        ("--data houses.csv --batch-size 0", "batch_size: '0' must be 1 or more"),
        ("--data houses.csv --momentum 0.5 --optimizer adam", "momentum is for sgd and rmsprop, not adam"),
        ("--data houses.csv --runs houses.csv", "houses.csv"),
        ("--data houses.csv --runs /proc/nowhere", "cannot write runs to /proc/nowhere"),
    ],
)
def test_a_parameter_that_cannot_be_used(flags: str, says: str, complaint: Train, tmp_path: Path) -> None:
    (tmp_path / "houses.csv").write_text("area,rooms,price\n" + HOUSES)
    assert says.format(folder=tmp_path) in complaint("linear_regression", *flags.split())


@pytest.mark.parametrize(
    "words",
    [
        "train linear_regression --data {closed}",
        "train linear_regression --data sample:houses --test {closed}",
        "train image_classifier --data {closed}",
        "train bert_classifier --preset {closed}",
        "notebook {closed}.ipynb",
        "card {closed}",
        "predict earlier --file {closed}",
        "show {closed}",
        "runs --runs {closed}",
    ],
)
def test_what_the_system_does_not_let_us_look_at_may_not_be_read(
    words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of a file in a folder that is closed to the user the system does not even tell whether it is there."""
    closed = tmp_path / "closed" / "file"
    create(LinearRegression(), name="earlier")
    look = Path.stat

    def refuse(path: Path, **more: Any) -> Any:
        if path.absolute().is_relative_to(closed.parent):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return look(path, **more)

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(SystemExit) as left:
        main(words.format(closed=closed).split())
    line = one_line(Answer(left.value.code, *capsys.readouterr()))  # type: ignore[arg-type]
    assert line.startswith(f"kerasllm: {closed}")
    assert line.endswith(" may not be read: Permission denied\n")


def test_a_hint_needs_no_right_to_list_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(path: Path) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(InputError, match=r"no file .*gone\.csv$"):
        LinearRegression(data=str(tmp_path / "gone.csv")).fingerprints()
    with pytest.raises(InputError, match=r"no folder .*gone$"):
        ImageClassifier(data=str(tmp_path / "gone")).fingerprints()


def test_rows_without_a_label_are_left_out_and_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data.csv").write_text("text,label\n" + TEXTS + "lost,\n,no\n")
    with pytest.raises(SystemExit):
        main(["card", str(tmp_path / "data.csv"), "--json"])
    card = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert card["dropped"] == {"no label in 'label'": 1, "no text in 'text'": 1}


def healthy(run: Run) -> None:
    """Every file of a run can be read, and none is half written."""
    for path in run.path.rglob("*"):
        assert not path.name.startswith(files.TEMPORARY)
        if path.suffix == ".json":
            json.loads(path.read_text("utf-8"))
    assert [line["epoch"] for line in run.epochs] == list(range(1, len(run.epochs) + 1))
    assert not (run.path / "scores.json").exists()


@slow
@pytest.mark.parametrize("limit", [3_000, 12_000], ids=["the curve does not fit", "the model does not fit"])
def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_room(limit: int, runs: Path) -> None:
    """No file may grow beyond a limit: what the system then says is what it says of a full disk."""
    flags = ["linear_regression", "--data", "sample:line", "--epochs", "40", "--name", "mine"]
    code = (
        f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        f"from kerasllm.cli import main; main({['train', *flags]})"
    )
    answer = end(
        subprocess.Popen(
            [sys.executable, "-c", code], env=users(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    )
    assert "File too large" in one_line(answer)
    run = Run(runs / "mine")
    assert run.state == "failed"
    assert "File too large" in run.status["message"]
    healthy(run)
    assert run.resume().state == "completed"
    whole = LinearRegression(data="sample:line", epochs=40).train(name="whole")
    assert run.report["weights"] == whole.report["weights"]
    assert [line["epoch"] for line in run.epochs] == list(range(1, 41))


@slow
def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_weights(runs: Path) -> None:
    steep = ["--learning-rate", "10", "--batch-size", "64", "--schedule", "constant"]
    flags = ["--data", "sample:diabetes", *steep, "--name", "mine"]
    line = one_line(end(start("train", "linear_regression", *flags)))
    assert "in epoch " in line
    assert "the learning rate 10 is probably too high" in line
    run = Run(runs / "mine")
    assert run.state == "failed"
    assert line == f"kerasllm: {run.status['message']}\n"
    assert all(np.isfinite(weight).all() for weight in run.model.get_weights())
    row = {name: cells[:1] for name, cells in run.recipe.read().train.features.items()}
    assert np.isfinite(next(iter(run.predict(row)[0].values())))


@slow
def test_a_device_that_is_not_there_is_one_line(complaint: Train) -> None:
    import keras

    if any(name.startswith("gpu") for name in keras.distribution.list_devices()):
        pytest.skip("this machine has a GPU")
    assert "device: no GPU that " in complaint("linear_regression", "--device", "gpu")
