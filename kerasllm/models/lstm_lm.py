"""Write on: Embedding -> LSTM layers -> logits of the next token, at every place of a text.

Mirrors the listing Embedding -> LSTM(512, return_sequences) -> Dense(vocabulary, softmax), which is
`lstm_lm(vocabulary_size, embedding_size=…, units=512, tied=False)`; see also Zaremba et al. 2014 (dropout between
layers) and Press and Wolf 2017 (tied embeddings).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import initializers, layers, ops, regularizers

from kerasllm.models.once import once


def lstm_lm(
    vocabulary_size: int,
    *,
    embedding_size: int = 256,
    units: int = 512,
    depth: int = 1,
    dropout: float = 0.0,
    tied: bool = True,
    l1: float = 0.0,
    l2: float = 0.0,
    dtype: str = "float32",
    seed: int = 0,
) -> keras.Model:
    """Build the network.

    Args:
        vocabulary_size: count of tokens, V.
        embedding_size: numbers per token, E.
        units: of each LSTM, U.
        depth: LSTMs, one on the other.
        dropout: share of the numbers left out before, between and after the LSTMs.
        tied: a token's logit is its embedding times a dense layer of the last LSTM; else a dense layer of V.
        l1, l2: penalties on the dense layer's weights.
        dtype: Keras dtype policy.
        seed: of the initial weights and the dropout.

    Inputs: `ids` (B, T) int32, without padding: text is packed.
    Outputs: `logits` (B, T, V) float32, of the token that follows each place.
    """
    stack: list[layers.Layer] = [
        layers.ReversibleEmbedding(
            vocabulary_size,
            embedding_size,
            embeddings_initializer=initializers.RandomNormal(stddev=embedding_size**-0.5, seed=seed),
            dtype=dtype,
            name="embedding",
        ),
        layers.Dropout(dropout, seed=seed, dtype=dtype, name="dropout_0"),
    ]
    for place in range(1, depth + 1):
        lstm = layers.LSTM(
            units,
            return_sequences=True,
            return_state=True,  # for those who carry it on: `carrying`, `stepping`
            kernel_initializer=initializers.GlorotUniform(seed + 10 * place),
            recurrent_initializer=initializers.Orthogonal(seed=seed + 10 * place + 1),
            seed=seed + place,  # else it takes one from Python's random numbers, which are the user's
            dtype=dtype,
            name=f"lstm_{place}",
        )
        stack += [lstm, layers.Dropout(dropout, seed=seed + place, dtype=dtype, name=f"dropout_{place}")]
    size, name = (embedding_size, "projected") if tied else (vocabulary_size, "scores")
    dense = layers.Dense(
        size,
        kernel_initializer=initializers.GlorotUniform(seed + 1),
        kernel_regularizer=regularizers.L1L2(l1, l2) if l1 or l2 else None,
        dtype=dtype,
        name=name,
    )
    stack.append(dense)
    stack.append(layers.Activation("linear", dtype="float32", name="logits"))
    ids = keras.Input((None,), name="ids", dtype="int32")
    return keras.Model(ids, _through(stack, ids, lambda lstm, inputs: lstm(inputs)[0]), name="lstm_lm")


class Carried(layers.Layer):
    """An LSTM that goes on from the state in which it left the batch before; it only trains, and is not saved.

    Keras' own `stateful` keeps its states out of `model.variables`, so no checkpoint would hold them.
    """

    def __init__(self, lstm: layers.LSTM, streams: int) -> None:
        super().__init__(dtype="float32", name=f"carried_{lstm.name}")
        self.lstm = lstm
        self.state = [
            self.add_weight(shape=(streams, lstm.units), initializer="zeros", trainable=False, name=name)
            for name in ("hidden", "cell")
        ]

    def call(self, inputs: Any, begin: Any) -> Any:
        """(B, T, E), and (B,) true where a stream begins anew -> (B, T, U)."""
        kept = 1 - ops.cast(begin, "float32")[:, None]
        state = [ops.cast(kept * ops.convert_to_tensor(one), self.lstm.compute_dtype) for one in self.state]
        sequence, *after = self.lstm(inputs, initial_state=state)
        for one, value in zip(self.state, after, strict=True):
            one.assign(ops.stop_gradient(ops.cast(value, "float32")))
        return sequence


def carrying(model: keras.Model, streams: int) -> keras.Model:
    """The network to train: the same layers, but each LSTM goes on where the last batch left it.

    Inputs: `ids` (streams, T), and `begin` (streams,) bool, true where a stream begins anew.
    """
    ids = keras.Input(batch_shape=(streams, None), name="ids", dtype="int32")
    begin = keras.Input(batch_shape=(streams,), name="begin", dtype="bool")
    logits = _through(model.layers, ids, lambda lstm, inputs: Carried(lstm, streams)(inputs, begin))
    return keras.Model({"ids": ids, "begin": begin}, logits, name="training")


@once
def stepping(model: keras.Model) -> keras.Model:
    """The network to write with: (ids, state) -> (logits, state), the state a list of (B, U), two per LSTM."""
    before: list[Any] = []
    after: list[Any] = []

    def call(lstm: layers.LSTM, inputs: Any) -> Any:
        state = [keras.Input((lstm.units,), name=f"{lstm.name}_{name}") for name in ("hidden", "cell")]
        sequence, *new = lstm(inputs, initial_state=[ops.cast(one, lstm.compute_dtype) for one in state])
        before.extend(state)
        after.extend(ops.cast(one, "float32") for one in new)
        return sequence

    ids = keras.Input((None,), name="ids", dtype="int32")
    logits = _through(model.layers, ids, call)
    return keras.Model([ids, before], [logits, after], name="stepping")


def _through(stack: Sequence[Any], ids: Any, call: Callable[[layers.LSTM, Any], Any]) -> Any:
    """(B, T) ids -> (B, T, V) logits, each LSTM called by `call`."""
    hidden = ids
    for layer in stack:
        if isinstance(layer, layers.ReversibleEmbedding):
            embedding = layer
        if isinstance(layer, layers.LSTM):
            hidden = call(layer, hidden)  # (B, T, E or U) -> (B, T, U)
        elif not isinstance(layer, layers.InputLayer):
            hidden = layer(hidden)
        if layer.name == "projected":
            hidden = embedding(hidden, reverse=True)  # (B, T, E) -> (B, T, V)
    return hidden
