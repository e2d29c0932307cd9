"""linear_regression: a number from the columns of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from kerasllm.parameters import parameter, with_default
from kerasllm.tasks import Regressor

if TYPE_CHECKING:
    import keras

    from kerasllm.data import Data, Rows


class LinearRegression(Regressor):
    """Predict a number from the columns of a table, with one Dense layer.

    Mirrors "AI 大模型在创业产品迭代中的作用", section 5.2. It ends where least squares ends: see docs/benchmarks.md.
    """

    zh: ClassVar[str] = "用一个全连接层，由表格的各列预测一个数。"

    data: str = with_default(Regressor, "data", "sample:houses")
    target: str = parameter(
        "", "column to predict; empty: the last one", "要预测的列；空则为最后一列", group="data", kind="column"
    )
    numeric: str = parameter(
        "",
        "columns to take as numbers, between commas",
        "当作数值的列，用逗号分隔",
        group="data",
        kind="columns",
        advanced=True,
    )
    categorical: str = parameter(
        "",
        "columns to take as categories, between commas",
        "当作类别的列，用逗号分隔",
        group="data",
        kind="columns",
        advanced=True,
    )
    drop: str = parameter(
        "",
        "columns to leave out, between commas",
        "不使用的列，用逗号分隔",
        group="data",
        kind="columns",
        advanced=True,
    )
    epochs: int = with_default(Regressor, "epochs", 100)
    batch_size: int = with_default(Regressor, "batch_size", 65_536)  # whole files at once: the bowl is round
    learning_rate: float = with_default(Regressor, "learning_rate", 0.2)
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop", "adagrad"] = with_default(Regressor, "optimizer", "sgd")

    def read(self, source: Any = None) -> Data:
        """Infer the columns, fill what is missing, split."""
        from kerasllm.data.table import read_regression

        return read_regression(
            self.data if source is None else source,
            target=self.target,
            numeric=self.numeric,
            categorical=self.categorical,
            drop=self.drop,
            validation=self.validation,
            test=self.test,
            seed=self.seed,
        )

    def labelled(self, source: Any, encoder: Any, decoder: Any) -> Rows:
        """Rows with a number in the target's column."""
        from kerasllm.data.table import labelled

        return labelled(source, encoder, decoder.name)

    def build(self, data: Any) -> keras.Model:
        """Scale the columns, turn them so that gradient descent is quick, and put one Dense layer on top."""
        import numpy as np

        from kerasllm.models.linear import decorrelating, design, evened, linear

        inputs = data.training.inputs
        numbers = inputs.get("numbers", np.zeros((len(data.train), 0)))
        arguments = {
            "numbers": numbers.shape[1],
            "categories": [len(column.categories) + 1 for column in data.encoder.categories],
            "mean": numbers.mean(axis=0, dtype="float64"),
            "variance": numbers.var(axis=0, dtype="float64"),
            "target_mean": data.decoder.mean,
            "target_variance": data.decoder.deviation**2,
        }
        columns = design(linear(**arguments), inputs)
        if self.l1 or self.l2:
            turn, l1, l2 = evened(columns, self.l1, self.l2)
            return linear(**arguments, turn=turn, l1=l1, l2=l2, dtype=self.policy())
        return linear(**arguments, turn=decorrelating(columns), dtype=self.policy())
