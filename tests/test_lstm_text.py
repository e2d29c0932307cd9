"""The LSTM that writes: carried state, streams, scores, drawing, stopping in the middle of an epoch."""

from __future__ import annotations

import gc
import json
import math
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kerasllm.data.samples import sample
from kerasllm.errors import InputError
from kerasllm.recipes.lstm_text import LstmText
from kerasllm.run import Run, create
from tests.conftest import asked_to_stop

pytestmark = pytest.mark.slow

keras = pytest.importorskip("keras", reason="the train extra is not installed")

from kerasllm.data import Examples  # noqa: E402
from kerasllm.models.lstm_lm import carrying, lstm_lm, stepping  # noqa: E402
from kerasllm.training import language  # noqa: E402
from kerasllm.training.language import kept, nats, next_logits, written  # noqa: E402
from kerasllm.training.streams import Streams  # noqa: E402

SIZES: dict[str, Any] = {"units": 12, "embedding_size": 6, "batch_size": 8, "window": 32}


def network(**options: Any) -> Any:
    return lstm_lm(11, **{"embedding_size": 5, "units": 7, "depth": 2, "seed": 3, **options})


def tokens(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(2, 11, count).astype("int32")


def test_the_listings_layers_are_an_option() -> None:
    model = lstm_lm(5000, embedding_size=128, units=512, tied=False)
    # Embedding 5,000 x 128; LSTM 4 x 512 x (128 + 512 + 1); Dense 512 x 5,000 + 5,000.
    assert model.count_params() == 640_000 + 1_312_768 + 2_565_000


def test_tied_embeddings_save_the_large_dense_layer() -> None:
    assert lstm_lm(5000, embedding_size=128).count_params() == 640_000 + 1_312_768 + 512 * 128 + 128


@pytest.mark.parametrize("tied", [True, False])
def test_the_state_carried_from_window_to_window_is_that_of_one_long_text(tied: bool) -> None:
    model = network(tied=tied, dropout=0.5)
    ids = tokens(60).reshape(2, 30)
    whole = np.asarray(model.predict(ids, verbose=0))
    carried = carrying(model, 2)
    for begin in (True, True):  # a new beginning forgets what was carried
        parts = [
            carried.predict_on_batch({"ids": ids[:, i : i + 10], "begin": np.full(2, begin and i == 0)})
            for i in (0, 10, 20)
        ]
        np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=1e-5)


def test_one_stream_begins_anew_and_the_other_goes_on() -> None:
    model = network()
    carried = carrying(model, 2)
    ids = tokens(40).reshape(2, 20)
    carried.predict_on_batch({"ids": ids[:, :10], "begin": np.array([True, True])})
    found = carried.predict_on_batch({"ids": ids[:, 10:], "begin": np.array([True, False])})
    np.testing.assert_allclose(found[:1], model.predict(ids[:1, 10:], verbose=0), atol=1e-5)
    np.testing.assert_allclose(found[1:], model.predict(ids[1:], verbose=0)[:, 10:], atol=1e-5)


def test_a_checkpoint_holds_the_carried_state() -> None:
    paths = [variable.path for variable in carrying(network(), 4).variables]
    assert sum("carried_lstm_" in path for path in paths) == 4


def test_the_penalties_are_on_the_dense_layer_and_count_in_training() -> None:
    recipe = LstmText(l1=0.1, l2=0.01, **SIZES)
    model = recipe.build(SimpleNamespace(encoder=SimpleNamespace(vocabulary=range(11))))
    kernel = np.asarray(model.get_layer("projected").kernel)
    expected = 0.1 * np.abs(kernel).sum() + 0.01 * np.square(kernel).sum()
    (penalty,) = recipe.twin(model).losses
    np.testing.assert_allclose(np.asarray(penalty), expected, rtol=1e-5)


def test_a_step_per_token_tells_the_same_as_the_whole_text() -> None:
    model = network()
    ids = tokens(9)[None]
    step, state, found = stepping(model), [np.zeros((1, 7), "float32")] * 4, []
    for place in range(9):
        logits, state = step.predict_on_batch([ids[:, place : place + 1], state])
        found.append(logits[:, 0])
    np.testing.assert_allclose(np.stack(found, axis=1), model.predict(ids, verbose=0), atol=1e-5)


@pytest.mark.parametrize("make", [stepping, language._surprise, language._chosen])
def test_what_is_made_of_a_network_is_made_once_and_goes_with_it(make: Any) -> None:
    model = network()
    made = weakref.ref(make(model))
    assert made() is make(model)
    del model
    gc.collect()  # the network, which is a cycle; and then the one that it let go of
    gc.collect()
    assert made() is None


def test_the_saved_network_takes_any_number_of_rows_and_any_length(tmp_path: Path) -> None:
    model = network()
    carrying(model, 4).predict_on_batch({"ids": tokens(20).reshape(4, 5), "begin": np.ones(4, bool)})
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    for shape in ((1, 9), (5, 3)):
        ids = tokens(math.prod(shape)).reshape(shape)
        assert (again.predict(ids, verbose=0) == model.predict(ids, verbose=0)).all()


def streams(seed: int | None = None, count: int = 4, window: int = 10) -> Streams:
    texts = [np.arange(1000 * text, 1000 * text + 7 + 13 * text, dtype="int32") for text in range(9)]
    return Streams(Examples({"ids": texts}, np.zeros(9)), count, window, seed)


def test_streams_read_every_token_and_hardly_any_twice() -> None:
    batches = streams()
    read = np.concatenate([batches[place][0]["ids"].ravel() for place in range(batches.num_batches)])
    known = np.concatenate(batches.texts)
    assert set(read) == set(known)
    assert len(read) - len(known) < len(batches.plan) * 4
    assert len({batches[place][0]["ids"].shape for place in range(batches.num_batches)}) == 1


def test_each_window_goes_on_where_the_last_one_ended() -> None:
    batches = streams(seed=1)
    for place in range(batches.num_batches - 1):
        (one, following), (other, _) = batches[place], batches[place + 1]
        assert (one["ids"][:, 1:] == following[:, :-1]).all()
        assert (other["ids"][:, 0] == following[:, -1]).all()
        assert one["begin"].all() == (place == 0)


def test_an_epochs_order_is_a_pure_function_of_seed_and_epoch() -> None:
    def read(seed: int, epoch: int, start: int = 0) -> list[int]:
        batches = streams(seed)
        batches.begin(epoch, start)
        return [int(one) for place in range(batches.num_batches) for one in batches[place][0]["ids"].ravel()]

    assert read(1, 2) == read(1, 2)
    assert read(1, 2) != read(1, 3)
    assert read(1, 2) != read(2, 2)
    assert read(1, 2, start=3) == read(1, 2)[3 * len(read(1, 2)) // len(streams().plan) :]


@pytest.mark.parametrize("count", [2, 300, 384, 385, 1500])
def test_pieces_read_side_by_side_are_as_surprised_as_one_pass(count: int) -> None:
    model, ids = network(), tokens(count)
    logits = model.predict(ids[None, :-1], verbose=0)[0].astype("float64")
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(nats(model, ids), -np.log(shares[np.arange(count - 1), ids[1:]]), atol=1e-3)


def test_the_next_token_is_told_from_the_last_real_one() -> None:
    model = network()
    rows = [tokens(3), tokens(70, 1), tokens(1, 2)]
    found = next_logits(model, rows)
    for row, logits in zip(rows, found, strict=True):
        np.testing.assert_allclose(logits, model.predict(row[None], verbose=0)[0, -1], atol=1e-5)


def test_what_is_kept_to_draw_from() -> None:
    scores = np.log([[0.1, 0.4, 0.2, 0.3]])
    np.testing.assert_allclose(kept(scores, 1, 0, 1), [[0.1, 0.4, 0.2, 0.3]])
    np.testing.assert_allclose(kept(scores, 0, 0, 1), [[0, 1, 0, 0]])
    np.testing.assert_allclose(kept(scores, 1e-310, 0, 1), [[0, 1, 0, 0]])
    np.testing.assert_allclose(kept(scores, 1, 2, 1), [[0, 4 / 7, 0, 3 / 7]])
    np.testing.assert_allclose(kept(scores, 1, 0, 0.7), [[0, 4 / 7, 0, 3 / 7]])
    np.testing.assert_allclose(kept(scores, 1, 0, 0.01), [[0, 1, 0, 0]])
    np.testing.assert_allclose(kept(scores, 0.5, 0, 1), np.array([[1, 16, 4, 9]]) / 30)


def test_what_is_drawn_follows_the_distribution_and_the_seed() -> None:
    step = stepping(network())
    options: dict[str, Any] = {"length": 2, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "never": [1]}
    drawn = np.stack(list(written(step, [0, 5], 4000, **options, seed=1)))
    assert (drawn == np.stack(list(written(step, [0, 5], 4000, **options, seed=1)))).all()
    assert (drawn != np.stack(list(written(step, [0, 5], 4000, **options, seed=2)))).any()
    assert not (drawn == 1).any()
    logits = network().predict(np.array([[0, 5]]), verbose=0)[0, -1]
    logits[1] = -np.inf
    shares = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(np.bincount(drawn[0], minlength=11) / 4000, shares, atol=0.03)


def test_a_long_prompt_is_read_in_pieces_and_none_of_it_is_lost() -> None:
    model, prompt = network(), [0, *tokens(2 * language.READ + 5).tolist()]
    options: dict[str, Any] = {"temperature": 0, "top_k": 0, "top_p": 1.0, "seed": 0, "never": []}
    likeliest = model.predict(np.array([prompt]), verbose=0)[0, -1].argmax()
    step = stepping(model)
    (drawn,) = written(step, prompt, 3, length=1, **options)
    assert drawn.tolist() == [likeliest] * 3
    read: list[int] = []
    step.predict_on_batch = lambda given, one=step.predict_on_batch: (read.append(given[0].shape[1]), one(given))[1]
    list(written(step, prompt, 1, length=2, **options))
    assert read == [64, 64, *[1] * 6, *[1] * 2]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("lstm")
    (folder / "alphabet.txt").write_text("abcdefghijklmnopqrstuvwxyz. " * 300)
    recipe = LstmText(data=str(folder / "alphabet.txt"), **{**SIZES, "units": 32}, epochs=30, learning_rate=0.01)
    return recipe.train(runs=folder)


def test_it_learns_the_alphabet_and_goes_on_with_it(trained: Run) -> None:
    assert trained.scores["nats_per_character"] < 0.1
    assert trained.scores["perplexity"] == pytest.approx(math.exp(trained.scores["nats_per_character"]))
    assert "".join(trained.generate("abc", length=40, temperature=0)).startswith("defghijklmnopqrstuvwxyz. abc")
    assert [answer["next"] for answer in trained.predict(["abcdefghijklmnopqrstuvwxy", "abcdef"])] == ["z", "g"]


def test_the_speed_of_writing_stands_beside_the_scores_and_not_among_them(
    trained: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    from kerasllm.cli import main

    speed = trained.report["speed"]["tokens_per_second"]
    assert speed > 0
    assert "tokens_per_second" not in json.dumps([trained.scores, trained.report["splits"]])
    with pytest.raises(SystemExit):
        main(["show", str(trained.path), "--json"])
    *lines, last = capsys.readouterr().out.splitlines()
    assert f"  tokens_per_second {speed:.6g}" in lines
    assert json.loads(last)["speed"] == {"tokens_per_second": speed}


def test_what_is_written_comes_piece_by_piece_by_the_seed(trained: Run) -> None:
    options: dict[str, Any] = {"length": 30, "temperature": 3.0}
    one = list(trained.generate("a", seed=1, **options))
    assert len(one) <= 30
    assert all(len(piece) == 1 for piece in one)
    assert one == list(trained.generate("a", seed=1, **options))
    assert one != list(trained.generate("a", seed=2, **options))


def test_a_prompt_that_training_could_not_read_is_refused(trained: Run) -> None:
    with pytest.raises(InputError, match=r"^prompt: training saw no '你', '好'$"):
        trained.generate("a你好")


def test_an_unseen_character_is_charged_the_share_set_aside_in_equal_parts(trained: Run) -> None:
    seen = trained.evaluate(["abcdefgh" * 30])
    new = trained.evaluate(["abcdefgh" * 30 + "ÄÖÄÖÄ"])
    each = -math.log(1 / (trained.card["split_characters"]["train"] + 1)) + math.log(2)
    assert new["characters"] == seen["characters"] + 5
    total = new["nats_per_character"] * new["characters"] - seen["nats_per_character"] * seen["characters"]
    assert total == pytest.approx(5 * each, abs=12)  # the text's end comes at another place


@pytest.mark.parametrize("kind", ["characters", "bpe"])
def test_a_stop_in_mid_epoch_costs_nothing(kind: Any, tmp_path: Path) -> None:
    rows = ['"' + text.replace('"', '""') + '"' for text in sample("messages")["text"][:200]]
    (tmp_path / "texts.csv").write_text("\n".join(["text", *rows]), "utf-8")
    recipe = LstmText(
        data=str(tmp_path / "texts.csv"), **SIZES, epochs=2, dropout=0.3, validation="0.1", tokens=kind,
        vocabulary_size=1000,
    )  # fmt: skip
    whole = recipe.train(name="whole")
    run = create(recipe, name="stopped")
    with asked_to_stop(14):
        run.resume()
    assert run.state == "stopped"
    assert run.resume().state == "completed"
    assert run.report["weights"] == whole.report["weights"]
    assert run.report["splits"] == whole.report["splits"]
    assert [line["val_loss"] for line in run.epochs] == [line["val_loss"] for line in whole.epochs]


def test_the_command_line_writes_as_python_does(trained: Run, capsys: pytest.CaptureFixture[str]) -> None:
    from kerasllm.cli import main

    with pytest.raises(SystemExit) as left:
        main(["generate", str(trained.path), "--prompt", "ab", "--length", "12", "--top-k", "3", "--json"])
    assert left.value.code == 0
    shown = capsys.readouterr().out.splitlines()
    text = "".join(trained.generate("ab", length=12, top_k=3))
    assert shown[0] == "ab" + text
    assert json.loads(shown[-1])["text"] == text
    assert json.loads(shown[-1])["tokens_per_second"] > 0


def test_a_run_that_writes_no_text_says_so(runs: Path) -> None:
    from kerasllm.recipes.linear_regression import LinearRegression

    run = LinearRegression(data="sample:line", epochs=1).train()
    with pytest.raises(InputError, match="linear_regression answers rows and writes no text"):
        run.generate("a")


def test_a_long_text_is_scored_in_part(trained: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert language.PIECE > language.WARM
    monkeypatch.setattr("kerasllm.language.MOST", 100)
    found = trained.evaluate(["abcdefgh" * 30])
    assert found["characters"] == 100
    assert found["notes"] == ["only the first 100 tokens are scored"]


def test_an_evaluation_tells_which_texts_it_leaves_out_and_which_characters_are_new(trained: Run) -> None:
    found = trained.evaluate({"text": ["abcdefgh", " ", "abcÄ"]})
    assert found["rows"] == 2
    assert found["notes"] == ["1 left out: no text in 'text'", "characters that training never saw: 'Ä'"]
    assert [found["zh"][note] for note in found["notes"]] == ["略去 1：'text' 列没有文本", "训练中没有的字符：'Ä'"]
    assert "notes" not in trained.evaluate(["abcdefgh"])
