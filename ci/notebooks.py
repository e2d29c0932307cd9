"""Draw the parameters cell of each recipe's notebook anew; make a first notebook for a recipe that has none.

python ci/notebooks.py           write notebooks/
python ci/notebooks.py --check   only tell what would change; exit code 1 if anything would
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat

from kerasllm import recipes
from kerasllm.notebook import draw

FOLDER = Path(__file__).parent.parent / "notebooks"


def main(check: bool) -> int:
    """Return the exit code."""
    drifted = []
    for name in recipes.names():
        path = FOLDER / f"{name}.ipynb"
        before = path.read_text("utf-8") if path.exists() else ""
        notebook = nbformat.reads(before, as_version=4) if before else None
        after = nbformat.writes(draw(recipes.find(name), notebook)) + "\n"
        if after != before:
            drifted.append(path.name)
            if not check:
                path.write_text(after, "utf-8")
    if drifted:
        print(f"{'drifted from the recipes' if check else 'drawn'}: {', '.join(drifted)}")
    return 1 if check and drifted else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv))
