"""lstm_text: write on, in the manner of a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from kerasllm.language import LanguageModel
from kerasllm.parameters import parameter, with_default

if TYPE_CHECKING:
    import keras

# When epochs is 0: passes over a million tokens; shorter texts are gone over more often, longer ones less.
PASSES, MOST_PASSES = 6, 40


class LstmText(LanguageModel):
    """Learn how a text goes on, character by character or in pieces of words, with an LSTM, and write more of it.

    Mirrors the documents' text model Embedding -> LSTM(512) -> Dense; Chinese, English, verse or prose.
    """

    zh: ClassVar[str] = "用 LSTM 逐字（或逐词片）学习文本如何继续，并接着写。"

    learning_rate: float = with_default(LanguageModel, "learning_rate", 3e-3)
    warmup: float = with_default(LanguageModel, "warmup", 0.05)
    clipnorm: float = with_default(LanguageModel, "clipnorm", 1.0)
    embedding_size: int = parameter(128, "numbers per token", "每个词元的向量长度", group="network", ge=1, le=4096)
    units: int = parameter(512, "size of each LSTM", "每个 LSTM 的大小", group="network", ge=1, le=8192)
    depth: int = parameter(1, "LSTMs, one on the other", "叠加的 LSTM 层数", group="network", ge=1, le=8)
    dropout: float = parameter(
        0.25,
        "share of the numbers left out before, between and after the LSTMs",
        "在各 LSTM 之前、之间与之后随机忽略的比例",
        group="network",
        ge=0,
        lt=1,
    )
    tied: bool = parameter(
        True,
        "a token is read and written by the same numbers; off: by a dense layer of its own",
        "读与写共用词元的向量；关闭则输出另用一个全连接层",
        group="network",
        advanced=True,
    )

    def passes(self, steps: int, data: Any) -> int:
        """Passes grow as the text shrinks, by the square root: they cost less there, but teach less each."""
        tokens = steps * self.batch_size * self.window
        return self.epochs or min(MOST_PASSES, max(1, round(PASSES * (1e6 / tokens) ** 0.5)))

    def build(self, data: Any) -> keras.Model:
        """The network for the tokens that training found."""
        from kerasllm.models.lstm_lm import lstm_lm

        return lstm_lm(
            len(data.encoder.vocabulary),
            embedding_size=self.embedding_size,
            units=self.units,
            depth=self.depth,
            dropout=self.dropout,
            tied=self.tied,
            l1=self.l1,
            l2=self.l2,
            dtype=self.policy(),
            seed=self.seed,
        )

    def twin(self, model: keras.Model) -> keras.Model:
        """The network that carries its state from window to window."""
        from kerasllm.models.lstm_lm import carrying

        return carrying(model, self.batch_size)

    def stepping(self, model: keras.Model) -> keras.Model:
        """The network that writes: a step per token, the state handed on."""
        from kerasllm.models.lstm_lm import stepping

        return stepping(model)
