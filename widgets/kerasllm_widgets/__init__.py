"""Panels for notebooks: train, watch and try a recipe's model. Every view reads the run folder and none trains itself.

They need only the widgets protocol (ipywidgets, anywidget): JupyterLab and Notebook 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kerasllm_widgets.compare import Compare
    from kerasllm_widgets.panel import Panel
    from kerasllm_widgets.playground import Playground
    from kerasllm_widgets.view import RunView

__all__ = ["Compare", "Panel", "Playground", "RunView"]


def __getattr__(name: str) -> Any:
    """Import a view on first use (PEP 562): the server extension lives in this package too, and needs none."""
    if name == "Compare":
        from kerasllm_widgets.compare import Compare

        return Compare
    if name == "Panel":
        from kerasllm_widgets.panel import Panel

        return Panel
    if name == "Playground":
        from kerasllm_widgets.playground import Playground

        return Playground
    if name == "RunView":
        from kerasllm_widgets.view import RunView

        return RunView
    raise AttributeError(f"module 'kerasllm_widgets' has no attribute {name!r}")
