"""The reference networks: plain Keras models for any script, one file each.

>>> from kerasllm.models import bert, cnn, linear, lstm_lm, text_pooling

A network is a functional `keras.Model` of stock layers: its file loads with no kerasllm installed.
"""

from kerasllm import backend  # noqa: F401  (first: the quiet way to import Keras)
from kerasllm.models.bert import bert
from kerasllm.models.cnn import cnn
from kerasllm.models.linear import linear
from kerasllm.models.lstm_lm import lstm_lm
from kerasllm.models.text_pooling import text_pooling

__all__ = ["bert", "cnn", "linear", "lstm_lm", "text_pooling"]
