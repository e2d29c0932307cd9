"""Points: a grid or a table, checked before any starts, and what of the user's their runs never touch."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from kerasllm import batch
from kerasllm.batch.points import seeded
from kerasllm.data import Data
from kerasllm.errors import InputError
from kerasllm.parameters import description
from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.recipes.lstm_text import LstmText
from tests.batch.reserved import LINE, made
from tests.presets.directories import directory
from tests.test_own_notebook import book


def test_a_grid_is_every_combination_and_quotes_hold_commas_together() -> None:
    points = batch.from_grid(["epochs=1,2", 'target="a,b",c'], {"data": "x.csv"})
    assert [point.words for point in points] == [
        {"data": "x.csv", "epochs": epochs, "target": target} for epochs in ("1", "2") for target in ("a,b", "c")
    ]
    assert [point.words.get("seed") for point in seeded(batch.from_grid(["seed=4"], {}), 3)] == ["4", "5", "6"]
    assert [point.words for point in batch.from_grid([], LINE)] == [LINE]


@pytest.mark.parametrize(
    ("grid", "says"),
    [
        (["epochs"], "--grid epochs: write NAME=VALUE,VALUE"),
        (["epochs=1", "epochs=2"], "epochs is given twice"),
        (["data=a,b"], "data is given twice"),
    ],
)
def test_a_grid_in_other_words_is_one_line(grid: list[str], says: str) -> None:
    with pytest.raises(InputError, match=says):
        batch.from_grid(grid, LINE)


def test_too_many_points_are_counted_and_not_built(tmp_path: Path) -> None:
    axes = [f"{name}={','.join('12345')}" for name in "abcdef"]
    with pytest.raises(InputError, match=r"^15625 points are too many; 10000 at most$"):
        batch.from_grid(axes, {})
    (tmp_path / "runs.csv").write_text("epochs\n" + "1\n" * 10_001)
    with pytest.raises(InputError, match=r"^10001 points are too many"):
        batch.from_table(str(tmp_path / "runs.csv"), {})
    with pytest.raises(InputError, match=r"^1000000000000 points are too many"):
        seeded([batch.Point(LINE)], 10**12)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("epochs,units\n1,2\n", "runs.csv, line 2: no parameter 'units'"),
        ("epochs,seed\n1,0\nmany,0\n", "runs.csv, line 3, column 'epochs': 'many' must be a whole number"),
        ("epochs,data\n1,sample:line\n1,no.csv\n", "runs.csv, line 3, column 'data': no file"),
        ("epochs,seed\n1,0\n1,0\n", "runs.csv, line 3: the same parameters as point 1"),
        ("epochs,seed\n1\n", "runs.csv, line 2: 1 cells where the header has 2"),
    ],
)
def test_a_wrong_cell_of_a_table_is_named_before_anything_starts(
    table: str, says: str, tmp_path: Path, runs: Path
) -> None:
    (tmp_path / "runs.csv").write_text(table)
    fixed = {} if "data" in table else {"data": "sample:line"}
    with pytest.raises(InputError) as error:
        made(batch.from_table(str(tmp_path / "runs.csv"), fixed))
    assert says in str(error.value)
    assert not runs.exists()


@pytest.mark.parametrize(
    ("source", "grid", "says"),
    [
        ("image_classifier", "data=sample:digits,{folder}/pictures.csv", "data: {folder}/pictures.csv is a file; pict"),
        ("image_classifier", "data=sample:houses", "data: sample:houses: no column 'picture'"),
        ("bert_classifier", "preset=,no/such/place", "preset: 'no/such/place' is no directory"),
        ("text_classifier", "text=text,nosuch", "data: sample:messages: no column 'nosuch'"),
        ("text_classifier", "data={folder}", "data: {folder} is a folder, not a file"),
        ("linear_regression", "target=price,prize", "data: sample:houses: no column 'prize'; did you mean 'price'?"),
    ],
)
def test_columns_presets_and_kinds_of_file_are_checked_before_anything_starts(
    source: str, grid: str, says: str, tmp_path: Path, runs: Path
) -> None:
    (tmp_path / "pictures.csv").write_text("picture,label\na.png,a\n")
    with pytest.raises(InputError) as error:
        made(batch.from_grid([grid.format(folder=tmp_path)], {}), source=source)
    assert str(error.value).startswith(says.format(folder=tmp_path))
    assert not runs.exists()


def test_data_is_read_once_for_all_points_that_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []
    monkeypatch.setattr(LinearRegression, "read", lambda self: reads.append(self.target))
    made(batch.from_grid(["epochs=1,2", "learning_rate=0.1,0.2", "target=x,y"], {"data": "sample:line"}), 3)
    assert reads == ["x", "y"]


def test_an_empty_cell_of_a_table_is_the_parameters_default(tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_text("epochs,learning_rate\n3,\n4,0.5\n")
    many = made(batch.from_table(str(tmp_path / "runs.csv"), {"data": "sample:line"}))
    assert [run.recipe.epochs for run in many.runs] == [3, 4]
    assert many.runs[0].recipe.learning_rate == LinearRegression().learning_rate  # type: ignore[attr-defined]


def test_seeds_need_a_seed(tmp_path: Path) -> None:
    path = book(tmp_path, parameters="n = 1")
    with pytest.raises(InputError, match="no parameter 'seed'; there are: n"):
        made(batch.from_grid(["n=1,2"], {}), 2, str(path))


# --- the user's own folders


@pytest.mark.parametrize("what", ["a file of theirs", "a folder of theirs", "a file in its place", "a link"])
def test_a_folder_of_ones_own_in_a_runs_place_is_left_as_it_is(what: str, runs: Path, tmp_path: Path) -> None:
    place = runs / "mine-2"
    notes = {
        "a file of theirs": place / "notes.txt",
        "a folder of theirs": place / "status.json" / "notes.txt",
        "a file in its place": place,
        "a link": tmp_path / "elsewhere" / "status.json",
    }[what]
    notes.parent.mkdir(parents=True)
    notes.write_text("a week's work")
    if what == "a link":
        runs.mkdir(exist_ok=True)
        place.symlink_to(notes.parent)
    with pytest.raises(InputError, match=r"mine-2 is another folder; choose another --name for the batch$"):
        made(batch.from_grid(["epochs=1,2"], {"data": "sample:line"}), name="mine")
    assert notes.read_text() == "a week's work"
    assert not (runs / "mine-1").exists(), "nor is any other run reserved"


def test_what_a_killed_making_left_is_made_again(runs: Path) -> None:
    for name in ("status.json", "source.ipynb", ".new-7-run.json"):
        (runs / "mine-1").mkdir(parents=True, exist_ok=True)
        (runs / "mine-1" / name).write_text("{")
    many = made(batch.from_grid(["epochs=1,2"], {"data": "sample:line"}), name="mine")
    assert [run.state for run in many.runs] == ["queued", "queued"]
    assert not (runs / "mine-1" / "source.ipynb").exists()


# --- what a parameter needs of the data, a preset or this machine


@pytest.mark.parametrize(
    ("source", "fixed", "grid", "says"),
    [
        ("linear_regression", {"early_stopping": "3"}, "validation=0.2,0", "early_stopping needs validation rows to"),
        ("bert_classifier", {"preset": "{bert}"}, "max_length=16,4096", "max_length: 4096 is more than the 24 pos"),
        ("bert_classifier", {"preset": "{bert}", "max_length": "9"}, "frozen=0,99", "frozen: 99 is more than the 3 la"),
        ("bert_classifier", {"preset": "{bert}", "max_length": "9"}, "depth=2,4", "depth: 4 is more than the 3 layers"),
        ("lstm_text", {"tokens": "bpe"}, "vocabulary_size=9000,50", "vocabulary_size: 50 leaves no room for merges"),
        ("lstm_text", {"vocabulary_size": "50"}, "tokens=characters,bpe", "vocabulary_size: 50 leaves no room for me"),
        ("image_classifier", {}, "depth=2,9", "depth: 9 blocks halve 8 px to nothing; 3 do, or set size"),
        ("image_classifier", {"residual": "false"}, "size=2,1", "size: 1 px is too little to be halved; set size, or "),
        ("image_classifier", {}, "preset=,{empty}", "preset: {empty} has no config.json"),
        ("image_classifier", {}, "preset=no/such,", "preset: 'no/such' is no directory"),
        ("image_classifier", {"preset": "{vit}"}, "size=16,32", "preset: '{vit}' takes pictures of 16 px: set size="),
    ],
)  # fmt: skip
def test_what_the_data_or_a_preset_has_no_room_for_is_told_before_anything_starts(
    source: str, fixed: dict[str, str], grid: str, says: str, tmp_path: Path, runs: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "vit").mkdir()
    (tmp_path / "vit" / "config.json").write_text('{"config": {"image_shape": [16, 16, 3]}}')
    for number in range(20):
        (tmp_path / "pictures" / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 9 * number).save(tmp_path / "pictures" / "ab"[number % 2] / f"{number}.png")
    if source == "image_classifier":
        fixed = fixed | {"data": "{pictures}"}
    places = {name: str(tmp_path / name) for name in ("empty", "vit", "pictures")} | {
        "bert": str(directory(tmp_path / "bert"))
    }
    fixed = {name: word.format(**places) for name, word in fixed.items()}
    with pytest.raises(InputError) as error:
        made(batch.from_grid([grid.format(**places)], fixed), source=source)
    assert str(error.value).startswith(says.format(**places))
    assert not runs.exists()


def test_data_is_read_once_whatever_else_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[tuple[str, int]] = []
    read = LstmText.read

    def counted(self: LstmText) -> Data:
        reads.append((self.tokens, self.vocabulary_size))
        return read(self)

    monkeypatch.setattr(LstmText, "read", counted)
    made(
        batch.from_grid(["vocabulary_size=2000,3000", "tokens=characters,bpe"], {"data": "sample:messages"}),
        2,
        "lstm_text",
    )
    assert reads == [("characters", 2000)]


@pytest.mark.slow
def test_a_preset_that_nobody_has_is_told_from_the_names_that_keras_hub_knows() -> None:
    pytest.importorskip("keras_hub", reason="the train extra is not installed")
    with pytest.raises(InputError, match="'resnet_18_imagenett' is no directory and no preset of KerasHub; did you"):
        made(batch.from_grid(["preset=,resnet_18_imagenett"], {}), source="image_classifier")


@pytest.mark.slow
def test_a_gpu_that_is_not_there_is_told_before_anything_starts(monkeypatch: pytest.MonkeyPatch, runs: Path) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(InputError, match=r"^device: no GPU that \w+ can use; `kerasllm doctor` tells why"):
        made(batch.from_grid(["device=cpu,gpu"], {"data": "sample:line"}))
    assert not runs.exists()


# --- words


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("epochs=", r'--grid epochs=: it has no value; "" is an empty one'),
        ("target=a\nb", "--grid target: new-line character seen in unquoted field"),
    ],
)
def test_an_axis_without_values_is_refused_and_not_a_batch_of_nothing(word: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        batch.from_grid([word], {})
    assert [point.words for point in batch.from_grid(['target=""'], {})] == [{"target": ""}]


@pytest.mark.parametrize("seed", ["²", "1.5", "9" * 5000])
def test_a_seed_that_is_no_whole_number_is_one_line(seed: str) -> None:
    with pytest.raises(InputError, match=r"is no whole number$"):
        seeded([batch.Point({"seed": seed})], 2)
    assert [point.words["seed"] for point in seeded([batch.Point({"seed": "٣"})], 2)] == ["3", "4"]


# --- the live table


def test_what_cannot_change_is_not_looked_for_at_every_row(runs: Path) -> None:
    """Each look at the live table of 1000 points took 117 ms, four times a second; now 4 ms."""
    many = batch.open_batch(batch.Source("linear_regression"), batch.from_grid(["epochs=1,2"], {}), 1)
    assert many.points is many.points
    assert many.varied is many.varied


def test_a_text_is_not_shared_among_gpus(runs: Path) -> None:
    with pytest.raises(InputError, match=r"^device: 'gpus' a text's windows follow one another and cannot be shared"):
        made(batch.from_grid(["device=cpu,gpus"], {}), source="lstm_text")
    assert "gpus" not in description(LstmText.model_fields["device"])
    assert not runs.exists()


def test_a_batch_of_ones_own_notebook_reads_its_words_once(tmp_path: Path) -> None:
    path = book(tmp_path, parameters='label: str | None = "x"\nanything = None')
    points = [batch.Point({"label": "'None'", "anything": "\"'1'\""})]
    many = made(points, source=str(path))
    assert many.points == [{"label": "None", "anything": "'1'"}]
    assert many.runs[0].asked["parameters"] == many.points[0]
    assert made(points, source=str(path)).runs[0].path == many.runs[0].path
