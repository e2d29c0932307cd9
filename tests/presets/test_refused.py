"""Presets that are broken, unknown or out of reach: one line, with the cure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kerasllm.errors import InputError
from kerasllm.presets import find
from tests.presets.directories import CONFIG, VOCABULARY, directory

slow = pytest.mark.slow
# transformers and KerasHub warn of what they will change; that is not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore")


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


def load(place: Path) -> None:
    preset = find(str(place))
    preset.tokenizer()
    preset.weights(preset.architecture.depth)


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


def test_a_path_that_is_not_there_is_told_from_a_name(tmp_path: Path) -> None:
    (tmp_path / "bert").mkdir()
    with pytest.raises(InputError, match=r"^preset: no directory .*/berd; did you mean 'bert'\?$"):
        find(str(tmp_path / "berd"))
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
        assert "give a directory that holds the files, or preset='' for a small network" in str(raised.value)
