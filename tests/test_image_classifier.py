"""image_classifier from end to end: a folder of pictures in, answers for new pictures out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import kerasllm
from kerasllm.cli import main
from kerasllm.errors import InputError
from kerasllm.recipes.image_classifier import ImageClassifier
from kerasllm.run import Run
from tests.conftest import asked_to_stop

slow = pytest.mark.slow
COLOURS = {"红": (200, 40, 40), "green": (40, 200, 40), "blue": (40, 40, 200)}


def write(folder: Path, count: int, side: int = 10, seed: int = 0) -> Path:
    """Pictures of a colour and noise, a class per colour."""
    draw = np.random.default_rng(seed)
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True)
        for place in range(count):
            noise = draw.integers(-39, 40, (side, side + place % 3, 3))
            Image.fromarray((np.array(colour) + noise).astype("uint8")).save(folder / name / f"图 {place}.png")
    return folder


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("pictures") / "颜色", 16)


@pytest.fixture(scope="module")
def trained(colours: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return ImageClassifier(data=str(colours), epochs=8, batch_size=8).train(runs=tmp_path_factory.mktemp("runs"))


def call(*words: str) -> Any:
    with pytest.raises(SystemExit) as left:
        main(list(words))
    return left.value.code


def test_the_passes_follow_the_number_of_pictures() -> None:
    class Some:
        def __init__(self, rows: int) -> None:
            self.train = range(rows)

    counts = {rows: ImageClassifier().passes(1, Some(rows)) for rows in (100, 8_000, 40_000, 10**6)}
    assert counts == {100: 100, 8_000: 60, 40_000: 12, 10**6: 5}
    assert ImageClassifier(epochs=3).passes(1, Some(100)) == 3


def test_training_batches_are_changed_and_others_are_not() -> None:
    with kerasllm.errors.needs("train"):
        from kerasllm.training.augmentation import AugmentedBatches
    recipe = ImageClassifier(validation="0.2")
    data = recipe.read()
    assert data.validation
    assert isinstance(recipe.batches(data.training, 0), AugmentedBatches)
    assert not isinstance(recipe.batches(data.examples(data.validation)), AugmentedBatches)
    assert not isinstance(ImageClassifier(augment=False).batches(data.training, 0), AugmentedBatches)


@slow
def test_colours_are_told_apart_and_answers_agree_however_a_picture_is_given(trained: Run, tmp_path: Path) -> None:
    assert trained.scores["accuracy"] > 0.9
    new = write(tmp_path / "new", 4, side=30, seed=1)
    assert trained.evaluate(new)["accuracy"] > 0.9
    path = new / "红" / "图 1.png"
    image = Image.open(path)
    answers = trained.predict([path, str(path), path.read_bytes(), image, np.asarray(image)])
    assert answers[0]["label"] == "红"
    for answer in answers:
        assert answer["probabilities"] == pytest.approx(answers[0]["probabilities"], abs=1e-5)
    assert trained.predict(path)[0]["label"] == "红"


@slow
def test_one_bad_picture_is_named(trained: Run, tmp_path: Path) -> None:
    (tmp_path / "cut.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(InputError, match=r"cut.jpg: "):
        trained.predict([tmp_path / "cut.jpg"])
    (tmp_path / "new" / "blau").mkdir(parents=True)
    Image.new("RGB", (9, 9)).save(tmp_path / "new" / "blau" / "a.png")
    with pytest.raises(InputError, match=r"blau/a.png: training saw no class 'blau'; did you mean 'blue'"):
        trained.evaluate(tmp_path / "new")


@slow
def test_the_command_line_predicts_files_and_folders(
    trained: Run, colours: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(colours / "green" / "图 0.png")
    assert call("predict", str(trained.path), path) == 0
    assert capsys.readouterr().out.startswith("green  (green ")
    assert call("predict", str(trained.path), "--file", str(colours), "--json") == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert len(lines) == 48
    answers = json.loads(last)["rows"]
    assert [line.split(": ")[0] for line in lines] == [answer["picture"] for answer in answers]
    assert sum(Path(one["picture"]).parent.name == one["label"] for one in answers) > 44
    assert call("evaluate", str(trained.path), "--data", str(colours)) == 0
    assert "accuracy" in capsys.readouterr().out
    assert call("card", str(colours)) == 0
    assert "颜色: 48 pictures (PNG 48)" in capsys.readouterr().out
    assert call("card", "sample:digits") == 0
    assert "sample:digits: 1797 pictures (PNG 1797)" in capsys.readouterr().out


@slow
def test_pictures_that_cannot_be_read_are_listed_and_the_others_answered_and_scored(
    trained: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = write(tmp_path / "new", 2, side=30, seed=1)
    whole = len(list(new.rglob("*.png")))
    broken = sorted(str(new / "green" / name) for name in ("cut.jpg", "empty.png"))
    for path, content in zip(broken, (b"\xff\xd8\xff", b""), strict=True):
        Path(path).write_bytes(content)
    assert call("predict", str(trained.path), "--file", str(new), "--json") == 0
    out, err = capsys.readouterr()
    answered = json.loads(out.splitlines()[-1])
    assert len(answered["rows"]) == whole
    assert [one["picture"] for one in answered["unreadable"]] == broken
    assert answered["unreadable"][1]["reason"] == "empty"
    assert f"{broken[1]}: empty\n" in err
    assert call("evaluate", str(trained.path), "--data", str(new), "--json") == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert "  note: 2 left out: unreadable" in lines
    assert "    green/empty.png: empty" in lines
    found = json.loads(last)
    assert found["scores"]["rows"] == whole
    assert found["unreadable"]["count"] == 2
    assert found["unreadable"]["first"][1] == "green/empty.png: empty"


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ("--data picture", "no folder {folder}/picture; did you mean 'pictures'?"),
        ("--data pictures/red/0.png", "0.png is a file; pictures are given as a folder that holds a folder per class"),
        ("--data=", "data: name a folder that holds a folder of pictures per class, or sample:digits"),
        ("--data pictures", "pictures: 1 class to train on (red); at least 2 are needed"),
        ("--data pictures/red", "red holds 2 pictures and no folders of classes"),
        ("--data sample:houses", "sample:houses: no column 'picture'"),
        ("--size 5000", "size: '5000' must be 4096 or less"),
        ("--preset x --colours grey", "a preset takes pictures with colours: leave colours at auto"),
        ("--preset x --filters 8", "filters is for a network from scratch; preset 'x' has its own"),
        ("--preset x --no-residual", "residual is for a network from scratch"),
        ("--preset x --pooling flatten", "pooling is for a network from scratch"),
        ("--preset x --depth 2", "depth is for a network from scratch"),
        ("--tune", "tune trains a preset's weights, and there is no preset: name one, or set tune=False"),
        ("--shift 1", "shift: '1' must be less than 1"),
        ("--test missing", "no folder {folder}/missing"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    flags: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures" / "red").mkdir(parents=True)
    for place in range(2):
        Image.new("RGB", (8, 8), (200 + place, 0, 0)).save(tmp_path / "pictures" / "red" / f"{place}.png")
    assert call("train", "image_classifier", *flags.split()) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert says.format(folder=tmp_path) in line


@slow
def test_a_stop_in_mid_epoch_costs_nothing_though_pictures_change(colours: Path) -> None:
    from kerasllm.training import checkpoint

    recipe = ImageClassifier(
        data=str(colours),
        epochs=3,
        batch_size=8,
        flip=True,
        cutout=0.3,
        dropout=0.4,
        validation="0.2",
        early_stopping=9,
    )
    whole, plain = recipe.train(name="whole"), recipe.model_copy(update={"augment": False}).train(name="plain")
    stopped = kerasllm.run.create(recipe, name="stopped")
    with asked_to_stop(5):
        assert stopped.resume().state == "stopped"
    found = checkpoint.load(stopped.path)
    assert found is not None
    assert found[0].batch > 0
    assert stopped.resume().state == "completed"
    assert stopped.report["weights"] == whole.report["weights"] != plain.report["weights"]


@slow
def test_a_presets_folder_is_put_to_use_and_found_again(
    colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: Path
) -> None:
    import keras_hub

    monkeypatch.chdir(tmp_path)
    network = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64], input_conv_kernel_sizes=[3], stackwise_num_filters=[64], stackwise_num_blocks=[1],
        stackwise_num_strides=[1], block_type="basic_block",
    )  # fmt: skip
    network.save_to_preset("tiny")
    recipe = ImageClassifier(data=str(colours), preset="tiny", size=8, epochs=2, batch_size=8, checkpoint_minutes=0)
    whole = recipe.train(name="whole")
    stopped = kerasllm.run.create(recipe.anchored(), name="stopped")
    (stopped.path / "stop").touch()
    with pytest.raises(SystemExit):
        main(["resume", "stopped"])
    monkeypatch.chdir("/")
    assert stopped.resume().state == "completed"
    assert stopped.report["weights"] == whole.report["weights"]
    assert len(whole.predict([str(next(colours.rglob("*.png")))])) == 1
    kernel = next(one for one in network.weights if one.path.endswith("kernel"))
    saved = next(one for one in whole.model.weights if one.path.endswith(kernel.path))
    assert (np.asarray(saved) == np.asarray(kernel)).all()


def test_a_presets_folder_that_changed_has_another_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "preset").mkdir()
    found = []
    for content in ("one", "another"):
        (tmp_path / "preset" / "model.weights.h5").write_text(content)
        found.append(ImageClassifier(preset=str(tmp_path / "preset")).fingerprints())
    assert found[0]["data"] == found[1]["data"]
    assert found[0]["preset"] != found[1]["preset"]


@slow
def test_a_preset_that_does_not_fit_is_one_line(colours: Path, tmp_path: Path) -> None:
    import keras_hub

    with pytest.raises(InputError, match=r"^preset: no directory ./nowhere$"):
        ImageClassifier(data=str(colours), preset="./nowhere", size=8).train()
    network = keras_hub.models.ViTBackbone(
        image_shape=(16, 16, 3), patch_size=4, num_layers=1, num_heads=2, hidden_dim=8, mlp_dim=8
    )
    network.save_to_preset(tmp_path / "vit")
    with pytest.raises(InputError, match=r"takes pictures of 16 px: set size=16$"):
        ImageClassifier(data=str(colours), preset=str(tmp_path / "vit")).train()
    words = keras_hub.models.BertBackbone(
        vocabulary_size=9, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4, max_sequence_length=4
    )
    words.save_to_preset(tmp_path / "words")
    with pytest.raises(InputError, match="takes no pictures"):
        ImageClassifier(data=str(colours), preset=str(tmp_path / "words"), size=8).train()


@slow
@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"class_name": "ViTBackbone", "registered_name": "keras_hub>ViTBackbone", "config": {}}, "TypeError: "),
        ({"model_type": "vit"}, "KeyError: 'image_size'"),
        (None, "ValueError"),
    ],
)
def test_a_damaged_preset_is_one_line(
    config: dict[str, Any] | None, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras_hub

    def silent(*words: Any, **options: Any) -> None:
        raise ValueError

    if config is None:
        monkeypatch.setattr(keras_hub.models.Backbone, "from_preset", silent)
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(InputError) as raised:
        ImageClassifier(preset=str(tmp_path))._from_preset(16, 2)
    assert str(raised.value).startswith(f"preset: '{tmp_path}' cannot be loaded: {says}")
    assert "\n" not in str(raised.value)


@slow
def test_the_listings_plain_blocks_train(colours: Path) -> None:
    run = ImageClassifier(
        data=str(colours), filters=4, depth=2, residual=False, pooling="flatten", units=8, augment=False,
        epochs=2, batch_size=8, optimizer="adam", weight_decay=0, schedule="constant", warmup=0, learning_rate=1e-3,
    ).train()  # fmt: skip
    assert [layer.name for layer in run.model.layers if "block" in layer.name][:3] == [
        "block_0_convolution",
        "block_0_norm",
        "block_0_relu",
    ]
    assert run.state == "completed"


@slow
def test_blocks_that_leave_nothing_are_refused(colours: Path) -> None:
    with pytest.raises(InputError, match=r"^depth: 4 blocks halve 10 px to nothing; 3 do, or set size$"):
        ImageClassifier(data=str(colours), depth=4, residual=False).train()


@slow
def test_arrays_train_in_python() -> None:
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 100, (60, 8, 8), "uint8")
    pixels[::2] += 100
    run = ImageClassifier(epochs=6, batch_size=8).train((pixels, ["light", "dark"] * 30))
    assert run.scores["accuracy"] > 0.9
    assert run.predict(pixels[0])[0]["label"] == "light"
