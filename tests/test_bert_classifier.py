"""bert_classifier: its network, what is frozen, the layers' rates, the card, and what is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kerasllm.encoders import TokenEncoder, load
from kerasllm.errors import InputError
from kerasllm.recipes.bert_classifier import BertClassifier
from tests.presets.directories import directory

slow = pytest.mark.slow
TINY: dict[str, Any] = {"depth": 2, "width": 8, "heads": 2, "max_length": 8}
ROWS = {"text": ["good day", "真好!", "a bad day, again and again and again", "气"] * 10, "label": [*"yynn"] * 10}


def network(**options: Any) -> Any:
    pytest.importorskip("keras", reason="the train extra is not installed")
    from kerasllm.models import bert

    sizes: dict[str, Any] = {"depth": 2, "width": 8, "heads": 2, "feedforward": 16, "positions": 32, "seed": 1}
    return bert(30, 3, **(sizes | options))


# --- the network


@slow
@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_padding_does_not_count(pooling: str) -> None:
    model = network(pooling=pooling)
    ids, mask = np.array([[3, 7, 9]]), np.ones((1, 3), bool)
    short = np.asarray(model({"ids": ids, "mask": mask}))
    padded = {"ids": np.pad(ids, ((0, 0), (0, 13))), "mask": np.pad(mask, ((0, 0), (0, 13)))}
    np.testing.assert_allclose(np.asarray(model(padded)), short, atol=1e-6)
    # Place 0 is a token like any other where the mask says so.
    seen = {"ids": np.array([[3, 7, 9, 0]]), "mask": np.ones((1, 4), bool)}
    assert np.abs(np.asarray(model(seen)) - short).max() > 1e-5


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_a_text_without_a_token_has_an_answer(pooling: str) -> None:
    given = {"ids": np.zeros((1, 3), "int32"), "mask": np.zeros((1, 3), bool)}
    assert np.isfinite(np.asarray(network(pooling=pooling)(given))).all()


@slow
def test_the_order_of_tokens_counts() -> None:
    model, mask = network(), np.ones((1, 3), bool)
    one, other = (np.asarray(model({"ids": np.array([ids]), "mask": mask})) for ids in ([3, 7, 9], [9, 7, 3]))
    assert np.abs(one - other).max() > 1e-4


@slow
def test_a_seed_makes_the_weights_and_no_two_matrices_are_alike() -> None:
    one, again, other = (network(seed=seed).get_weights() for seed in (1, 1, 2))
    assert all((mine == theirs).all() for mine, theirs in zip(one, again, strict=True))
    assert any((mine != theirs).any() for mine, theirs in zip(one, other, strict=True))
    attention = network().get_layer("block_1_attention")
    query, key = (np.asarray(layer.kernel) for layer in (attention.query_dense, attention.key_dense))
    assert np.abs(query - key).max() > 1e-3


@slow
@pytest.mark.parametrize("options", [{}, {"activation": "gelu_tanh", "pooling": "first", "l2": 0.1, "dropout": 0.3}])
def test_a_saved_network_answers_the_same(options: dict[str, Any], tmp_path: Path) -> None:
    import keras

    model = network(**options)
    batch = {"ids": np.arange(12).reshape(3, 4).astype("int32"), "mask": np.ones((3, 4), bool)}
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert (again.predict(batch, verbose=0) == model.predict(batch, verbose=0)).all()


# --- training


@slow
def test_frozen_layers_stay_as_the_preset_has_them_and_others_move(tmp_path: Path) -> None:
    place = directory(tmp_path / "preset")
    run = BertClassifier(
        preset=str(place), frozen=2, max_length=8, epochs=2, learning_rate=0.01, weight_decay=0.5
    ).train(ROWS)
    before = run.recipe.build(run.recipe.read(ROWS))
    moved = {
        mine.path.split("/")[0]
        for mine, theirs in zip(run.model.weights, before.weights, strict=True)
        if (np.asarray(mine) != np.asarray(theirs)).any()
    }
    assert {name.rsplit("_", 1)[0] if name.startswith("block") else name for name in moved} == {"block_3", "scores"}
    assert len(before.trainable_weights) == 16 + 2


@slow
@pytest.mark.parametrize("preset", [False, True])
def test_the_last_position_may_be_any(preset: bool, tmp_path: Path) -> None:
    place = directory(tmp_path / "preset", max_position_embeddings=13) if preset else ""
    sizes = {} if preset else TINY
    run = BertClassifier(**(sizes | {"preset": str(place), "max_length": 13, "epochs": 1, "batch_size": 8})).train(
        {"text": ["a good day, again and again and again"] * 20 + ["good"] * 20, "label": [*"yn"] * 20}
    )
    assert run.state == "completed"
    assert len(run.predict(["again and again and again and again and again"])) == 1


def test_the_passes_follow_the_number_of_tokens() -> None:
    def passes(rows: int, length: int, **values: Any) -> int:
        data = SimpleNamespace(training=SimpleNamespace(inputs={"ids": [range(length)] * rows}))
        return BertClassifier(**values).passes(1, data)

    assert [passes(100, 10), passes(5_000, 12), passes(8_000, 27), passes(8_000, 64), passes(10**5, 64)] == [
        20,
        10,
        3,
        2,
        2,
    ]
    assert passes(100, 10, epochs=3) == 3
    assert [passes(100, 10, preset="a/preset"), passes(8_000, 27, preset="a/preset")] == [10, passes(8_000, 27)]


@slow
def test_each_layers_rate_is_a_share_of_the_one_above(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    from kerasllm.training.optimizers import optimizer

    recipe = BertClassifier(**TINY, layer_decay=0.5, warmup=0, schedule="constant", learning_rate=0.01, clipnorm=0)
    assert recipe.rate_of("scores/kernel") == 1
    assert recipe.rate_of("block_2_wide/bias") == 0.5
    assert recipe.rate_of("block_1_attention/query/kernel") == 0.25
    assert recipe.rate_of("tokens/embeddings") == recipe.rate_of("embedded/gamma") == 0.125

    model = network()
    made = optimizer(recipe, steps=10)
    made.build(model.trainable_variables)
    before = {weight.path: np.asarray(weight).copy() for weight in model.trainable_variables}
    made.apply([keras.ops.ones_like(weight) for weight in model.trainable_variables], model.trainable_variables)
    for weight in model.trainable_variables:
        step = 0.01 * recipe.rate_of(weight.path)  # Adam's first step is the rate, whatever the gradient's scale
        matrix = weight.name in ("kernel", "embeddings")
        shrunk = before[weight.path] * (1 - recipe.weight_decay * step * matrix)
        np.testing.assert_allclose(np.asarray(weight), shrunk - step, atol=1e-6)


@slow
def test_a_run_on_a_preset_needs_it_no_more(tmp_path: Path) -> None:
    import shutil

    place = directory(tmp_path / "preset", dtype="F16")
    run = BertClassifier(preset=str(place), depth=2, max_length=8, epochs=1).train(ROWS)
    assert len([layer for layer in run.model.layers if layer.name.endswith("_attention")]) == 2
    shutil.rmtree(place)
    assert len(run.predict(["good day", "气"])) == 2
    assert run.evaluate(ROWS)["rows"] == 40


@slow
def test_a_preset_that_changed_is_not_gone_on_with(tmp_path: Path) -> None:
    import json

    import pandas as pd

    from kerasllm.run import create

    pd.DataFrame(ROWS).to_csv(tmp_path / "rows.csv", index=False)
    place = directory(tmp_path / "preset")
    recipe = BertClassifier(data=str(tmp_path / "rows.csv"), preset=str(place), max_length=8, epochs=1)
    assert recipe.anchored().preset == str(place)
    run = create(recipe.anchored())
    session = {"backend": "tensorflow", "data": recipe.fingerprints()}
    (run.path / "sessions.jsonl").write_text(json.dumps(session) + "\n")
    (place / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n", "utf-8")
    with pytest.raises(InputError, match="preset has changed since"):
        run.resume()


# --- what is told and refused before Keras is imported


def test_the_card_tells_how_many_texts_are_cut() -> None:
    data = BertClassifier(**TINY, test="").read(ROWS)
    assert "10 of 40 training texts are cut to 8 tokens; max_length keeps more" in data.card["warnings"]
    assert max(map(len, data.training.inputs["ids"])) == 8
    assert not BertClassifier(max_length=16, test="").read(ROWS).card["warnings"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"width": 64}, "width is for a network from scratch; preset"),
        ({"heads": 2}, "heads is for a network from scratch"),
        ({"preset": "", "frozen": 1}, "there is no preset: name one, or set frozen=0"),
        ({"preset": "", "heads": 3}, "heads: 3 do not divide the width 128"),
        ({"max_length": 64}, "max_length: 64 is more than the 24 positions"),
        ({"depth": 4, "max_length": 8}, "depth: 4 is more than the 3 layers"),
        ({"frozen": 4, "max_length": 8}, "frozen: 4 is more than the 3 layers"),
        ({"preset": "no/such"}, "is no directory; for one of huggingface.co write hf://no/such"),
    ],
)
def test_what_cannot_be_is_one_line(settings: dict[str, Any], says: str, tmp_path: Path) -> None:
    place = directory(tmp_path / "preset")

    def checked() -> None:
        recipe = BertClassifier(**({"preset": str(place)} | settings))
        recipe.check(recipe.read(ROWS))

    with pytest.raises(InputError) as raised:
        checked()
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


# --- the tokens


def test_a_learned_tokenizer_is_the_same_each_time_and_knows_the_most_frequent() -> None:
    texts = ["Good day, good people", "真好真", "day"]
    one, again = (TokenEncoder.fit(texts, size=9, max_length=10) for _ in range(2))
    assert one.files() == again.files()
    assert one.tokenizer.encode("ＧＯＯＤ 真 people").tokens == ["[CLS]", "good", "真", "[UNK]", "[SEP]"]
    assert one.tokenizer.get_vocab_size() == 9


def test_tokens_are_saved_and_loaded(tmp_path: Path) -> None:
    encoder = TokenEncoder.fit(["good day", "真好"], "message", size=99, max_length=4)
    (tmp_path / "labels.json").write_text("[]")
    for name, text in encoder.files().items():
        (tmp_path / name).write_text(text, "utf-8")
    again, _ = load(tmp_path)
    assert isinstance(again, TokenEncoder)
    assert again.files() == encoder.files()
    texts = again.rows([{"message": "good good good"}, {"message": ""}])
    assert [row.tolist() for row in again.encode(texts)["ids"]] == [[2, 6, 6, 3], [2, 3]]
    assert again.count_cut(texts) == 1
    with pytest.raises(InputError, match="row 1 has no column 'message'"):
        again.rows([{"text": "good"}])
