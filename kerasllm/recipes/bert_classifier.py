"""bert_classifier: which class a text belongs to, by a pretrained Transformer encoder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import model_validator

from kerasllm.errors import InputError
from kerasllm.parameters import only_from_scratch, parameter, with_default
from kerasllm.tasks import TextClassification

if TYPE_CHECKING:
    import keras

    from kerasllm.data import Data, Encoder, Examples
    from kerasllm.presets import Preset
    from kerasllm.training.batches import Batches

RATES = (2e-4, 1e-3)  # when learning_rate is 0: with a preset, and from scratch
# When epochs is 0: the tokens shown in all, and the bounds of the passes that this makes; the most, as above.
SHOWN, FEWEST_EPOCHS, MOST_EPOCHS = 600_000, 2, (10, 20)
LENGTHS = 6  # padded lengths of the batches: padding costs more here than anywhere
FROM_SCRATCH = ("width", "heads", "vocabulary_size")
DEPTH = 2  # from scratch


class BertClassifier(TextClassification):
    """Tell the class of a text by fine-tuning a pretrained BERT encoder.

    Mirrors the documents' BERT classifier (bert-base-chinese, Adam 1e-5, 3 epochs). A preset is what makes it good; the
    small encoder from scratch needs no network, and more texts than most people have: see docs/benchmarks.md.
    """

    zh: ClassVar[str] = "微调预训练的 BERT 编码器，判断文本属于哪一类。"

    preset: str = parameter(
        "",
        "pretrained encoder: a Hugging Face or KerasHub directory, hf://user/model, or a KerasHub preset's name; "
        "empty: a small one from scratch",
        "预训练编码器：Hugging Face 或 KerasHub 目录、hf://用户/模型，或 KerasHub 预设名；空则从零训练一个小编码器",
        group="network",
        kind="preset",
    )
    epochs: int = parameter(
        0,
        f"passes over the training rows; 0: what shows {SHOWN} tokens, {FEWEST_EPOCHS} to {MOST_EPOCHS[0]}, "
        f"or {MOST_EPOCHS[1]} from scratch",
        f"遍历训练数据的次数；0 为总共展示 {SHOWN} 个词元所需的次数，{FEWEST_EPOCHS} 到 {MOST_EPOCHS[0]}，"
        f"从零训练时至多 {MOST_EPOCHS[1]}",
        group="training",
        ge=0,
        le=100_000,
    )
    learning_rate: float = parameter(
        0.0,
        f"step size of the optimizer; 0: {RATES[0]:g}, or {RATES[1]:g} from scratch",
        f"优化器的步长；0 为 {RATES[0]:g}，从零训练时为 {RATES[1]:g}",
        group="training",
        ge=0,
        le=10,
    )
    layer_decay: float = parameter(
        0.9,
        "learning rate of a layer as a share of the layer's above it; 1: all the same",
        "每一层的学习率与其上一层之比；1 为各层相同",
        group="training",
        gt=0,
        le=1,
        advanced=True,
    )
    warmup: float = with_default(TextClassification, "warmup", 0.1)
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop", "adagrad"] = with_default(
        TextClassification, "optimizer", "adamw"
    )
    weight_decay: float = with_default(TextClassification, "weight_decay", 0.01)
    clipnorm: float = with_default(TextClassification, "clipnorm", 1.0)
    max_length: int = parameter(
        128,
        "tokens of one text at most; what comes after is cut off",
        "每条文本最多的词元数，超出部分截去",
        group="network",
        unit="tokens",
        ge=3,
        le=8192,
    )
    pooling: Literal["mean", "first"] = parameter(
        "mean",
        "what stands for the text: the mean of its tokens, or the first token",
        "代表整条文本的向量：各词元的平均，或第一个词元",
        group="network",
    )
    dropout: float = parameter(
        0.1, "share of hidden numbers and attention left out at each step", "每一步随机忽略的隐藏值与注意力的比例",
        group="network", ge=0, lt=1,
    )  # fmt: skip
    frozen: int = parameter(
        0,
        "lower layers kept as the preset has them, and the embeddings with them; 0: all are trained",
        "保持预训练权重不变的下部层数（连同词嵌入）；0 为全部训练",
        group="network",
        ge=0,
        le=1000,
    )
    depth: int = parameter(
        0,
        f"encoder layers, the lowest of the preset's; 0: all of them, or {DEPTH} from scratch",
        f"编码器层数，取预训练模型的下部；0 为全部，从零训练时为 {DEPTH}",
        group="network",
        ge=0,
        le=1000,
        advanced=True,
    )
    width: int = parameter(
        128,
        "numbers per token, from scratch",
        "每个词元的向量长度（从零训练时）",
        group="network",
        ge=1,
        le=8192,
        advanced=True,
    )
    heads: int = parameter(
        4,
        "attention heads, from scratch; they divide the width",
        "注意力头数（从零训练时），须整除向量长度",
        group="network",
        ge=1,
        le=256,
        advanced=True,
    )
    vocabulary_size: int = parameter(
        20_000,
        "tokens known at most, from scratch",
        "最多保留的词元数（从零训练时）",
        group="network",
        ge=6,
        le=5_000_000,
        advanced=True,
    )

    @model_validator(mode="after")
    def _fits_the_preset(self) -> Self:
        if self.preset:
            only_from_scratch(self, FROM_SCRATCH, self.preset)
        elif self.frozen:
            raise InputError(
                "frozen keeps a preset's layers, and there is no preset: name one, or set frozen=0",
                "frozen 用来保留预设的层，而这里没有预设：请指定一个，或设 frozen=0",
            )
        if self.width % self.heads:
            raise InputError(
                f"heads: {self.heads} do not divide the width {self.width}",
                f"heads：{self.heads} 不能整除宽度 {self.width}",
            )
        return self

    def fit_encoder(self, texts: Sequence[str]) -> Encoder:
        """Take the preset's tokenizer, or learn one."""
        from kerasllm.encoders import TokenEncoder

        if self._pretrained:
            return TokenEncoder(self._pretrained.tokenizer(), self.text, self.max_length)
        return TokenEncoder.fit(texts, self.text, size=self.vocabulary_size, max_length=self.max_length)

    def read(self, source: Any = None) -> Data:
        """Note how many texts are cut."""
        data = super().read(source)
        encoder: Any = data.encoder
        if cut := encoder.count_cut(data.train.features):
            line = (
                f"{cut} of {len(data.train)} training texts are cut to {self.max_length} tokens; max_length keeps more"
            )
            data.card["warnings"].append(line)
            data.card["zh"][line] = (
                f"{len(data.train)} 条训练文本中有 {cut} 条被截为 {self.max_length} 个词元；max_length 更大则保留更多"
            )
        return data

    def check(self, data: Data) -> None:
        """Nothing may be more than the preset has."""
        super().check(data)
        if not self._pretrained:
            return
        sizes = self._pretrained.architecture
        if self.max_length > sizes.positions:
            raise InputError(
                f"max_length: {self.max_length} is more than the {sizes.positions} positions of {self.preset}",
                f"max_length：{self.max_length} 超过 {self.preset} 的 {sizes.positions} 个位置",
            )
        if self._layers > sizes.depth:
            raise InputError(
                f"depth: {self.depth} is more than the {sizes.depth} layers of {self.preset}",
                f"depth：{self.depth} 超过 {self.preset} 的 {sizes.depth} 层",
            )
        if self.frozen > self._layers:
            raise InputError(
                f"frozen: {self.frozen} is more than the {self._layers} layers there are",
                f"frozen：{self.frozen} 超过现有的 {self._layers} 层",
            )

    def passes(self, steps: int, data: Any) -> int:
        """Fewer or shorter texts are gone over more often, so that each training costs about as much."""
        tokens, most = sum(map(len, data.training.inputs["ids"])), MOST_EPOCHS[0 if self.preset else 1]
        return self.epochs or max(FEWEST_EPOCHS, min(most, math.ceil(SHOWN / tokens)))

    def peak_rate(self) -> float:
        """Gentler to what was learned before."""
        return self.learning_rate or RATES[0 if self.preset else 1]

    def rate_of(self, path: str) -> float:
        """Lower layers know more of language and less of the task: they move less (Howard and Ruder 2018, 3.2)."""
        from kerasllm.models.bert import level

        return self.layer_decay ** (self._layers + 1 - level(path, self._layers))

    def batches(self, examples: Examples, seed: int | None = None) -> Batches:
        """Of more lengths than usual."""
        from kerasllm.training.batches import Batches

        return Batches(examples, self.batch_size, seed, lengths=LENGTHS)

    def build(self, data: Any) -> keras.Model:
        """The preset's encoder, or a small one, with a head for the classes."""
        from dataclasses import asdict

        from kerasllm.models.bert import bert

        weights = {}
        if self._pretrained:
            sizes: dict[str, Any] = asdict(self._pretrained.architecture) | {"depth": self._layers}
            weights = self._pretrained.weights(self._layers)
        else:
            sizes = {
                "vocabulary_size": data.encoder.tokenizer.get_vocab_size(),
                "depth": self._layers,
                "width": self.width,
                "heads": self.heads,
                "feedforward": 4 * self.width,
                "positions": self.max_length,
            }
        return bert(
            classes=len(data.decoder.names),
            weights=weights,
            pooling=self.pooling,
            dropout=self.dropout,
            frozen=self.frozen,
            l1=self.l1,
            l2=self.l2,
            dtype=self.policy(),
            seed=self.seed,
            **sizes,
        )

    @cached_property
    def _pretrained(self) -> Preset | None:
        """The preset, opened once."""
        from kerasllm.presets import find

        return find(self.preset) if self.preset else None

    @property
    def _layers(self) -> int:
        """Encoder layers of the network."""
        return self.depth or (self._pretrained.architecture.depth if self._pretrained else DEPTH)
