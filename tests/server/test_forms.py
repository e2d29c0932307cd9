"""The forms that Lab asks for: what they offer of a file, what they refuse before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kerasllm_widgets.server.forms import Elsewhere, Filled, form_for, reserve_training
from PIL import Image
from tornado.web import HTTPError

from kerasllm import recipes
from kerasllm.data.look import kind
from kerasllm.errors import InputError
from kerasllm.recipe import Recipe
from kerasllm.run import create, files
from tests.lab.server import Server

MESSAGES = "id,message,intent\n" + "".join(
    f"{n},where is my parcel {n}?,{'ask' if n % 2 else 'tell'}\n" for n in range(9)
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A server's root with a table, a text and a folder."""
    place = tmp_path / "root"
    (place / "pictures").mkdir(parents=True)
    (place / "messages.csv").write_text(MESSAGES)
    (place / "verse.txt").write_text("one, two\nthree\n")
    return place


def offered(path: Path) -> list[str]:
    return [name for name in recipes.names() if kind(path) in recipes.find(name).takes]


def test_only_recipes_that_take_such_a_file_are_offered(root: Path) -> None:
    assert offered(root / "messages.csv") == ["bert_classifier", "linear_regression", "lstm_text", "text_classifier"]
    assert offered(root / "verse.txt") == ["lstm_text"]
    assert offered(root / "pictures") == ["image_classifier"]


@pytest.mark.parametrize("recipe", ["text_classifier", "bert_classifier"])
def test_a_files_columns_are_offered_and_the_likely_ones_chosen(recipe: str, root: Path) -> None:
    form = form_for(recipes.find(recipe), root / "messages.csv", "en")
    assert form["values"] == {"data": "messages.csv", "text": "message", "label": "intent"}
    for name in ("text", "label"):
        assert form["schema"]["properties"][name]["enum"] == ["id", "message", "intent"]


def test_a_column_that_may_be_left_empty_stays_so_and_one_of_the_wanted_name_is_taken(root: Path) -> None:
    target = form_for(recipes.find("linear_regression"), root / "messages.csv", "en")
    assert target["schema"]["properties"]["target"]["enum"] == ["", "id", "message", "intent"]
    assert target["values"] == {"data": "messages.csv"}
    (root / "named.csv").write_text("label,a long one,text\nx,yyyyyyyyyyyy,z\n")
    named = form_for(recipes.find("text_classifier"), root / "named.csv", "en")
    assert named["values"] == {"data": "named.csv", "text": "text", "label": "label"}


def test_a_plain_text_and_a_folder_have_no_columns(root: Path) -> None:
    for recipe, name in (("lstm_text", "verse.txt"), ("image_classifier", "pictures")):
        form = form_for(recipes.find(recipe), root / name, "en")
        assert form["values"] == {"data": name}
        assert not [one for one in form["schema"]["properties"].values() if one["kind"] == "column" and "enum" in one]


WRONG: list[tuple[str, dict[str, Any], str, str]] = [
    ("text_classifier", {}, "text: the file has no column 'text'", "text：文件没有 'text' 这一列"),
    ("text_classifier", {"text": "message"}, "label: the file has no column 'label'", "label：文件没有 'label' 这一列"),
    ("lstm_text", {"text": "mesage"}, "did you mean 'message'?", "是否指 'message'？"),
    ("linear_regression", {"drop": "id, intents"}, "'intents'; did you mean 'intent'?", "是否指 'intent'？"),
]


@pytest.mark.parametrize(("recipe", "values", "says", "zh"), WRONG)
def test_a_column_that_the_file_lacks_is_refused_before_a_run_is_made(
    recipe: str, values: dict[str, Any], says: str, zh: str, root: Path, runs: Path
) -> None:
    with pytest.raises(InputError) as refused:
        reserve(recipe, {"data": "messages.csv", **values}, root, runs)
    assert says in str(refused.value)
    assert zh in refused.value.zh
    assert not runs.exists()


def reserve(recipe: str, values: dict[str, Any], root: Path, runs: Path) -> Recipe:
    return reserve_training(root, runs, recipes.find(recipe), Filled(values, "")).recipe


def test_what_the_form_chose_is_accepted(root: Path, runs: Path) -> None:
    chosen = form_for(recipes.find("text_classifier"), root / "messages.csv", "en")["values"]
    assert reserve("text_classifier", chosen, root, runs).data == str(root / "messages.csv")
    assert reserve("lstm_text", {"data": "verse.txt"}, root, runs).data == str(root / "verse.txt")


@pytest.mark.parametrize(("recipe", "data"), [("image_classifier", "messages.csv"), ("text_classifier", "pictures")])
def test_data_of_another_kind_is_refused(recipe: str, data: str, root: Path, runs: Path) -> None:
    with pytest.raises((InputError, HTTPError)):
        reserve(recipe, {"data": data}, root, runs)
    assert not runs.exists()


NO_PICTURES = {
    "empty": "{name}: {name}-empty holds no pictures (",
    "of files": "{name}: {name}-of files holds no pictures (",
    "flat": "{name}: {name}-flat holds 1 pictures and no folders of classes",
    "split": "{name}: {name}-split holds test, train, which are splits, not classes",
}


@pytest.mark.parametrize("name", ["data", "validation", "test"])
@pytest.mark.parametrize("what", NO_PICTURES)
def test_a_folder_without_classes_of_pictures_is_refused_before_a_run_is_made(
    what: str, name: str, root: Path, runs: Path
) -> None:
    picture = Image.new("L", (8, 8))
    for label in ("noise", "night"):
        (root / "good" / label).mkdir(parents=True)
        picture.save(root / "good" / label / "1.png")
    wrong = root / f"{name}-{what}"
    for folder in {"split": ("test", "train"), "of files": ("texts",)}.get(what, ("",)):
        (wrong / folder).mkdir(parents=True)
    if what == "of files":
        (wrong / "texts" / "1.txt").write_text("no picture")
    if what == "flat":
        picture.save(wrong / "1.png")
    with pytest.raises(InputError) as refused:
        reserve("image_classifier", {"data": "good", name: wrong.name}, root, runs)
    assert str(refused.value).startswith(NO_PICTURES[what].format(name=name))
    assert refused.value.zh.startswith(f"{name}：{wrong.name} ")
    assert str(root) not in f"{refused.value} {refused.value.zh}"
    assert not runs.exists()
    assert reserve("image_classifier", {"data": "good"}, root, runs).data == str(root / "good")


def test_data_called_like_a_number_is_a_file_below_the_root_or_refused(
    root: Path, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "5").write_text(MESSAGES)
    monkeypatch.chdir(tmp_path)  # where a child finds it, and nobody should
    for data in (5, "5", 0.5):
        for recipe in ("linear_regression", "image_classifier"):
            with pytest.raises(Elsewhere, match="data: no such file"):
                reserve(recipe, {"data": data}, root, runs)
    assert not runs.exists()
    (root / "pictures").rename(root / "5")
    for label in ("noise", "night"):
        (root / "5" / label).mkdir()
        Image.new("L", (8, 8)).save(root / "5" / label / "1.png")
    assert reserve("image_classifier", {"data": "5"}, root, runs).data == str(root / "5")


@pytest.mark.parametrize("missing", ["{root}/../elsewhere", "{root}/../nowhere", "../elsewhere", "../nowhere"])
def test_a_folder_outside_the_root_is_told_from_none_by_nothing(missing: str, root: Path, runs: Path) -> None:
    (root.parent / "elsewhere").mkdir()
    with pytest.raises(Elsewhere) as refused:
        reserve("bert_classifier", {"preset": missing.format(root=root)}, root, runs)
    assert (refused.value.status_code, refused.value.log_message) == (
        404,
        "preset: no such file below the folder that Jupyter serves, and no preset's name",
    )


def test_a_wrong_value_is_told_in_chinese_too(root: Path, runs: Path) -> None:
    with pytest.raises(InputError, match="epochs: 0 must be") as refused:
        reserve("linear_regression", {"epochs": 0}, root, runs)
    assert refused.value.zh == "epochs：0 必须大于或等于 1"


@pytest.mark.slow
def test_a_browser_gets_the_forms_of_a_file_its_refusals_and_a_runs_splits(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        (server.root / "messages.csv").write_text(MESSAGES)
        (server.root / "pictures").mkdir()

        def ask(path: str) -> Any:
            return server.ask("GET", f"/kerasllm/{path}")[1]

        assert [one["name"] for one in ask("recipes?data=pictures")["recipes"]] == ["image_classifier"]
        assert len(ask("recipes")["recipes"]) == len(recipes.names())
        form = ask("recipes/text_classifier?data=messages.csv&language=zh_CN")
        assert form["values"]["text"] == "message"
        assert server.ask("GET", "/kerasllm/recipes/text_classifier?data=../secret")[0] == 404

        def refusal(values: dict[str, Any], language: str) -> tuple[int, str]:
            asked = {"source": "text_classifier", "values": values, "folder": ""}
            status, content, _ = server.ask("POST", f"/kerasllm/runs?language={language}", asked)
            return status, content["message"]

        wrong = {"data": "messages.csv", "text": "mesage"}
        assert refusal(wrong, "en") == (400, "text: the file has no column 'mesage'; did you mean 'message'?")
        assert refusal(wrong, "zh_CN") == (400, "text：文件没有 'mesage' 这一列；是否指 'message'？")
        assert refusal({"data": 5}, "en") == (404, "data: no such file below the folder that Jupyter serves")
        assert refusal({"data": "gone.csv"}, "zh_CN") == (404, "data：Jupyter 所服务的文件夹下没有这个文件")

        run = create(recipes.find("linear_regression")(), server.runs, "mine")
        splits = {name: {"main": "rmse", "rmse": 1.0, "per_class": {}} for name in ("train", "test")}
        files.replace_json(run.path / "scores.json", {"split": "test", "splits": splits})
        (run.path / "figures").mkdir()
        (run.path / "figures" / "confusion_matrix.png").write_bytes(b"")
        shown = ask("runs/mine")
        assert (shown["split"], shown["splits"]["train"]) == ("test", {"main": "rmse", "rmse": 1.0})
        (figure,) = shown["figures"]
        assert figure["path"] == "runs/mine/figures/confusion_matrix.png"
        assert figure["changed"] == (run.path / "figures" / "confusion_matrix.png").stat().st_mtime
