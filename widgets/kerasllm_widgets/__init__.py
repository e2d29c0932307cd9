"""kerasllm in Jupyter: the Lab extension, its server side, and the widgets.

Importing this package is light: the server asks it where the extension is, and needs no widgets for that.
"""

from __future__ import annotations

from typing import Any


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "kerasllm"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from kerasllm_widgets.server import KerasLLM

    return [{"module": "kerasllm_widgets.server", "app": KerasLLM}]
