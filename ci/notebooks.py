"""Draw the parameters cell of each recipe's notebook anew; make a first notebook for a recipe that has none.

python ci/notebooks.py           write notebooks/
python ci/notebooks.py --check   only tell what would change; exit code 1 if anything would
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat

from kerasllm import recipes
from kerasllm.errors import InputError
from kerasllm.notebook import draw

FOLDER = Path(__file__).parent.parent / "notebooks"


def main(check: bool) -> int:
    """Return the exit code."""
    wrong = [f"{path.name}: no such recipe" for path in FOLDER.glob("*.ipynb") if path.stem not in recipes.names()]
    for name in recipes.names():
        path = FOLDER / f"{name}.ipynb"
        before = path.read_text("utf-8") if path.exists() else ""
        try:
            after = drawn(name, before)
        except InputError as error:
            wrong.append(str(error))
            continue
        if after != before and check:
            wrong.append(f"{path.name}: not as the recipe draws it; run python ci/notebooks.py")
        elif after != before:
            path.write_text(after, "utf-8")
            print(f"drawn: {path.name}")
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


def drawn(name: str, before: str) -> str:
    """A notebook's text as it should be."""
    notebook = nbformat.reads(before, as_version=4) if before else None
    return str(nbformat.writes(draw(recipes.find(name), notebook))) + "\n"


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv))
