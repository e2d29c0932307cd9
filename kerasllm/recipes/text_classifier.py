"""text_classifier: which class a text belongs to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from kerasllm.parameters import parameter, with_default
from kerasllm.tasks import TextClassification

if TYPE_CHECKING:
    import keras

    from kerasllm.data import Encoder

# When epochs is 0; tuned on six sets, see docs/benchmarks.md.
FEWEST_EPOCHS, FEWEST_STEPS, FEWEST_STEPS_OF_TWO = 4, 300, 240


class TextClassifier(TextClassification):
    """Tell the class of a text from its words, their order, and the letters in them.

    Mirrors the documents' text classification by Embedding and GlobalAveragePooling1D; Chinese and English, any number
    of classes. It beats TF-IDF with a linear SVM: see docs/benchmarks.md.
    """

    zh: ClassVar[str] = "由文本的词、词序和字母判断它属于哪一类。"

    epochs: int = parameter(
        0,
        f"passes over the training rows; 0: {FEWEST_EPOCHS}, or what {FEWEST_STEPS} steps take"
        f", of two classes {FEWEST_STEPS_OF_TWO}",
        f"遍历训练数据的次数；0 为 {FEWEST_EPOCHS} 次，或达到 {FEWEST_STEPS} 步"
        f"（两类时 {FEWEST_STEPS_OF_TWO} 步）所需的次数",
        group="training",
        ge=0,
        le=100_000,
    )
    batch_size: int = with_default(TextClassification, "batch_size", 128)
    learning_rate: float = with_default(TextClassification, "learning_rate", 0.02)
    warmup: float = with_default(TextClassification, "warmup", 0.05)
    words: int = parameter(
        3,
        "longest run of words (or Chinese characters) that counts as one feature",
        "作为一个特征的最长连续词（或汉字）数",
        group="network",
        ge=1,
        le=5,
    )
    gaps: bool = parameter(
        True,
        "pairs of words with one between them are features too",
        "中间隔一个词的词对也作为特征",
        group="network",
        advanced=True,
    )
    characters: int = parameter(
        4,
        "longest piece of a word that counts as a feature; 0: whole words only",
        "作为特征的最长词内片段；0 为只用整词",
        group="network",
        ge=0,
        le=8,
        unit="characters",
    )
    vocabulary_size: int = parameter(
        40_000,
        "features known at most, the most frequent",
        "最多保留的特征数，取最常见的",
        group="network",
        ge=2,
        le=5_000_000,
    )
    max_length: int = parameter(
        512, "features of one text at most", "每条文本最多的特征数", group="network", ge=1, le=100_000, advanced=True
    )
    embedding_size: int = parameter(
        0, "numbers per feature; 0: one per class", "每个特征的向量长度；0 为每类一个数", group="network", ge=0, le=4096
    )
    units: int = parameter(
        0,
        "size of a dense layer after the pooling; 0: none",
        "池化后全连接层的大小；0 为没有",
        group="network",
        ge=0,
        le=65_536,
    )
    weighted: bool = parameter(
        True,
        "learn how much each feature counts, from its rarity; off: a plain mean",
        "从稀有程度出发学习每个特征的权重；关闭则为普通平均",
        group="network",
        advanced=True,
    )
    dropout: float = parameter(
        0.25, "share of the features left out at each step", "每一步随机忽略的特征比例", group="network", ge=0, lt=1
    )

    def fit_encoder(self, texts: Sequence[str]) -> Encoder:
        """Learn the features."""
        from kerasllm.encoders import TextEncoder

        return TextEncoder.fit(
            texts,
            column=self.text,
            words=self.words,
            gaps=self.gaps,
            characters=self.characters,
            size=self.vocabulary_size,
            max_length=self.max_length,
        )

    def passes(self, steps: int, data: Any) -> int:
        """Small files are gone over more often, so that each feature is seen often enough.

        Two classes need fewer steps: a feature's two votes move apart at twice the pace.
        """
        wanted = FEWEST_STEPS if len(data.decoder.names) > 2 else FEWEST_STEPS_OF_TWO
        return self.epochs or max(FEWEST_EPOCHS, math.ceil(wanted / steps))

    def build(self, data: Any) -> keras.Model:
        """Pool the features' votes, each weighted at first by its inverse document frequency."""
        import numpy as np

        from kerasllm.models.text_pooling import text_pooling

        size = len(data.encoder.vocabulary)
        ids = np.concatenate(data.training.inputs["ids"])
        rarity = np.log((1 + len(data.train)) / (1 + np.bincount(ids, minlength=size))) + 1
        return text_pooling(
            size,
            len(data.decoder.names),
            embedding_size=self.embedding_size,
            units=self.units,
            weighted=self.weighted,
            importance=(0.5 * rarity / rarity.mean()).astype("float32"),  # small, so that training moves it
            dropout=self.dropout,
            l1=self.l1,
            l2=self.l2,
            dtype=self.policy(),
            seed=self.seed,
        )
