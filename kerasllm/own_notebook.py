"""A notebook of one's own as a run: its cell tagged `parameters` is read and checked, papermill executes it.

papermill injects names unchecked, and a name can hold code; it reads the cell by regular expressions and misses some.
Here Python's own parser reads it, and a name or type that the cell does not declare never reaches a kernel.
"""

from __future__ import annotations

import ast
import io
import json
import sys
import time
import tokenize
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasllm.errors import InputError, did_you_mean, may_read, needs
from kerasllm.kernels import environment, this_interpreter
from kerasllm.notebook_engine import braces, engine
from kerasllm.run import Run, files, reserve
from kerasllm.run.process import interrupts, myself
from kerasllm.run.writer import Writer

PARAMETERS, INJECTED = "parameters", "injected-parameters"  # tags; papermill's own cell comes after and counts
SOURCE = "source.ipynb"  # in the run's folder: what is executed, whatever becomes of the user's file
NO_LITERAL = (ValueError, SyntaxError, TypeError, RecursionError, MemoryError)  # as Python's parser says it
SIMPLE: dict[str, type] = {kind.__name__: kind for kind in (bool, int, float, str)}


@dataclass(frozen=True)
class Declared:
    """One parameter of a notebook: `kind` is bool, int, float, str, or "" where any literal will do."""

    name: str
    kind: str
    default: Any  # None, too, where it is no literal
    help: str
    is_computed: bool = False  # what its default is, only the notebook's code knows


def is_notebook(source: str) -> bool:
    """Whether a word names a notebook rather than a recipe."""
    return source.endswith(".ipynb")


def load(path: Path) -> Any:
    """The notebook, in nbformat 4."""
    with needs("lab"):
        import nbformat
    with may_read():
        if not path.exists():
            raise InputError(f"no notebook {path}", f"没有 notebook {path}")
    try:
        return nbformat.read(path, as_version=4)
    except OSError as error:
        raise InputError(
            f"{path.name} cannot be read: {error.strerror}", f"{path.name} 无法读取：{error.strerror}"
        ) from error
    except (nbformat.ValidationError, ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise InputError(
            f"{path.name} is no notebook: {' '.join(str(error).split())[:200]}",
            f"{path.name} 不是 notebook：{' '.join(str(error).split())[:200]}",
        ) from error


def tagged(notebook: Any, tag: str = PARAMETERS) -> list[Any]:
    """The notebook's cells with a tag."""
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def declared(path: Path, tag: str = PARAMETERS) -> dict[str, Declared]:
    """The parameters of a notebook's cell with that tag; {} where it has none."""
    return _declared(load(path), path.name, tag)


def _declared(notebook: Any, name: str, tag: str) -> dict[str, Declared]:
    cell = next(iter(tagged(notebook, tag)), None)
    if cell is None:
        return {}
    language = _language(notebook)
    if language != "python":
        raise InputError(
            f"{name}: the parameters of a notebook in {language} cannot be checked, only Python's",
            f"{name}：{language} 的 notebook 无法检查参数，只有 Python 的可以",
        )
    try:
        tree = ast.parse(cell.source)
    except SyntaxError as error:
        raise InputError(
            f"{name}: its parameters cell, line {error.lineno}: {error.msg}",
            f"{name}：parameters 单元格第 {error.lineno} 行：{error.msg}",
        ) from error
    notes = _comments(cell.source)
    found = {}
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if _is_annotated(node) else []
        for target in targets:
            if isinstance(target, ast.Name):
                default = _literal(node.value)
                kind = ast.unparse(node.annotation) if isinstance(node, ast.AnnAssign) else type(default).__name__
                note = notes.get(node.end_lineno or 0, "")
                is_computed = default is None and not isinstance(node.value, ast.Constant)
                found[target.id] = Declared(target.id, kind if kind in SIMPLE else "", default, note, is_computed)
    return found


def _language(notebook: Any) -> str:
    told = notebook.metadata.get("language_info", {}).get("name") or notebook.metadata.get("kernelspec", {}).get(
        "language"
    )
    return str(told or "python")


def _is_annotated(node: ast.stmt) -> bool:
    return isinstance(node, ast.AnnAssign) and node.value is not None


def _comments(source: str) -> dict[int, str]:
    words = tokenize.generate_tokens(io.StringIO(source).readline)
    return {word.start[0]: word.string.lstrip("# ") for word in words if word.type == tokenize.COMMENT}


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except NO_LITERAL:
        return None


def checked(path: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """The given values in the types that the notebook declares; a wrong name or value raises InputError."""
    known = declared(path)
    if values and not known:
        raise InputError(
            f"{path.name} has no cell tagged `parameters`, so that it takes none",
            f"{path.name} 没有带 `parameters` 标签的单元格，因此不接受参数",
        )
    for name in values:
        if name not in known:
            raise InputError(
                f"{path.name}: no parameter {name!r}{did_you_mean(name, known)}",
                f"{path.name}：没有参数 {name!r}{did_you_mean(name, known, 'zh')}",
            )
    return {name: _value(known[name], value) for name, value in values.items()}


def _value(parameter: Declared, given: Any) -> Any:
    """A word of a command line, or a value already typed, as the parameter's type."""
    read: Any = given
    if isinstance(given, str) and parameter.kind != "str":
        try:
            read = ast.literal_eval(given)
        except NO_LITERAL:
            read = {"true": True, "false": False}.get(given.lower(), given)
    if parameter.kind == "float" and type(read) is int:
        with suppress(OverflowError):
            read = float(read)
    if parameter.kind and type(read) is not SIMPLE[parameter.kind]:
        raise InputError(
            f"{parameter.name}: {given!r} is no {parameter.kind}, as its default {parameter.default!r} is",
            f"{parameter.name}：{given!r} 不是 {parameter.kind}，而默认值 {parameter.default!r} 是",
        )
    if not _survives_json(read):
        raise InputError(
            f"{parameter.name}: {given!r} cannot be kept in run.json, which holds finite numbers, texts, True, False, "
            "None, lists, and dictionaries whose keys are texts",
            f"{parameter.name}：{given!r} 无法保存在 run.json 中；那里只能有有限的数、文本、True、False、None、"
            "列表，以及键为文本的字典",
        )
    return read


def _survives_json(value: Any) -> bool:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        return bool(json.loads(text.encode()) == value)
    except (ValueError, TypeError, RecursionError):
        return False


def reserve_notebook(path: Path, given: Mapping[str, Any], *, runs: str | Path = "", name: str = "") -> Run:
    """Check a notebook's parameters and kernel, and reserve a run of it: for a wrong one no kernel starts."""
    with needs("lab"):
        import ipykernel  # noqa: F401  (the kernel runs it)
        import nbformat
        import papermill  # noqa: F401
    path = path.absolute()
    values = checked(path, given)
    notebook = load(path)
    kernel_name(notebook, path.name)
    asked = {
        "recipe": "",
        "notebook": str(path),
        "parameters": values,
        "seed": values.get("seed"),
        "surface": "notebook",
        "replayable": True,
    }
    return reserve(asked, path.stem, runs, name, {SOURCE: nbformat.writes(notebook)})


def kernel_name(notebook: Any, source: str) -> str:
    """The installed kernel that a notebook asks for; "" for this interpreter, where it asks for plain Python."""
    from jupyter_client.kernelspec import KernelSpecManager

    wanted = notebook.metadata.get("kernelspec", {}).get("name", "")
    if wanted in ("", "python3"):
        return ""
    known = KernelSpecManager().find_kernel_specs()
    if wanted not in known:
        raise InputError(
            f"{source}: its kernel {wanted!r} is not installed{did_you_mean(wanted, known)}",
            f"{source}：它的内核 {wanted!r} 没有安装{did_you_mean(wanted, known, 'zh')}",
        )
    return str(wanted)


def execute(run: Run) -> Run:
    """Execute a reserved run's notebook, in its own folder, from the start; the first Ctrl-C stops it.

    It is completed when its last cell has ended well, or a cell has called `sys.exit()`, and never before. A cell's
    error raises InputError.
    """
    import papermill

    if run.state == "completed":
        return run
    source, target = run.path / SOURCE, run.path / "notebook.ipynb"
    folder = Path(run.asked["notebook"]).parent
    notebook = load(source)
    kernel = kernel_name(notebook, source.name)
    papermill.engines.papermill_engines.register("kerasllm", engine())
    with Writer(run) as writer:
        writer.start()
        session = {"time": time.time(), **myself(), "python": sys.version.split()[0], "data": {}}
        files.append_line(run.path / "sessions.jsonl", session)
        with interrupts(writer.interrupt), this_interpreter() as mine, environment(KERASLLM_RUNS=str(run.path.parent)):
            try:
                papermill.execute_notebook(
                    braces(source),
                    braces(target),
                    run.asked["parameters"],
                    engine_name="kerasllm",
                    kernel_name=kernel or mine,
                    language=_language(notebook),
                    progress_bar=False,
                    cwd=str(folder) if folder.is_dir() else None,  # as Jupyter does
                    writer=writer,
                )
            except papermill.PapermillExecutionError as error:
                if writer.stop_asked():
                    writer.end("stopped", "as asked", "按要求停止")
                    return run
                raise InputError(
                    f"cell {error.exec_count}: {error.ename}: {error.evalue}",
                    f"单元格 {error.exec_count}：{error.ename}：{error.evalue}",
                ) from error
            except RuntimeError as error:  # nbclient's dead kernel
                if writer.stop_asked():
                    writer.end("stopped", "as asked; its kernel had to be killed", "按要求停止；内核只能强行结束")
                    return run
                raise InputError(f"the kernel: {error}", f"内核：{error}") from error
        writer.end("completed")
    return run
