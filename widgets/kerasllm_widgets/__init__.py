"""kerasllm in Jupyter: the Lab extension, its server side, and panels for notebooks.

Every view reads the run folder and none trains itself. The panels need only the widgets protocol (ipywidgets,
anywidget). Importing this package is light: the server asks it where the extension is, and needs no widgets for that.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kerasllm_widgets.compare import Compare
    from kerasllm_widgets.panel import Panel
    from kerasllm_widgets.playground import Playground
    from kerasllm_widgets.view import RunView

__all__ = ["Compare", "Panel", "Playground", "RunView"]
ROOMS = {"Compare": "compare", "Panel": "panel", "Playground": "playground", "RunView": "view"}


def __getattr__(name: str) -> Any:
    """Import a view on first use (PEP 562)."""
    if name not in ROOMS:
        raise AttributeError(f"module 'kerasllm_widgets' has no attribute {name!r}")
    return getattr(import_module(f"kerasllm_widgets.{ROOMS[name]}"), name)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "kerasllm"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from kerasllm_widgets.server import KerasLLM

    return [{"module": "kerasllm_widgets.server", "app": KerasLLM}]
