"""The rooms: what may import what, what stays light, and that one file makes a recipe."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "kerasllm"
# Each room may import the rooms before it, and itself.
ORDER = [
    ["errors", "parameters", "spoken"],
    ["backend"],
    ["encoders"],
    ["data", "models", "presets"],
    ["evaluate", "figures"],
    ["run"],
    ["doctor", "forks", "kernels"],
    ["notebook_engine", "parameters_cell"],
    ["own_notebook"],
    ["session"],
    ["recipe"],
    ["training"],
    ["tasks", "language"],
    ["recipes"],
    ["notebook", "notebook_run"],
    ["batch"],
    ["cli"],
]
# The conveniences of run, session and recipe are lazy calls upward: inside a function, listed here.
UPWARD = {
    "forks": {"training"},
    "run": {"own_notebook", "recipes", "session", "training"},
    "session": {"training"},
    "recipe": {"training"},
}


def imports(path: Path) -> list[tuple[str, bool]]:
    """(room, whether at the top of the file) of each import of our own."""
    tree = ast.parse(path.read_text("utf-8"))
    lazy = {
        id(node) for function in ast.walk(tree) if isinstance(function, ast.FunctionDef) for node in ast.walk(function)
    }
    typing_only = {
        id(node)
        for block in tree.body
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    found = []
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        modules = []
        if isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module] if node.module != "kerasllm" else [f"kerasllm.{name.name}" for name in node.names]
        elif isinstance(node, ast.Import):
            modules = [name.name for name in node.names]
        found += [(name.split(".")[1], id(node) not in lazy) for name in modules if name.startswith("kerasllm.")]
    return found


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    here = room(path)
    if here in ("__init__", "__main__"):
        return
    level = next(place for place, rooms in enumerate(ORDER) if here in rooms)
    allowed = {name for rooms in ORDER[: level + 1] for name in rooms} | {"__version__"}
    for target, at_top in imports(path):
        if target in UPWARD.get(here, set()) and not at_top:
            continue
        assert target in allowed, f"{here} imports {target}"
        assert not (here == target == "recipes" and path.name != "__init__.py"), "a recipe imports another"


def test_nothing_knows_the_widgets_that_stand_on_it() -> None:
    assert not [path for path in PACKAGE.rglob("*.py") if "kerasllm_widgets" in path.read_text("utf-8")]


def test_a_network_imports_nothing_of_ours() -> None:
    for path in (PACKAGE / "models").glob("*.py"):
        assert {target for target, _ in imports(path)} <= {"backend", "models"}


@pytest.mark.parametrize("module", ["models", "recipes", "training"])
def test_no_backend_is_imported_by_name(module: str) -> None:
    """But in devices.py: what a backend's devices are only the backend can tell."""
    for path in (PACKAGE / module).rglob("*.py"):
        if path != PACKAGE / "training" / "devices.py":
            assert "import tensorflow" not in path.read_text("utf-8"), path


@pytest.mark.parametrize(
    "work",
    [
        "import kerasllm",
        "from kerasllm import recipes; [recipes.find(name).model_json_schema() for name in recipes.names()]",
        "import kerasllm.cli",
        "import kerasllm; kerasllm.runs()",
        "from kerasllm.recipes.linear_regression import LinearRegression as L; L().read()",
    ],
)
def test_light_work_imports_no_keras(work: str) -> None:
    heavy = "{'keras', 'tensorflow', 'jax', 'torch', 'keras_hub', 'pandas', 'matplotlib', 'sklearn'}"
    code = f"{work}\nimport sys\nprint(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    assert done.stdout.strip() == "[]"


def test_one_file_makes_a_recipe_that_every_surface_has(tmp_path: Path) -> None:
    """A stranger's package with one module and an entry point is listed, drawn and found by the command line."""
    (tmp_path / "mean_price.py").write_text(
        textwrap.dedent(
            '''
            """mean_price: an example."""
            from kerasllm.parameters import parameter
            from kerasllm.tasks import Regressor

            class MeanPrice(Regressor):
                """Predict the mean."""
                zh = "预测均值。"
                shrink: float = parameter(0.5, "how much", "多少", group="network", ge=0, le=1, unit="euros")
                def read(self, source=None): ...
                def labelled(self, source, encoder, decoder): ...
                def build(self, data): ...
            '''
        )
    )
    info = tmp_path / "mean_price-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mean_price\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[kerasllm.recipes]\nmean_price = mean_price\n")

    def call(*words: str) -> str:
        code = (
            f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from kerasllm.cli import main; main({list(words)!r})"
        )
        return subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True).stdout

    assert "mean_price" in call("list")
    assert "--shrink" in call("train", "mean_price", "--help")
    code = "from kerasllm.notebook import draw; from mean_price import MeanPrice as M; print(draw(M).cells[1].source)"
    drawn = subprocess.run(
        [sys.executable, "-c", code], text=True, capture_output=True, check=True, cwd=tmp_path
    ).stdout
    assert "shrink: float = 0.5" in drawn


def test_files_stay_on_a_screen_or_three() -> None:
    files = [*PACKAGE.rglob("*.py"), *(ROOT / "widgets" / "kerasllm_widgets").rglob("*.py")]
    lines = {path: len(path.read_text("utf-8").splitlines()) for path in files}
    assert not [path for path, count in lines.items() if count > 400]


def test_contributing_tells_what_is_in_each_room_in_their_order() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    table = page.split("| room | what is in it |")[1].split("\n\n")[0]
    told = [room for row in table.splitlines()[2:] for room in row.split("|")[1].replace("`", "").split(",")]
    assert [room.strip() for room in told] == [room for rooms in ORDER for room in rooms]
