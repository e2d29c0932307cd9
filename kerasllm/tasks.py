"""What the recipes of one task share: telling classes, predicting numbers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from kerasllm.parameters import parameter, with_default
from kerasllm.recipe import Recipe

if TYPE_CHECKING:
    import keras
    import numpy as np
    from matplotlib.figure import Figure

    from kerasllm.data import Data, Encoder, Rows


class Classifier(Recipe):
    """A recipe whose answers are classes: logits, cross-entropy, accuracy."""

    class_weights: Literal["none", "balanced"] = parameter(
        "none",
        "balanced: rows of rare classes count more, so that each class counts the same",
        "balanced：稀少类别的行权重更大，使各类别同等重要",
        group="training",
    )

    def loss(self) -> keras.losses.Loss:
        """Cross-entropy of the logits."""
        import keras

        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def metrics(self) -> list[keras.metrics.Metric]:
        """Accuracy."""
        import keras

        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]

    def weights(self, targets: np.ndarray) -> np.ndarray | None:
        """As scikit-learn's "balanced": rows / (classes x the class's rows)."""
        import numpy as np

        if self.class_weights == "none":
            return None
        counts = np.bincount(targets)
        return (len(targets) / (len(counts) * np.maximum(counts, 1)))[targets].astype("float32")

    def score(self, truth: Sequence[Any], outputs: np.ndarray, decoder: Any) -> dict[str, Any]:
        """Accuracy, precision, recall, F1, ROC-AUC, confusion matrix."""
        from kerasllm.evaluate import classification

        return classification(decoder.encode(truth), decoder.probabilities(outputs), decoder.names)

    def figures(self, truth: Sequence[Any], outputs: np.ndarray, decoder: Any) -> dict[str, Figure]:
        """The confusion matrix."""
        from kerasllm import figures

        matrix = self.score(truth, outputs, decoder)["confusion_matrix"]
        return {"confusion_matrix": figures.confusion_matrix(matrix, decoder.names)}


class TextClassification(Classifier):
    """A classifier of texts: of a table's column, each with its label in another."""

    data: str = with_default(Classifier, "data", "sample:messages")
    text: str = parameter("text", "column of the texts", "文本所在的列", group="data", kind="column")
    label: str = parameter("label", "column of the labels", "标签所在的列", group="data", kind="column")

    @abstractmethod
    def fit_encoder(self, texts: Sequence[str]) -> Encoder:
        """Learn from the training texts, or take, what turns texts into a network's inputs."""

    def read(self, source: Any = None) -> Data:
        """Clean, split, learn the classes, fit the encoder."""
        from kerasllm.data.text import read_classification

        return read_classification(
            self.data if source is None else source,
            text=self.text,
            label=self.label,
            validation=self.validation,
            test=self.test,
            seed=self.seed,
            fit=self.fit_encoder,
        )

    def labelled(self, source: Any, encoder: Any, decoder: Any) -> Rows:
        """Texts with a label that training knew."""
        from kerasllm.data.text import labelled

        return labelled(source, self.text, self.label, decoder)


class Regressor(Recipe):
    """A recipe whose answers are numbers: squared error on the standardized target, answers in the target's unit."""

    smaller_is_better: ClassVar[bool] = True

    def loss(self) -> keras.losses.Loss:
        """Mean squared error, in the target's variances: 1 is what predicting the mean gets, and R² is 1 - loss."""
        import keras

        return keras.losses.MeanSquaredError()

    def trained_part(self, model: keras.Model) -> Any:
        """The layer before the answer is scaled to the target's unit."""
        return model.get_layer("standardized").output

    def score(self, truth: Sequence[Any], outputs: np.ndarray, decoder: Any) -> dict[str, Any]:
        """RMSE, MAE and R², with a mean predictor's beside them."""
        from kerasllm.evaluate import regression

        return regression(truth, outputs.ravel().tolist(), decoder.mean)

    def figures(self, truth: Sequence[Any], outputs: np.ndarray, decoder: Any) -> dict[str, Figure]:
        """Predicted against true."""
        from kerasllm import figures

        return {"predicted_against_true": figures.predicted_against_true(truth, outputs.ravel().tolist(), decoder.name)}
