"""A recipe's notebook with its panel on top: what a card of the launcher opens."""

from __future__ import annotations

from typing import Any

import nbformat

from kerasllm import recipes
from kerasllm.notebook import draw, template

PANEL = "kerasllm-panel"  # the tag of the cell that the Lab extension runs at once


def panel_notebook(recipe: str) -> Any:
    """The recipe's template, drawn anew, with its panel below the title."""
    path = template(recipe)
    notebook = draw(recipes.find(recipe), nbformat.read(path, as_version=4) if path else None)
    source = f'from kerasllm_widgets import Panel\n\nPanel("{recipe}")'
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": [PANEL]}, id="panel")
    titles = 1 if notebook.cells and notebook.cells[0].cell_type == "markdown" else 0
    notebook.cells.insert(titles, cell)
    return notebook
