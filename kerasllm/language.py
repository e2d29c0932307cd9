"""What the recipes that write text share: tokens, streams, nats per character, drawing text."""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from kerasllm.errors import InputError
from kerasllm.parameters import one_line, parameter
from kerasllm.recipe import Recipe

if TYPE_CHECKING:
    import keras
    import numpy as np
    from matplotlib.figure import Figure

    from kerasllm.data import Data, Rows
    from kerasllm.run import Run

MOST = 500_000  # tokens of a split that are scored
SAMPLES, SAMPLE = 8, 250  # texts written for the scores, and their tokens
UNTIMED, TIMED = 10, 100  # tokens of the text that tells the speed: the first ones compile


class Writing(BaseModel):
    """How a text is written: the options of `generate` on every surface."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    length: int = parameter(
        200, "tokens to write at most", "最多写出的词元数", group="writing", ge=1, le=1_000_000, unit="tokens"
    )
    temperature: float = parameter(
        0.8,
        "1: as likely as in the text; lower: safer; 0: always the likeliest",
        "1 为按原文的概率；越低越保守；0 为总取最可能的",
        group="writing",
        ge=0,
        le=100,
    )
    top_k: int = parameter(
        0, "draw from this many of the likeliest; 0: all", "只从最可能的若干个中抽取；0 为全部", group="writing", ge=0
    )
    top_p: float = parameter(
        1.0,
        "draw from the fewest of the likeliest that have this share together",
        "只从合计达到这一概率的最少几个中抽取",
        group="writing",
        gt=0,
        le=1,
    )
    seed: int = parameter(0, "of the draw", "抽取的随机种子", group="writing", ge=0, le=2**31 - 1)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            known = type(self).model_fields
            raise InputError(one_line(error, known), one_line(error, known, "zh")) from None


class LanguageModel(Recipe):
    """A recipe that learns which token follows: logits, cross-entropy, nats per character."""

    takes: ClassVar[tuple[str, ...]] = ("table", "text")
    smaller_is_better: ClassVar[bool] = True

    data: str = parameter(
        "sample:manual",
        "plain text file, or CSV (.gz too) or Parquet file with a column of texts, or sample:NAME",
        "纯文本文件，或含文本列的 CSV（可为 .gz）或 Parquet 文件，或 sample:名称",
        group="data",
        kind="file",
    )
    text: str = parameter("text", "column of the texts, of a table", "表格中文本所在的列", group="data", kind="column")
    validation: str = parameter(
        "",
        "share of the texts (of one plain text its end), or a file, to watch the training by",
        "用来观察训练的文本所占比例（单个纯文本取其末尾），或一个文件",
        group="data",
        kind="file",
    )
    test: str = parameter(
        "0.2",
        "share of the texts (of one plain text its end), or a file, to score the result on",
        "用来给结果打分的文本所占比例（单个纯文本取其末尾），或一个文件",
        group="data",
        kind="file",
    )
    epochs: int = parameter(
        0,
        "passes over the training text; 0: by its length",
        "遍历训练文本的次数；0 为按文本长度决定",
        group="training",
        ge=0,
        le=100_000,
    )
    batch_size: int = parameter(
        64,
        "streams of text read side by side",
        "并行读取的文本流数",
        group="training",
        ge=1,
        le=100_000,
        unit="streams",
    )
    window: int = parameter(
        32,
        "tokens of each stream in one step: errors go no further back, the state does",
        "每一步每个流读取的词元数：误差只回传这么远，状态一直延续",
        group="training",
        ge=1,
        le=100_000,
        unit="tokens",
    )
    tokens: Literal["characters", "bpe"] = parameter(
        "characters",
        "what is read and written at a time; bpe: pieces of words that occur often",
        "每次读写的单位；bpe：常见的词片",
        group="network",
    )
    device: Literal["auto", "cpu", "gpu"] = parameter(
        "auto",
        "where it trains; one GPU at most: a text's windows follow one another and cannot be shared",
        "训练所用的设备；最多一块 GPU：文本的各个窗口前后相接，无法分担",
        group="computing",
        advanced=True,
    )
    vocabulary_size: int = parameter(4096, "tokens of bpe", "bpe 的词元数", group="network", ge=2, le=1_000_000)

    @field_validator("device", mode="before")
    @classmethod
    def _one_device(cls, value: Any) -> Any:
        if value == "gpus":
            raise InputError(
                "a text's windows follow one another and cannot be shared among GPUs; device=gpu",
                "文本的各个窗口前后相接，不能由多块 GPU 分担；请设 device=gpu",
            )
        return value

    @abstractmethod
    def stepping(self, model: keras.Model) -> keras.Model:
        """The network that writes: (ids, state) -> (logits, state), the state as a list of arrays (rows, size)."""

    def read(self, source: Any = None) -> Data:
        """Read the texts, hold some out, learn the tokens."""
        from kerasllm.data.language import read_language
        from kerasllm.encoders import LanguageEncoder

        return read_language(
            self.data if source is None else source,
            text=self.text,
            validation=self.validation,
            test=self.test,
            seed=self.seed,
            fit=partial(LanguageEncoder.fit, column=self.text, kind=self.tokens, size=self.vocabulary_size),
        )

    def check(self, data: Any) -> None:
        """Pieces of words need room beside the characters."""
        super().check(data)
        if self.tokens == "bpe":
            data.encoder.check_room(self.vocabulary_size)

    def labelled(self, source: Any, encoder: Any, decoder: Any) -> Rows:
        """New texts; what follows each place is the truth."""
        from kerasllm.data.language import labelled

        return labelled(source, self.text, encoder, MOST)

    def batches(self, examples: Any, seed: int | None = None) -> Any:
        """Streams of text, window by window."""
        from kerasllm.training.streams import Streams

        return Streams(examples, self.batch_size, self.window, seed)

    def loss(self) -> keras.losses.Loss:
        """Cross-entropy of the logits, in nats per token."""
        import keras

        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def outputs(self, model: keras.Model, inputs: dict[str, Any], rows: np.ndarray | None = None) -> np.ndarray:
        """The logits of what comes after each row."""
        from kerasllm.training.language import next_logits

        return next_logits(model, _chosen(inputs["ids"], rows))

    def measure(
        self, model: keras.Model, examples: Any, truth: Sequence[Any], decoder: Any, rows: np.ndarray | None = None
    ) -> tuple[dict[str, Any], np.ndarray]:
        """Nats per character of the texts, and how varied what the model writes is."""
        import numpy as np

        from kerasllm.evaluate import variety
        from kerasllm.training.language import nats, written

        encoder = decoder.encoder
        tokens = np.concatenate([*_chosen(examples.inputs["ids"], rows), np.zeros(1, "int32")])[: MOST + 1]
        surprise = nats(model, tokens)
        unseen = tokens[1:] == 1
        new = len({one for text in truth for one in encoder.unknown(text)})
        # The network never saw an unseen character: they get the share that was set aside, in equal parts.
        surprise[unseen] = -math.log(encoder.unseen) + math.log(max(new, 1))
        surprise[~unseen] -= math.log1p(-encoder.unseen)
        sizes = np.array([len(name) for name in encoder.names])
        sizes[:2] = 1  # a text's end counts as a character
        asked = Writing(length=SAMPLE, temperature=1.0, seed=self.seed).model_dump()
        drawn = written(self.stepping(model), [0], SAMPLES, **asked, never=[0, 1])
        samples = np.stack(list(drawn), axis=1)
        outputs = np.stack([surprise, sizes[tokens[1:]]], axis=1)
        return {**self.score(truth, outputs, decoder), **variety(samples.tolist())}, outputs

    def speed(self, model: keras.Model) -> dict[str, float]:
        """Tokens written per second, one text at a time."""
        from kerasllm.training.language import written

        asked = Writing(length=UNTIMED + TIMED, temperature=1.0, seed=self.seed).model_dump()
        drawn = written(self.stepping(model), [0], 1, **asked, never=[0, 1])
        began = [time.perf_counter() for _ in islice(drawn, UNTIMED)][-1]
        tokens = sum(1 for _ in drawn)
        return {"tokens_per_second": tokens / (time.perf_counter() - began)}

    def score(self, truth: Sequence[Any], outputs: np.ndarray, decoder: Any) -> dict[str, Any]:
        """Nats per character and perplexity per token, of (tokens, 2): nats and characters of each."""
        total, characters = outputs.sum(axis=0).tolist()
        return {
            "main": "nats_per_character",
            "rows": len(truth),
            "characters": int(characters),
            "nats_per_character": total / characters,
            "perplexity": math.exp(total / len(outputs)),
        }

    def figures(self, truth: Sequence[Any], outputs: np.ndarray, decoder: Any) -> dict[str, Figure]:
        """None beside the curve."""
        return {}

    def generate(self, run: Run, prompt: str, **options: Any) -> Iterator[str]:
        """Write on after a prompt, token by token, until `length` tokens or the text's end."""
        from kerasllm import encoders

        asked = Writing(**options).model_dump()
        encoder, _ = encoders.load(run.path)
        unknown = encoder.unknown(prompt)
        if unknown:
            raise InputError(
                f"prompt: training saw no {', '.join(map(repr, unknown[:8]))}",
                f"prompt：训练中没有 {'、'.join(map(repr, unknown[:8]))}",
            )
        from kerasllm.training.language import written

        drawn = written(self.stepping(run.model), [0, *encoder.ids(prompt)], 1, **asked, never=[1])
        return _until_end(drawn, encoder.names)


def _chosen(texts: Sequence[np.ndarray], rows: np.ndarray | None) -> Sequence[np.ndarray]:
    return texts if rows is None else [texts[row] for row in rows]


def _until_end(drawn: Iterator[np.ndarray], names: Sequence[str]) -> Iterator[str]:
    for tokens in drawn:
        if tokens[0] == 0:
            return
        yield names[tokens[0]]
