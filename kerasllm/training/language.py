"""What a language model does when it is trained: score text, tell the next token, write on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import keras
import numpy as np
from keras import ops

from kerasllm.models.once import once

PIECE, WARM = 384, 128  # tokens scored at a time, of which all but the first piece's first ones only warm the state
CONTEXT = 256  # last tokens of a prompt that its next token is told from
READ = 64  # tokens of a prompt at a time, and what is left one by one: each length is a compilation
ROWS = 16  # at a time: logits of a large vocabulary are large


def nats(model: keras.Model, tokens: np.ndarray) -> np.ndarray:
    """(N,) ids -> (N - 1,) surprise at each token but the first, in nats, given those before it.

    Pieces are read side by side, each after WARM tokens that are not scored: what a state holds of text further back
    is next to nothing, and the text need not be read in one row.
    """
    targets = len(tokens) - 1
    length = min(PIECE, targets)
    starts = [0, *range(length - WARM, targets - WARM, length - WARM)] if length == PIECE else [0]
    places = np.minimum(starts, targets - length)[:, None] + np.arange(length)  # (pieces, T)
    given = _surprise(model).predict([tokens[places], tokens[places + 1]], batch_size=ROWS, verbose=0)
    found = np.empty(targets, "float64")
    for place, values in zip(places[::-1], given[::-1], strict=True):  # later pieces first: the warm part is replaced
        found[place] = values
    return found


@once
def _surprise(model: keras.Model) -> keras.Model:
    """(ids, following), each (B, T) -> (B, T) nats of what follows."""
    following = keras.Input((None,), name="following", dtype="int32")
    logits = model.output
    chosen = ops.take_along_axis(logits, following[..., None], axis=-1)[..., 0]
    return keras.Model([model.input, following], ops.logsumexp(logits, axis=-1) - chosen)


def next_logits(model: keras.Model, rows: Sequence[np.ndarray]) -> np.ndarray:
    """(rows, V) logits of the token after each row of ids, given its last CONTEXT."""
    recent = [row[-CONTEXT:] for row in rows]
    length = -(-max(map(len, recent)) // 64) * 64  # few lengths: each is a compilation under XLA
    ids = np.zeros((len(recent), length), "int32")
    for place, row in enumerate(recent):
        ids[place, : len(row)] = row  # what follows the row's end cannot reach back
    lasts = np.array([len(row) - 1 for row in recent], "int32")
    return np.asarray(_chosen(model).predict([ids, lasts], batch_size=ROWS, verbose=0))


@once
def _chosen(model: keras.Model) -> keras.Model:
    """(ids (B, T), a place (B,)) -> (B, V) logits at that place."""
    place = keras.Input((), name="place", dtype="int32")
    return keras.Model([model.input, place], ops.take_along_axis(model.output, place[:, None, None], axis=1)[:, 0])


def written(
    step: keras.Model,
    prompt: Sequence[int],
    rows: int,
    *,
    length: int,
    temperature: float,
    top_k: int,
    top_p: float,
    seed: int,
    never: Sequence[int],
) -> Iterator[np.ndarray]:
    """Yield (rows,) ids, `length` times: `rows` texts side by side that go on after the prompt.

    Args:
        step: (ids, state) -> (logits, state), as `models.lstm_lm.stepping` makes it: a token costs one step.
        prompt: ids, at least one.
        never: ids that are not drawn.
    """
    draw = np.random.default_rng(seed)
    state = [np.zeros((rows, one.shape[-1]), "float32") for one in step.inputs[1:]]
    whole = len(prompt) // READ * READ
    for place in (*range(0, whole, READ), *range(whole, len(prompt))):
        piece = prompt[place : place + (READ if place < whole else 1)]
        logits, state = step.predict_on_batch([np.tile(np.array(piece, "int32"), (rows, 1)), state])
    for _ in range(length):
        scores = np.asarray(logits)[:, -1].astype("float64")
        scores[:, list(never)] = -np.inf
        shares = kept(scores, temperature, top_k, top_p)
        # One number per row decides: the first token at which the shares sum up to more than it.
        tokens = (shares.cumsum(axis=1) > draw.random(rows)[:, None]).argmax(axis=1).astype("int32")
        yield tokens
        logits, state = step.predict_on_batch([tokens[:, None], state])


def kept(scores: np.ndarray, temperature: float, top_k: int, top_p: float) -> np.ndarray:
    """(rows, V) logits -> shares to draw from: of the `top_k` likeliest (0: all), and the fewest that reach `top_p`.

    Temperature 0 takes the likeliest; below 1 sharpens, above 1 flattens.
    """
    shares = np.zeros_like(scores)
    order = np.argsort(-scores, axis=1, kind="stable")
    if temperature == 0:
        np.put_along_axis(shares, order[:, :1], 1.0, axis=1)
        return shares
    ranked = np.take_along_axis(scores, order, axis=1)
    with np.errstate(over="ignore"):  # near temperature 0: exp(-inf) is the 0 that is meant
        ranked = np.exp((ranked - ranked[:, :1]) / temperature)
    ranked /= ranked.sum(axis=1, keepdims=True)
    if top_k:
        ranked[:, top_k:] = 0
    ranked[ranked.cumsum(axis=1) - ranked >= top_p] = 0  # those before it reach top_p already
    ranked /= ranked.sum(axis=1, keepdims=True)
    np.put_along_axis(shares, order, ranked, axis=1)
    return shares
