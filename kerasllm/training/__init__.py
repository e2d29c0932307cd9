"""Training and answering with Keras: batches, checkpoints, the recorder, fit. Importing this package imports Keras."""

from kerasllm import backend  # noqa: F401  (the quiet way to import Keras)
