"""Keras reference models for your own data: one recipe, every surface, the same weights.

Importing this package imports neither Keras nor TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kerasllm.run import Run, runs
    from kerasllm.run import open_run as open

__version__ = "0.1.0"
__all__ = ["Run", "__version__", "open", "runs"]


def __getattr__(name: str) -> Any:
    """Import the run folder's noun on first use (PEP 562), so that the package itself is light."""
    if name in ("Run", "open", "runs"):
        from kerasllm import run

        return getattr(run, "open_run" if name == "open" else name)
    raise AttributeError(f"module 'kerasllm' has no attribute {name!r}")
