"""Pretrained encoders: the same hidden states and ids as transformers and KerasHub have, and what is refused."""

from __future__ import annotations

import json
import struct
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from kerasllm.errors import InputError
from kerasllm.presets import find
from kerasllm.presets.architecture import word_piece
from kerasllm.presets.hugging_face import read_safetensors
from tests.conftest import ROOT

slow = pytest.mark.slow
# transformers and KerasHub warn of what they will change; that is not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore")

LETTERS = [*"abcdefghijklmnopqrstuvwxyz", *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"), *"天气真好,.!?…"]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, "good", "##ly", "weather"]
CONFIG = {
    "model_type": "bert", "vocab_size": len(VOCABULARY), "hidden_size": 12, "num_hidden_layers": 3,
    "num_attention_heads": 3, "intermediate_size": 20, "max_position_embeddings": 24, "type_vocab_size": 2,
    "layer_norm_eps": 1e-12, "hidden_act": "gelu", "pad_token_id": 0,
}  # fmt: skip
TEXTS = ["good weather", "天气真好!", "Goodly Café… xyz", "a"]


def arrays(config: dict[str, Any]) -> dict[str, np.ndarray]:
    """A checkpoint as PyTorch names it, at random, large enough for its GELU to matter."""
    draw = np.random.default_rng(0)
    width, wide = config["hidden_size"], config["intermediate_size"]
    shapes = {
        "embeddings.word_embeddings.weight": (config["vocab_size"], width),
        "embeddings.position_embeddings.weight": (config["max_position_embeddings"], width),
        "embeddings.token_type_embeddings.weight": (config["type_vocab_size"], width),
    }
    norms = ["embeddings.LayerNorm"]
    for number in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{number}"
        for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            shapes |= {f"{layer}.{name}.weight": (width, width), f"{layer}.{name}.bias": (width,)}
        shapes |= {f"{layer}.intermediate.dense.weight": (wide, width), f"{layer}.intermediate.dense.bias": (wide,)}
        shapes |= {f"{layer}.output.dense.weight": (width, wide), f"{layer}.output.dense.bias": (width,)}
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    for name in norms:
        shapes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    return {name: draw.normal(0, 0.6, shape).astype("float32") for name, shape in shapes.items()}


def write_safetensors(path: Path, content: dict[str, np.ndarray], dtype: str = "F32") -> None:
    header, blocks, at = {}, [], 0
    for name, array in content.items():
        if dtype == "BF16":
            block = (np.ascontiguousarray(array).view("u4") >> 16).astype("<u2").tobytes()
        else:
            block = array.astype({"F32": "<f4", "F16": "<f2"}[dtype]).tobytes()
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [at, at + len(block)]}
        blocks.append(block)
        at += len(block)
    words = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(words)) + words + b"".join(blocks))


def directory(place: Path, dtype: str = "F32", prefix: str = "", **config: Any) -> Path:
    """A Hugging Face directory."""
    told = CONFIG | config
    place.mkdir(parents=True)
    (place / "config.json").write_text(json.dumps(told))
    content = {prefix + name: array for name, array in arrays(told).items()}
    write_safetensors(place / "model.safetensors", content, dtype)
    (place / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", "utf-8")
    return place


def inputs(place: Path, texts: list[str] = TEXTS) -> dict[str, np.ndarray]:
    found = [row.ids for row in find(str(place)).tokenizer().encode_batch(texts)]
    length = max(map(len, found))
    ids = np.array([row + [0] * (length - len(row)) for row in found], "int32")
    return {"ids": ids, "mask": np.arange(length) < np.array([[len(row)] for row in found])}


def hidden(place: Path, batch: dict[str, np.ndarray]) -> np.ndarray:
    """Our last hidden states, those of padding 0."""
    pytest.importorskip("keras", reason="the train extra is not installed")
    from kerasllm.models.bert import bert, encoder

    preset = find(str(place))
    sizes = asdict(preset.architecture)
    model = bert(classes=2, weights=preset.weights(sizes["depth"]), **sizes)
    assert {str(weight.dtype) for weight in model.weights} <= {"float32", "int64", "uint32"}
    found: np.ndarray = encoder(model).predict(batch, verbose=0)
    return found * batch["mask"][..., None]


def transformers_hidden(place: Path, batch: dict[str, np.ndarray], **options: Any) -> np.ndarray:
    torch = pytest.importorskip("torch", reason="the torch extra is not installed")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    model = transformers.AutoModel.from_pretrained(place, dtype=torch.float32, **options).eval()
    with torch.no_grad():
        mask = torch.tensor(batch["mask"]).long()
        ids = torch.where(mask > 0, torch.tensor(batch["ids"]).long(), model.config.pad_token_id)
        found: np.ndarray = model(ids, attention_mask=mask).last_hidden_state.numpy()
    return found * batch["mask"][..., None]


# --- the same numbers as transformers


@slow
@pytest.mark.parametrize(
    "kind",
    [
        {},
        {"dtype": "F16"},
        {"dtype": "BF16"},
        {"prefix": "bert."},
        {"hidden_act": "gelu_new"},
        {"hidden_act": "relu"},
        {"layer_norm_eps": 1e-5},
        {"model_type": "xlm-roberta", "pad_token_id": 1, "type_vocab_size": 1},
        {"model_type": "roberta", "pad_token_id": 1, "type_vocab_size": 1, "prefix": "roberta."},
    ],
    ids=str,
)
def test_hidden_states_are_transformers_own(kind: dict[str, Any], tmp_path: Path) -> None:
    place = directory(tmp_path / "preset", **kind)
    batch = inputs(place)
    theirs = transformers_hidden(place, batch)
    assert np.abs(theirs).max() > 0.5
    np.testing.assert_allclose(hidden(place, batch), theirs, atol=1e-5)


@slow
@pytest.mark.parametrize("name", ["e5-small-zh", "minilm-l6-en"])
def test_real_checkpoints_give_transformers_hidden_states(name: str, shared: Path) -> None:
    place = shared.parent / "models" / name
    batch = inputs(place, ["今天天气真好，适合出去玩。" * 3, "Where is my order? It was shipped two weeks ago.", "a"])
    np.testing.assert_allclose(hidden(place, batch), transformers_hidden(place, batch), atol=1e-5)


def lines(shared: Path) -> list[str]:
    """5,000 Chinese lines and as many English ones."""
    import pandas as pd

    return [
        text
        for name in ("chnsenticorp", "banking77")
        for text in pd.read_csv(shared / name / "train.csv", dtype=str, keep_default_na=False)["text"][:5000]
    ]


@slow
@pytest.mark.parametrize("name", ["e5-small-zh", "minilm-l6-en", "minilm-l6-en without tokenizer.json"])
def test_ids_are_the_directorys_own_on_ten_thousand_lines(name: str, shared: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    from kerasllm.encoders import TokenEncoder

    place = shared.parent / "models" / name.split()[0]
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_file=str(place / "tokenizer.json"))
    if name != name.split()[0]:
        for file in ("config.json", "vocab.txt", "tokenizer_config.json"):
            (tmp_path / file).write_bytes((place / file).read_bytes())
        place = tmp_path
    texts = [*lines(shared), "Café naïve… ½ ﬁ Ｗｉｄｅ ①②\t\x00\u200b end", "𠀀𪜀 汉字 kana カナ 한국어"]
    mine = TokenEncoder(find(str(place)).tokenizer(), "text", 64).encode(texts)["ids"]
    expected = theirs(texts, truncation=True, max_length=64, padding=False)["input_ids"]
    assert len(mine) > 10_000
    assert [row.tolist() for row in mine] == expected


# --- a file that is no checkpoint, and other mistakes


def test_stored_numbers_come_out_as_they_went_in(tmp_path: Path) -> None:
    values = {"a": np.array([[1.5, -2.0], [0.0, 3e4]], "float32"), "b": np.array([0.25], "float32")}
    for dtype in ("F32", "F16", "BF16"):
        write_safetensors(tmp_path / "x.safetensors", values, dtype)
        found = read_safetensors(tmp_path / "x.safetensors")
        for name, value in values.items():
            np.testing.assert_allclose(found[name].astype("float32"), value, rtol=1e-2)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda place: (place / "config.json").unlink(), "has no config.json"),
        (lambda place: (place / "config.json").write_text("{"), "is no JSON"),
        (lambda place: (place / "config.json").write_text("{}"), "does not tell 'model_type'"),
        (lambda place: rewrite(place, model_type="gpt2"), "a model of type 'gpt2', not one of bert"),
        (lambda place: rewrite(place, hidden_act="glu"), "hidden_act: 'glu'"),
        (lambda place: rewrite(place, position_embedding_type="relative_key"), "relative positions"),
        (lambda place: rewrite(place, hidden_size=24), "is (24, 12), where config.json says (24, 24)"),
        (lambda place: rewrite(place, num_hidden_layers=4), "lack encoder.layer.3.attention.self.query.weight"),
        (lambda place: (place / "vocab.txt").unlink(), "neither tokenizer.json nor vocab.txt"),
        (lambda place: (place / "vocab.txt").write_text("a\nb\n"), "the vocabulary has no [UNK]"),
        (lambda place: (place / "tokenizer.json").write_text("{}"), "does not tell 'model'"),
        (lambda place: (place / "vocab.txt").write_bytes("[UNK]\n天气\n".encode("gbk")), "is no text in UTF-8"),
        (
            lambda place: (place / "tokenizer.json").write_text('{"model": {"type": "New"}}'),
            "is no tokenizer that can be",
        ),
        (lambda place: (place / "tokenizer_config.json").write_text('{"do_lower_case": null}'), "lowercase to None"),
        (lambda place: rewrite(place, num_hidden_layers=None), "num_hidden_layers: None is no positive whole number"),
        (lambda place: rewrite(place, hidden_size="12"), "hidden_size: '12' is no positive whole number"),
        (lambda place: rewrite(place, num_attention_heads=5), "5 heads do not divide the width 12"),
        (lambda place: rewrite(place, hidden_act=None), "hidden_act: 'None'"),
        (lambda place: rewrite(place, layer_norm_eps=None), "layer_norm_eps: None is no number"),
        (lambda place: rewrite(place, model_type=["bert"]), "a model of type ['bert']"),
        (lambda place: rewrite(place, model_type="roberta", pad_token_id=None), "pad_token_id: None is no whole"),
        (lambda place: rewrite(place, model_type="roberta", pad_token_id=30), "leaves no position for a token"),
        (lambda place: keras_hub_config(place, num_layers=None), "num_layers: None is no positive whole number"),
        (lambda place: keras_hub_config(place, num_heads=5), "5 heads do not divide the width 12"),
        (
            lambda place: (place / "config.json").write_text('{"class_name": "BertBackbone", "config": 1}'),
            "config: 1 is",
        ),
        (lambda place: (place / "model.safetensors").unlink(), "has no model.safetensors"),
        (lambda place: cut(place / "model.safetensors", 1000), "no whole safetensors file"),
        (lambda place: cut(place / "model.safetensors", -9), "no whole safetensors file"),
        (lambda place: (place / "model.safetensors").write_text("version https://git-lfs"), "a Git LFS pointer"),
    ],
)
def test_a_broken_directory_is_one_line(damage: Any, says: str, tmp_path: Path) -> None:
    place = directory(tmp_path / "preset")
    damage(place)
    with pytest.raises(InputError) as raised:
        load(place)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def load(place: Path) -> None:
    preset = find(str(place))
    preset.tokenizer()
    preset.weights(preset.architecture.depth)


def rewrite(place: Path, **change: Any) -> None:
    (place / "config.json").write_text(json.dumps(CONFIG | change))


def keras_hub_config(place: Path, **change: Any) -> None:
    """Make it a KerasHub directory with a vocabulary."""
    names = {"num_layers": 3, "hidden_dim": 12, "num_heads": 3, "intermediate_dim": 20, "max_sequence_length": 24}
    told = {"class_name": "BertBackbone", "config": {"vocabulary_size": len(VOCABULARY)} | names | change}
    (place / "config.json").write_text(json.dumps(told))
    (place / "tokenizer.json").write_text("{}")
    (place / "assets" / "tokenizer").mkdir(parents=True)
    (place / "vocab.txt").rename(place / "assets" / "tokenizer" / "vocabulary.txt")


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    place = directory(tmp_path / "preset")
    word_piece([*VOCABULARY, "more"], lowercase=True).save(str(place / "tokenizer.json"))
    with pytest.raises(InputError, match="knows 70 tokens, the network 69"):
        find(str(place)).tokenizer()


def test_a_path_that_is_not_there_is_told_from_a_name() -> None:
    with pytest.raises(
        InputError, match="'models/berd' is no directory; for one of huggingface\\.co write hf://models/b"
    ):
        find("models/berd")


@slow
def test_an_unknown_name_is_told_the_nearest() -> None:
    pytest.importorskip("keras_hub", reason="the train extra is not installed")
    with pytest.raises(InputError, match="no preset of KerasHub; did you mean 'bert_base_zh'"):
        find("bert_base_zhh")


@slow
def test_a_name_whose_tokenizer_is_not_read_is_refused_before_the_download(monkeypatch: pytest.MonkeyPatch) -> None:
    kagglehub = pytest.importorskip("kagglehub", reason="the train extra is not installed")
    monkeypatch.setattr(kagglehub, "model_download", lambda *words: pytest.fail("a download began"))
    for name in ("roberta_base_en", "xlm_roberta_base_multi"):
        with pytest.raises(InputError, match=f"^preset: '{name}' is none of BertBackbone or DistilBertBackbone; take"):
            find(name)


@slow
@pytest.mark.parametrize("preset", ["hf://nobody/nothing", "kaggle://nobody/nothing/keras/none", "bert_base_zh"])
def test_a_download_that_fails_is_one_line_with_the_cure(
    preset: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("keras_hub", reason="the train extra is not installed")
    import kagglehub
    import requests
    from huggingface_hub import errors

    away = errors.LocalEntryNotFoundError if preset.startswith("hf") else requests.ConnectionError
    failures = [away("no route\nto host"), OSError("no space left")]

    def unreachable(*words: Any, **options: Any) -> None:
        raise failures.pop()

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    monkeypatch.setattr(kagglehub, "model_download", unreachable)
    while failures:
        with pytest.raises(InputError) as raised:
            find(preset)
        assert "\n" not in str(raised.value)
        assert "cannot download" in str(raised.value)
        assert "give a directory that holds the files, or preset='' for a small encoder" in str(raised.value)


@pytest.mark.parametrize(("settings", "text", "tokens"), [
    ({}, "Café", ["c", "##a", "##f", "##e"]),
    ({"do_lower_case": False}, "Café", ["[UNK]"]),
    ({"strip_accents": False}, "Café", ["[UNK]"]),
])  # fmt: skip
def test_a_vocabularys_case_is_told_by_the_tokenizers_config(
    settings: dict[str, Any], text: str, tokens: list[str], tmp_path: Path
) -> None:
    place = directory(tmp_path / "preset")
    (place / "tokenizer_config.json").write_text(json.dumps(settings))
    assert find(str(place)).tokenizer().encode(text).tokens == ["[CLS]", *tokens, "[SEP]"]


@slow
@pytest.mark.parametrize(
    "kind", ["BertTokenizer", "BertTokenizerFast", "DistilBertTokenizer", "PreTrainedTokenizerFast", None]
)
@pytest.mark.parametrize("lowercase", [True, False])
def test_where_two_files_tell_two_things_ids_are_transformers_own(
    kind: str | None, lowercase: bool, tmp_path: Path
) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    place = directory(tmp_path / "preset")
    word_piece(VOCABULARY, lowercase=lowercase).save(str(place / "tokenizer.json"))
    for told in (
        None,
        {},
        {"do_lower_case": False},
        {"do_lower_case": True, "strip_accents": False},
        {"tokenize_chinese_chars": False},
    ):
        if told is not None:
            (place / "tokenizer_config.json").write_text(json.dumps(told | ({"tokenizer_class": kind} if kind else {})))
        theirs = transformers.AutoTokenizer.from_pretrained(place)
        mine = find(str(place)).tokenizer()
        for text in (*TEXTS, "GOOD Café 天气真好"):
            assert mine.encode(text).ids == theirs(text)["input_ids"], told


def test_a_stored_padding_and_length_do_not_count(tmp_path: Path) -> None:
    place = directory(tmp_path / "preset")
    stored = word_piece(VOCABULARY, lowercase=True)
    stored.enable_padding(length=20)
    stored.enable_truncation(4)
    stored.save(str(place / "tokenizer.json"))
    assert len(find(str(place)).tokenizer().encode("good weather good weather").ids) == 6


# --- KerasHub's directories


def save_keras_hub(place: Path, kind: str = "Bert") -> Any:
    """A small random backbone with its tokenizer, as KerasHub saves them."""
    keras_hub = pytest.importorskip("keras_hub", reason="the train extra is not installed")
    import keras

    keras.utils.set_random_seed(1)
    backbone = getattr(keras_hub.models, f"{kind}Backbone")(
        len(VOCABULARY), num_layers=3, num_heads=3, hidden_dim=12, intermediate_dim=20, max_sequence_length=24
    )
    draw = np.random.default_rng(0)
    for weight in backbone.weights:
        weight.assign(draw.normal(0, 0.6, weight.shape))
    backbone.save_to_preset(str(place))
    if kind in ("Bert", "DistilBert"):
        getattr(keras_hub.models, f"{kind}Tokenizer")(VOCABULARY, lowercase=True).save_to_preset(str(place))
    return backbone


def keras_hub_hidden(backbone: Any, batch: dict[str, np.ndarray]) -> np.ndarray:
    given = {"token_ids": batch["ids"], "padding_mask": batch["mask"].astype("int32")}
    if len(backbone.inputs) == 3:
        given["segment_ids"] = np.zeros_like(batch["ids"])
    found = backbone.predict(given, verbose=0)
    return (found["sequence_output"] if isinstance(found, dict) else found) * batch["mask"][..., None]


@slow
@pytest.mark.parametrize("kind", ["Bert", "DistilBert", "Roberta"])
def test_a_keras_hub_directory_gives_keras_hubs_hidden_states(kind: str, tmp_path: Path) -> None:
    backbone = save_keras_hub(tmp_path / "preset", kind)
    batch = {"ids": np.array([[2, 9, 40, 3, 0], [2, 30, 60, 61, 3]], "int32"), "mask": np.ones((2, 5), bool)}
    batch["mask"][0, 4] = False
    np.testing.assert_allclose(hidden(tmp_path / "preset", batch), keras_hub_hidden(backbone, batch), atol=1e-5)


@slow
def test_a_keras_hub_directory_gives_its_tokenizers_ids(tmp_path: Path) -> None:
    save_keras_hub(tmp_path / "preset")
    import keras_hub

    theirs = keras_hub.models.BertTokenizer.from_preset(str(tmp_path / "preset"))
    mine = find(str(tmp_path / "preset")).tokenizer()
    for text in ("Good weather, goodly!", "天气真好", "Café zzz"):
        assert mine.encode(text, add_special_tokens=False).ids == np.asarray(theirs(text)).tolist()


@slow
@pytest.mark.parametrize("settings", [{}, {"hidden_act": "gelu_new"}, {"layer_norm_eps": 1e-5}], ids=str)
def test_a_trained_encoder_goes_to_a_keras_hub_preset_and_back(settings: dict[str, Any], tmp_path: Path) -> None:
    keras_hub = pytest.importorskip("keras_hub", reason="the train extra is not installed")
    from kerasllm.models.bert import encoder
    from kerasllm.presets import save_to_preset
    from kerasllm.recipes.bert_classifier import BertClassifier

    rows = {"text": ["good weather", "真好", "bad day!", "气"] * 10, "label": ["yes", "yes", "no", "no"] * 10}
    place = directory(tmp_path / "preset", **settings)
    run = BertClassifier(preset=str(place), max_length=12, epochs=1, learning_rate=0.01).train(rows)
    saved = save_to_preset(run, tmp_path / "saved")
    batch = inputs(place)
    tuned = encoder(run.model).predict(batch, verbose=0) * batch["mask"][..., None]
    assert np.abs(tuned - hidden(place, batch)).max() > 1e-3

    np.testing.assert_allclose(hidden(saved, batch), tuned, atol=1e-6)
    backbone = keras_hub.models.Backbone.from_preset(str(saved))
    np.testing.assert_allclose(keras_hub_hidden(backbone, batch), tuned, atol=1e-5)
    mine = find(str(place)).tokenizer()
    assert find(str(saved)).tokenizer().to_str() == mine.to_str()
    if "layer_norm_eps" not in settings:
        theirs = keras_hub.models.Tokenizer.from_preset(str(saved))
        for text in ("Café, goodly", "天气真好!"):
            assert np.asarray(theirs(text)).tolist() == mine.encode(text, add_special_tokens=False).ids
    with pytest.raises(InputError, match="is not empty"):
        save_to_preset(run, saved)


@slow
@pytest.mark.parametrize("normalizer", [None, {"type": "Sequence", "normalizers": [{"type": "Lowercase"}]}], ids=str)
def test_a_wordpiece_with_another_normalizer_is_saved_for_kerasllm_only(normalizer: Any, tmp_path: Path) -> None:
    pytest.importorskip("keras_hub", reason="the train extra is not installed")
    from kerasllm.presets import save_to_preset
    from kerasllm.recipes.bert_classifier import BertClassifier

    place = directory(tmp_path / "preset")
    told = json.loads(word_piece(VOCABULARY, lowercase=True).to_str()) | {"normalizer": normalizer}
    (place / "tokenizer.json").write_text(json.dumps(told))
    rows = {"text": ["good weather", "bad day"] * 10, "label": ["yes", "no"] * 10}
    run = BertClassifier(preset=str(place), max_length=12, epochs=1).train(rows)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file is a file; choose a folder"):
        save_to_preset(run, tmp_path / "file")
    saved = save_to_preset(run, tmp_path / "saved")
    assert find(str(saved)).tokenizer().to_str() == find(str(place)).tokenizer().to_str()
    assert not (saved / "tokenizer.json").exists()


def test_finding_and_reading_a_preset_imports_no_keras(tmp_path: Path) -> None:
    import subprocess
    import sys

    place = directory(tmp_path / "preset")
    code = (
        "import sys; from kerasllm.presets import find; preset = find(sys.argv[1]); preset.tokenizer(); "
        "preset.weights(3); assert not {'keras', 'keras_hub', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(place)], check=True, cwd=ROOT)


def test_wordpiece_is_tokenizers_own(tmp_path: Path) -> None:
    """The tokenizer that a vocabulary makes is the one that BertWordPieceTokenizer makes."""
    from tokenizers import BertWordPieceTokenizer

    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY), "utf-8")
    theirs = BertWordPieceTokenizer(str(tmp_path / "vocab.txt"), lowercase=True)
    mine: Tokenizer = word_piece(VOCABULARY, lowercase=True)
    for text in TEXTS:
        assert mine.encode(text).ids == theirs.encode(text).ids
