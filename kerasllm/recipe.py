"""Recipe: its fields are the parameters, its methods a model's life: read the data, build, train, score."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo

from kerasllm import session
from kerasllm.errors import InputError, may_read
from kerasllm.parameters import Kind, check_drawable, drawing, one_line, parameter
from kerasllm.run import Run, create

if TYPE_CHECKING:
    import keras
    import numpy as np
    from matplotlib.figure import Figure

    from kerasllm.data import Data, Decoder, Encoder, Examples, Rows
    from kerasllm.training.batches import Batches

HERE = Path()  # the current folder


LIKE_A_SHARE = re.compile(r"\s*\d*[.,]?\d+\s*%|\d+,\d+")  # 20%, 0,2


class Recipe(BaseModel, ABC):
    """What every recipe shares. Subclasses are final, but for the tasks: Classifier and Regressor."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, coerce_numbers_to_str=True, protected_namespaces=()
    )
    zh: ClassVar[str] = ""  # the docstring's first line in Chinese
    takes: ClassVar[tuple[str, ...]] = ("table",)  # what `data` may be: "table", "text" (a plain file), "folder"
    smaller_is_better: ClassVar[bool] = False  # of the main score

    data: str = parameter(
        "",
        "CSV (.gz too) or Parquet file, or sample:NAME",
        "CSV（可为 .gz）或 Parquet 文件，或 sample:名称",
        group="data",
        kind="file",
    )
    validation: str = parameter(
        "",
        "share of the rows, or a file, to watch the training by",
        "用来观察训练的行所占比例，或一个文件",
        group="data",
        kind="file",
    )
    test: str = parameter(
        "0.2",
        "share of the rows, or a file, to score the result on",
        "用来给结果打分的行所占比例，或一个文件",
        group="data",
        kind="file",
    )
    epochs: int = parameter(
        10, "passes over the training rows", "遍历训练数据的次数", group="training", ge=1, le=100_000
    )
    batch_size: int = parameter(
        32,
        "rows in one step of the optimizer",
        "优化器每一步用的行数",
        group="training",
        ge=1,
        le=1_000_000,
        unit="rows",
    )
    learning_rate: float = parameter(1e-3, "step size of the optimizer", "优化器的步长", group="training", gt=0, le=10)
    schedule: Literal["constant", "linear", "cosine"] = parameter(
        "cosine", "how the learning rate falls to 0 over the run", "学习率在训练中降到 0 的方式", group="training"
    )
    warmup: float = parameter(
        0.0,
        "share of the steps in which the learning rate rises from 0",
        "学习率从 0 上升所占的步数比例",
        group="training",
        ge=0,
        lt=1,
        advanced=True,
    )
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop", "adagrad"] = parameter(
        "adam", "how the weights follow the gradient", "权重如何跟随梯度", group="training"
    )
    momentum: float = parameter(
        0.0, "of sgd and rmsprop", "sgd 与 rmsprop 的动量", group="training", ge=0, lt=1, advanced=True
    )
    weight_decay: float = parameter(
        0.0,
        "share of the weights taken off per unit of learning rate",
        "每单位学习率衰减的权重比例",
        group="training",
        ge=0,
        le=1,
        advanced=True,
    )
    clipnorm: float = parameter(
        0.0,
        "longest gradient of one weight array; 0: any",
        "单个权重数组梯度的最大范数；0 为不限",
        group="training",
        ge=0,
        advanced=True,
    )
    l1: float = parameter(
        0.0,
        "penalty on the absolute weights of dense layers",
        "全连接层权重绝对值的惩罚",
        group="training",
        ge=0,
        advanced=True,
    )
    l2: float = parameter(
        0.0,
        "penalty on the squared weights of dense layers",
        "全连接层权重平方的惩罚",
        group="training",
        ge=0,
        advanced=True,
    )
    early_stopping: int = parameter(
        0, "epochs without a better validation loss after which it stops and keeps the best weights; 0: never",
        "验证损失连续多少轮没有改善就停止并保留最好的权重；0 为不停", group="training", ge=0, unit="epochs",
    )  # fmt: skip
    precision: Literal["float32", "bfloat16", "auto"] = parameter(
        "float32",
        "of the layers' arithmetic; auto: bfloat16 on a GPU that has it",
        "各层的计算精度；auto：GPU 支持时用 bfloat16",
        group="computing",
        advanced=True,
    )
    device: Literal["auto", "cpu", "gpu", "gpus"] = parameter(
        "auto",
        "where it trains; gpus: each batch shared among all of this machine's",
        "训练所用的设备；gpus：每批由本机所有 GPU 分担",
        group="computing",
        advanced=True,
    )
    seed: int = parameter(
        0,
        "of splits, initial weights, order and dropout",
        "划分、初始权重、顺序与 dropout 的随机种子",
        group="computing",
        ge=0,
        le=2**31 - 1,
    )
    checkpoint_minutes: float = parameter(
        5.0,
        "time between two checkpoints: the most that a kill can lose; 0: every batch",
        "两次检查点的间隔：强制结束最多损失的时间；0 为每批",
        group="computing",
        ge=0,
        unit="minutes",
        advanced=True,
    )

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            known = type(self).model_fields
            raise InputError(one_line(error, known), one_line(error, known, "zh")) from None

    @field_validator("data", "validation", "test", mode="before")
    @classmethod
    def _path(cls, value: Any) -> Any:
        if hasattr(value, "__len__") and not isinstance(value, str):
            raise InputError(
                "is no path; what is in memory is for train(), as train(data)",
                "不是路径；内存中的数据请交给 train(data)",
            )
        return os.fspath(value) if isinstance(value, os.PathLike) else value

    @field_validator("validation", "test")
    @classmethod
    def _share(cls, value: str) -> str:
        if LIKE_A_SHARE.fullmatch(value):
            raise InputError("is no share such as 0.2", "不是 0.2 这样的比例")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.early_stopping and not self.validation:
            raise InputError(
                "early_stopping needs validation rows to look at: set validation=0.1",
                "early_stopping 要看验证数据：请设 validation=0.1",
            )
        if self.momentum and self.optimizer not in ("sgd", "rmsprop"):
            raise InputError(
                f"momentum is for sgd and rmsprop, not {self.optimizer}",
                f"momentum 只用于 sgd 与 rmsprop，不用于 {self.optimizer}",
            )
        return self

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        check_drawable(cls)

    @classmethod
    def name(cls) -> str:
        """The recipe's name on every surface: the class's, in snake case."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()

    @classmethod
    def summary(cls, language: str = "en") -> str:
        """One line that says what it does."""
        return cls.zh if language == "zh" else (cls.__doc__ or "").strip().splitlines()[0]

    @abstractmethod
    def read(self, source: Any = None) -> Data:
        """Read, check, split and encode the data; `source` (a DataFrame, arrays) stands in for the `data` file."""

    def check(self, data: Data) -> None:
        """Raise InputError for parameters that this data, or a preset, has no room for, before a network is built."""
        if self.early_stopping and not data.validation:
            raise InputError(
                "early_stopping needs validation rows to look at, and none were held out (see the data card)",
                "early_stopping 要看验证数据，而这里没有留出（见数据卡）",
            )

    @abstractmethod
    def labelled(self, source: Any, encoder: Encoder, decoder: Decoder) -> Rows:
        """Read new rows with their true answers, to evaluate a trained model."""

    @abstractmethod
    def build(self, data: Data) -> keras.Model:
        """Build the network, whose outputs are answers in the user's unit (or logits)."""

    @abstractmethod
    def loss(self) -> keras.losses.Loss:
        """What the optimizer makes small."""

    def passes(self, steps: int, data: Data) -> int:
        """Epochs to train, given the steps in one."""
        return self.epochs

    def peak_rate(self) -> float:
        """The highest learning rate that any weight has at any step."""
        return self.learning_rate

    def rate_of(self, path: str) -> float:
        """The share of the learning rate that the weight at `path` has."""
        return 1.0

    def batches(self, examples: Examples, seed: int | None = None) -> Batches:
        """Examples as batches: shuffled by `seed`, or in order."""
        from kerasllm.training.batches import Batches

        return Batches(examples, self.batch_size, seed)

    def metrics(self) -> list[keras.metrics.Metric]:
        """What the curve shows beside the loss."""
        return []

    def trained_part(self, model: keras.Model) -> Any:
        """The tensor the loss looks at: the model's output, unless it is trained in another unit."""
        return model.output

    def twin(self, model: keras.Model) -> keras.Model:
        """The network that is compiled and trained: of the same layers, so that the saved one holds no optimizer."""
        import keras

        return keras.Model(model.inputs, self.trained_part(model), name="training")

    def weights(self, targets: np.ndarray) -> np.ndarray | None:
        """Each training row's weight in the loss, or None."""
        return None

    def outputs(self, model: keras.Model, inputs: dict[str, Any], rows: np.ndarray | None = None) -> np.ndarray:
        """What the decoder decodes: the network's outputs for encoded rows, all or those numbered `rows`."""
        from kerasllm.training import answer

        return answer.outputs(model, inputs, rows, self.batch_size)

    def measure(
        self,
        model: keras.Model,
        examples: Examples,
        truth: Sequence[Any],
        decoder: Decoder,
        rows: np.ndarray | None = None,
    ) -> tuple[dict[str, Any], np.ndarray]:
        """Scores of a finished model, and the outputs that they and the figures are drawn from.

        Of all examples, or of those numbered `rows`; `truth` is of these.
        """
        outputs = self.outputs(model, examples.inputs, rows)
        return self.score(truth, outputs, decoder), outputs

    def speed(self, model: keras.Model) -> dict[str, float]:
        """What the finished model does in a second on this machine: no score, for it differs from run to run."""
        return {}

    def generate(self, run: Run, prompt: str, **options: Any) -> Iterator[str]:
        """Write on after a prompt, piece by piece; language models can."""
        raise InputError(
            f"{self.name()} answers rows and writes no text",
            f"{self.name()} 只回答各行，不写文本",
        )

    @abstractmethod
    def score(self, truth: Sequence[Any], outputs: np.ndarray, decoder: Decoder) -> dict[str, Any]:
        """Scores of a finished model's outputs; "main" names the one that matters most."""

    @abstractmethod
    def figures(self, truth: Sequence[Any], outputs: np.ndarray, decoder: Decoder) -> dict[str, Figure]:
        """Pictures of the result by file name, without the curves."""

    def policy(self) -> str:
        """The Keras dtype policy that `precision` means here."""
        from kerasllm.training import devices

        return devices.policy(self.precision, self.device)

    def named(self, kind: Kind) -> dict[str, str]:
        """What the parameters of a kind name, where they are given."""
        values = {name: getattr(self, name) for name, field in type(self).model_fields.items() if _is(field, kind)}
        return {name: value for name, value in values.items() if value}

    def files(self, folder: Path = HERE) -> dict[str, str]:
        """The parameters that name files, samples of data, or presets that lie in folders; relative to `folder`."""
        given = {name: value for name, value in self.named("file").items() if not _is_share(value)}
        with may_read():
            return given | {name: value for name, value in self.named("preset").items() if (folder / value).is_dir()}

    def anchored(self) -> Self:
        """The same recipe with absolute paths, so that it can be resumed from any folder."""
        paths = {
            name: str(Path(value).absolute()) for name, value in self.files().items() if not value.startswith("sample:")
        }
        return self.model_copy(update=paths)

    def train(
        self,
        data: Any = None,
        *,
        runs: str | Path | None = None,
        name: str = "",
        callbacks: Sequence[keras.callbacks.Callback] = (),
        surface: str = "python",
    ) -> Run:
        """Train in this process until it ends; an interrupt stops it with a valid model.

        Args:
            data: a DataFrame, columns, rows or (X, y) in place of the `data` file.
            runs: the folder of runs; default KERASLLM_RUNS, else ./runs.
            name: of the run; default the recipe's and the time.
            callbacks: further Keras callbacks. A run that had some, or whose data was no file, cannot be resumed.
        """
        recipe = self.anchored()
        replayable = data is None and not callbacks
        if replayable and (run := session.reserved(recipe)):
            return session.resume(run)
        fingerprints = recipe.fingerprints(data)
        return session.begin(create(recipe, runs, name, surface, replayable), fingerprints, data, callbacks)

    def fingerprints(self, source: Any = None) -> dict[str, str]:
        """SHA-256 of each data file, and of a preset's folder.

        A missing file, or a folder in its place, raises InputError before anything is written or hashed.
        """
        from kerasllm.data.files import folder_fingerprint

        if source is None and not self.data:
            field = type(self).model_fields["data"]
            raise InputError(f"data: name a {field.description}", f"data：不能为空；应为 {drawing(field)['zh']}")
        given = self.files() if source is None else {n: f for n, f in self.files().items() if n != "data"}
        presets = self.named("preset")
        return {
            name: folder_fingerprint(Path(file)) if name in presets else self.fingerprint(file)
            for name, file in given.items()
        }

    def fingerprint(self, file: str) -> str:
        """SHA-256 of a data file, or of a sample."""
        from kerasllm.data.files import fingerprint

        return fingerprint(file)


def _is(field: FieldInfo, kind: Kind) -> bool:
    return bool(drawing(field)["kind"] == kind)


def _is_share(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
