"""Mistakes in Chinese, where the environment speaks it."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from kerasllm import cli, recipes
from kerasllm.cli.training import train
from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.run import create, files, runs_folder
from kerasllm.run.process import myself
from tests.cli.commands import Answer, end, one_line, start
from tests.cli.runs import a_run, add_epoch, write_status

Call = Callable[..., Answer]
SCORES = {"main": "rmse", "rmse": 2.0, "rows": 4}


@pytest.fixture(autouse=True)
def chinese(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The environment, and the recipes' flags forgotten that were drawn in it."""
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.delenv("LC_MESSAGES", raising=False)
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    yield
    for name in [name for name in recipes.names() if name in train]:
        del train[name]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files with something wrong in each, and the current folder."""
    monkeypatch.chdir(tmp_path)
    texts = {
        "houses.csv": "area,price\n50,100\n60,cheap\n70,140\n",
        "one.csv": "text,label\nyes,a\nno,a\n",
        "empty.csv": "",
        "points.csv": "epochs\n3\nmany\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "sheet.csv").write_bytes(b"PK\x03\x04")
    (tmp_path / "empty").mkdir()
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats" / "a").mkdir()
    (tmp_path / "cats" / "a" / "x.png").write_bytes(b"")
    cell = nbformat.v4.new_code_cell("epochs: int = 3", metadata={"tags": ["parameters"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "mine.ipynb")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("train linear_regresion", "没有配方 'linear_regresion'；是否指 'linear_regression'？"),
        ("train linear_regression --epochs 0", "epochs：'0' 必须大于或等于 1"),
        ("train linear_regression --epochs many", "epochs：'many' 必须是整数"),
        ("train text_classifier --momentum 0.5", "momentum 只用于 sgd 与 rmsprop，不用于 adam"),
        ("train linear_regression --data house.csv", "没有文件 {folder}/house.csv；是否指 'houses.csv'？"),
        ("trian", '没有命令 "trian"；是否指 train？'),
        ("train linear_regression --epoch 3", "没有选项 --epoch；是否指 --epochs？"),
        ("train linear_regression --xyz", "没有选项 --xyz"),
        (
            "train linear_regression --schedule slow",
            '--schedule 的值不能是 "slow"；可选："constant", "linear", "cosine"',
        ),
        ("train linear_regression --data", "缺少 --data 的值"),
        ("train linear_regression --epochs 1 --epochs 2", "--epochs 给出了多次"),
        ("predict", "缺少 RUN 的值"),
        ("notebook linear_regression -p epochs", "-p 需要 2 个值，只给出了 1 个"),
        ("batch linear_regression --workers many", '--workers 的值 "many" 不是整数'),
        ("train linear_regression houses.csv", "此处不能写 'houses.csv'；参数要带名称，如 --data FILE"),
        ("notebook linear_regression -p epoch 3", "没有参数 'epoch'；是否指 'epochs'？"),
        ("notebook linear_regression -p epochs 3 -p epochs 4", "epochs 给出了两次"),
        ("notebook mine.ipynb -p epochs many", "epochs：'many' 不是 int；默认值为 3"),
        ("notebook mine.ipynb -p epoch 3", "mine.ipynb：没有参数 'epoch'；是否指 'epochs'？"),
        ("card empty.csv", "empty.csv 是空的"),
        ("card sheet.csv", "sheet.csv：是 Excel 或 zip 文件；请把工作表另存为 CSV"),
        ("card one.csv --text txt", "one.csv：没有 'txt' 这一列；是否指 'text'？（由参数 'text' 指定）"),
        ("card cats", "cats：1 张图片都无法读取，例如 a/x.png：是空的"),
        ("batch linear_regression --grid epochs", "--grid epochs：请写作 名称=值,值"),
        ("batch linear_regression --table points.csv", "points.csv 第 3 行，列 'epochs'：'many' 必须是整数"),
        (
            "batch linear_regression -p data houses.csv",
            "houses.csv 第 3 行，列 'price'：'cheap' 不是数字",
        ),
        (
            "batch text_classifier -p data one.csv",
            "one.csv，列 'label'：训练用的只有 1 个类别（a）；至少需要 2 个",
        ),
        ("batch bert_classifier -p preset empty", "preset：{folder}/empty 中没有 config.json"),
        (
            "batch bert_classifier -p preset no/such",
            "preset：'no/such' 不是目录；huggingface.co 上的模型请写作 hf://no/such",
        ),
        ("predict mine", "predict：请给出行或 --file，二者之一"),
        ("stop mine", "mine 已结束：已完成"),
        ("show nothing", "{folder}/runs 中没有运行 'nothing'"),
    ],
)
def test_a_mistake_is_told_in_chinese(words: str, says: str, call: Call, folder: Path) -> None:
    run = create(LinearRegression(), name="mine")
    files.replace_json(run.path / "status.json", {"state": "completed"})
    assert one_line(call(*words.split())) == f"kerasllm: {says.format(folder=folder)}\n"


def test_a_full_disk_is_told_in_chinese(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*words: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/status.json")

    monkeypatch.setattr(cli, "list_runs", broken)
    assert "无法写入 /data/status.json：" in one_line(call("runs"))


def test_why_a_run_failed_is_told_in_chinese_where_that_is_known(call: Call) -> None:
    run = create(LinearRegression(), name="mine")
    failed = {"state": "failed", "message": "it is empty"}
    files.replace_json(run.path / "status.json", {**failed, "message_zh": "它是空的"})
    assert "linear_regression: 失败 (它是空的)\n" in call("show", "mine").out
    files.replace_json(run.path / "status.json", failed)
    assert "linear_regression: 失败 (it is empty)\n" in call("show", "mine").out


def test_a_training_is_followed_in_chinese(call: Call) -> None:
    run = a_run("mine")
    write_status(run, state="running", phase="reading the data", epochs=2, **myself())

    def train() -> None:
        add_epoch(run, 1)
        write_status(run, state="completed", phase="cell 2/5", epochs=2)

    trainer = threading.Timer(1, train)
    trainer.start()
    answer = call("watch", "mine")
    trainer.join()
    assert answer.out.splitlines() == ["读取数据", "轮 1: loss 1", "单元格 2/5", f"{run.path}: 已完成"]


def test_what_is_listed_in_chinese_stands_in_columns(call: Call) -> None:
    for name, state in (("外卖评论", "failed"), ("mine", "completed")):
        write_status(a_run(name), state=state)
        files.replace_json(runs_folder() / name / "scores.json", {"split": "test", "splits": {"test": SCORES}})
    assert call("runs").out == "mine      已完成     rmse 2\n外卖评论  失败       rmse 2\n"
    assert call("compare", "mine", "外卖评论").out.startswith("           mine  外卖评论\n状态     已完成      失败\n")


def test_a_batch_is_told_in_chinese(runs: Path) -> None:
    words = ("batch", "linear_regression", "--grid", "epochs=1,2", "--name", "both", "-p", "data", "sample:diabetes")
    first, again = (end(start(*words)).out for _ in range(2))
    assert first.startswith(f"{runs / 'batches' / 'both'}: 2 次运行\n")
    assert "2 次运行，其中 2 次已完成\n" in again
    assert first.count("  已完成  rmse ") == 2
    assert "测试集上的 rmse:\n" in first
    assert "提示: 它由测试集选出" in first
