"""The form: drawn from the recipe, and each mistake named at its field."""

from __future__ import annotations

import errno
import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kerasllm_widgets import form

from kerasllm import recipes
from kerasllm.data import picture_folder
from kerasllm.errors import InputError
from kerasllm.parameters import with_default
from kerasllm.recipes.bert_classifier import BertClassifier
from kerasllm.recipes.image_classifier import ImageClassifier
from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.recipes.lstm_text import LstmText
from kerasllm.recipes.text_classifier import TextClassifier
from tests.widgets.pages import run_view


@pytest.mark.parametrize("name", recipes.names())
def test_every_parameter_is_drawn_once_with_help_in_two_languages(name: str) -> None:
    recipe = recipes.find(name)
    fields = [field for group in form.schema(recipe)["groups"] for field in group["fields"]]
    assert sorted(field["name"] for field in fields) == sorted(recipe.model_fields)
    assert all(field["help"]["en"] and field["help"]["zh"] for field in fields)
    assert all(field["choices"] if field["type"] == "choice" else not field["choices"] for field in fields)


def test_a_unit_is_told_in_the_viewers_language() -> None:
    fields = {field["name"]: field for group in form.schema(LinearRegression)["groups"] for field in group["fields"]}
    page = f"""
    const model = new Model({{}});
    for (const one of {json.dumps([fields["batch_size"], fields["epochs"]])})
      console.log(field(one, model).element.all((part) => part.tag === "label")[0].text);
    """
    assert run_view("form.js", page) == ["batch_size rows · 1..1000000", "epochs 1..100000"]
    assert run_view("form.js", page, "zh") == ["batch_size 行 · 1..1000000", "epochs 1..100000"]


@pytest.mark.parametrize("name", recipes.names())
def test_the_defaults_are_no_mistake(name: str) -> None:
    recipe = recipes.find(name)
    defaults = {one: str(field.get_default()) for one, field in recipe.model_fields.items()}
    assert form.mistakes(recipe, defaults) == {}


@pytest.mark.parametrize(
    ("name", "value", "english", "chinese"),
    [
        ("epochs", "ten", "must be a whole number", "必须是整数"),
        ("epochs", "2.5", "must be a whole number", "必须是整数"),
        ("epochs", "", "is needed", "不能为空"),
        ("epochs", "-1", "must be 0 or more", "必须大于或等于 0"),
        ("learning_rate", "0", "must be greater than 0", "必须大于 0"),
        ("learning_rate", "nan", "must be a finite number", "必须是有限的数"),
        ("dropout", "1", "must be less than 1", "必须小于 1"),
        (
            "schedule",
            "up",
            "must be one of 'constant', 'linear' or 'cosine'",
            "必须是其中之一：'constant', 'linear' 或 'cosine'",
        ),
    ],
)
def test_a_wrong_value_is_named_at_its_parameter(name: str, value: str, english: str, chinese: str) -> None:
    found = form.mistakes(TextClassifier, {name: value})
    assert list(found) == [name]
    assert found[name] == {"en": english, "zh": chinese}


def test_what_concerns_several_parameters_is_told_too() -> None:
    found = form.mistakes(TextClassifier, {"early_stopping": "2"})
    assert "validation=0.1" in found[""]["en"]
    assert found[""]["zh"] == "early_stopping 要看验证数据：请设 validation=0.1"


def test_a_column_that_the_file_lacks_is_named_with_the_nearest() -> None:
    found = form.places(TextClassifier, {"label": "lable", "text": "text"}, ["text", "label"])
    assert list(found) == ["label"]
    assert "did you mean 'label'" in found["label"]["en"]
    assert found["label"]["zh"] == "文件没有 'lable' 这一列；是否指 'label'？"
    found = form.places(LinearRegression, {"drop": "area, colour"}, ["area", "price"])
    assert "'colour'" in found["drop"]["en"]


def test_a_share_out_of_bounds_and_a_missing_file_are_named() -> None:
    found = form.places(TextClassifier, {"validation": "1.5", "test": "nix.csv"}, None)
    assert "1.5 is not a share" in found["validation"]["en"]
    assert "neither a share" in found["test"]["en"]
    assert found["test"]["zh"] == "'nix.csv' 既不是 0.2 这样的比例，也不是文件"


def test_shares_that_leave_nothing_to_train_on_are_named_at_both() -> None:
    found = form.places(TextClassifier, {"validation": "0.6", "test": "0.6"}, None)
    assert list(found) == ["validation", "test"]
    assert found["test"] == {
        "en": "validation 0.6 and test 0.6 leave nothing to train on",
        "zh": "validation 0.6、test 0.6 没有留下可供训练的数据",
    }
    assert form.places(TextClassifier, {"validation": "0.4", "test": "0.5"}, None) == {}


def test_a_preset_that_is_neither_a_folder_nor_a_name_is_named(tmp_path: Path) -> None:
    found = form.places(BertClassifier, {"preset": "no/such"}, None)["preset"]
    assert found["en"] == "'no/such' is no folder; for one of huggingface.co write hf://no/such"
    for well in ("", "hf://no/such", "bert_tiny_en_uncased", str(tmp_path)):
        assert form.places(BertClassifier, {"preset": well}, None) == {}


@pytest.mark.parametrize("parameter", ["preset", "data", "test"])
def test_what_lies_in_a_closed_folder_is_named_and_not_raised(
    parameter: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    closed = tmp_path / "closed" / "folder"
    look = Path.stat

    def refuse(path: Path, **more: Any) -> Any:
        if path.is_relative_to(closed.parent):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return look(path, **more)

    monkeypatch.setattr(Path, "stat", refuse)
    if parameter == "data":
        said = form.preview(BertClassifier, str(closed))["error"]
    else:
        said = form.places(BertClassifier, {parameter: str(closed)}, None)[parameter]
    assert said == {
        "en": f"{closed} may not be read: Permission denied",
        "zh": f"无法读取 {closed}：Permission denied",
    }


def test_data_of_another_kind_is_refused_while_it_is_typed(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat" / "1.png").touch()
    flat, table = str(tmp_path / "flat"), str(tmp_path / "table.csv")
    for recipe, source, words in (
        (ImageClassifier, "sample:nope", "no sample 'nope'"),
        (ImageClassifier, "sample:houses", "there are: sample:digits"),
        (ImageClassifier, table, "is a file; pictures are given as a folder"),
        (ImageClassifier, flat, "holds 1 pictures and no folders of classes"),
        (ImageClassifier, flat + "s", "did you mean 'flat'"),
        (LstmText, flat, "is a folder, not a file"),
        (TextClassifier, "sample:digits", "there are: sample:messages"),
    ):
        error = form.preview(recipe, source)["error"]
        assert words in error["en"]
        assert error["zh"] != error["en"]
    assert "is a file" in form.places(ImageClassifier, {"test": table}, None)["test"]["en"]
    assert form.preview(ImageClassifier, "sample:digits")["error"] == {}


def test_what_is_suggested_is_what_the_recipe_learns_from(tmp_path: Path) -> None:
    for name in ("table.csv", "more.CSV.gz", "verse.txt", "prose.md.gz", "notes.ipynb", ".hidden.csv"):
        (tmp_path / name).touch()
    (tmp_path / "pets" / "cats").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    assert form.files_nearby(tmp_path, ImageClassifier) == ["sample:digits", "pets"]
    assert form.files_nearby(tmp_path, TextClassifier) == ["sample:messages", "more.CSV.gz", "table.csv"]
    assert form.files_nearby(tmp_path, LstmText)[2:] == ["more.CSV.gz", "prose.md.gz", "table.csv", "verse.txt"]
    assert form.samples(LstmText) == ["sample:messages", "sample:manual"]
    assert form.samples(LinearRegression) == ["sample:line", "sample:houses", "sample:diabetes"]


def test_a_recipe_without_a_sample_of_its_own_is_offered_what_it_takes(tmp_path: Path) -> None:
    class Albums(ImageClassifier):
        data: str = with_default(ImageClassifier, "data", "")

    (tmp_path / "table.csv").touch()
    (tmp_path / "pets" / "cats").mkdir(parents=True)
    assert form.files_nearby(tmp_path, Albums) == ["sample:digits", "pets"]
    assert "is a file" in form.preview(Albums, str(tmp_path / "table.csv"))["error"]["en"]


@pytest.mark.parametrize("name", ["poems.txt", "poems.log", "poems.txt.gz"])
def test_a_file_is_shown_as_the_run_reads_it(name: str, tmp_path: Path) -> None:
    poems = "night, and\nthe, many, lamps\nrain\n"
    (tmp_path / name).write_bytes(gzip.compress(poems.encode()) if name.endswith(".gz") else poems.encode())
    file = str(tmp_path / name)
    shown = form.preview(LstmText, file)
    assert (shown["error"], shown["columns"]) == ({}, [name])
    assert shown["rows"] == [["night, and"], ["the, many, lamps"], ["rain"]]
    assert "line 2: 3 cells where the header has 2" in form.preview(TextClassifier, file)["error"]["en"]
    with pytest.raises(InputError, match="characters to train on"):
        LstmText(data=file).read()
    with pytest.raises(InputError, match="line 2: 3 cells where the header has 2"):
        TextClassifier(data=file).read()


def test_the_first_rows_are_shown_and_markup_stays_text(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("text,<b>label</b>\n" + "".join(f"<script>{n}</script>,x\n" for n in range(50)))
    found = form.preview(TextClassifier, str(file))
    assert found["columns"] == ["text", "<b>label</b>"]
    assert len(found["rows"]) == form.ROWS
    assert found["rows"][0] == ["<script>0</script>", "x"]
    assert found["count"] == 50


def test_a_missing_file_and_a_broken_one_are_told_in_a_line(tmp_path: Path) -> None:
    assert form.preview(TextClassifier, str(tmp_path / "nix.csv"))["error"]["en"].startswith("no file")
    assert form.preview(TextClassifier, "nix.csv")["error"]["zh"] == "没有文件 nix.csv"
    (tmp_path / "b.csv").write_text("a,b\n1,2,3\n")
    assert "line 2" in form.preview(TextClassifier, str(tmp_path / "b.csv"))["error"]["en"]


def test_a_stamp_tells_a_file_or_a_folder_from_what_it_was(tmp_path: Path) -> None:
    file, folder = tmp_path / "a.csv", tmp_path / "pets"
    (folder / "cats").mkdir(parents=True)
    stamps = [form.stamp(str(file)), form.stamp(str(folder))]
    file.write_text("a,b\n1,2\n")
    (folder / "cats" / "1.png").touch()
    now = [form.stamp(str(file)), form.stamp(str(folder))]
    assert all(one != two for one, two in zip(stamps, now, strict=True))
    assert now == [form.stamp(str(file)), form.stamp(str(folder))]
    assert form.stamp("sample:line") == form.stamp("no\0file") is None


def test_a_folder_and_a_text_can_be_looked_at(tmp_path: Path) -> None:
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats" / "1.png").touch()
    assert form.preview(ImageClassifier, str(tmp_path))["rows"] == [["cats", "1"]]
    (tmp_path / "verse.txt").write_text("one\ntwo\n")
    assert form.preview(LstmText, str(tmp_path / "verse.txt"))["rows"] == [["one"], ["two"]]


def test_a_form_imports_no_keras_and_no_widgets() -> None:
    heavy = "{'keras', 'tensorflow', 'pandas', 'ipywidgets', 'anywidget'}"
    code = (
        "from kerasllm import recipes; from kerasllm_widgets import form\n"
        "[form.schema(recipes.find(name)) for name in recipes.names()]\n"
        f"import sys; print(sorted({heavy} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], text=True, capture_output=True).stdout.strip() == "[]"


def test_a_folder_of_folders_is_not_walked_while_one_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cats/1.png", "dogs/deep/2.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    monkeypatch.setattr(picture_folder, "walk", None)
    preview = form.preview(ImageClassifier, str(tmp_path))
    assert (preview["rows"], preview["error"]) == ([["cats", "1"], ["dogs", "1"]], {})


def test_of_a_wide_table_some_columns_are_shown_and_all_are_offered(tmp_path: Path) -> None:
    names = [f"gene{place}" for place in range(200)]
    (tmp_path / "wide.csv").write_text(",".join(names) + "\n" + ",".join("1" * 200) + "\n")
    preview = form.preview(LinearRegression, str(tmp_path / "wide.csv"))
    assert (preview["columns"], preview["rows"]) == (names, [["1"] * form.COLUMNS])
    page = f"""
    const model = new Model({{ preview: {json.dumps(preview)} }});
    const cells = (tag) => firstRows(model).element.all((one) => one.tag === tag).map((one) => one.text);
    console.log(cells("th").length, cells("th").at(-1), cells("td").length);
    """
    assert run_view("form.js", page) == [f"{form.COLUMNS + 1} … {form.COLUMNS + 1}"]


@pytest.mark.parametrize(("language", "head"), [("en", "files"), ("zh", "文件数")])
def test_a_folders_files_are_counted_in_the_pages_language(language: str, head: str, tmp_path: Path) -> None:
    (tmp_path / "cats").mkdir()
    preview = form.preview(ImageClassifier, str(tmp_path))
    page = f"""
    const model = new Model({{ preview: {json.dumps(preview)} }});
    console.log(firstRows(model).element.all((one) => one.tag === "th").at(-1).text);
    """
    assert run_view("form.js", page, language) == [head]
