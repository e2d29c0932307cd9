"""A notebook's cell tagged `parameters`: read by Python's own parser, and what is given for it, checked.

papermill reads the cell by regular expressions and misses some, and injects names unchecked, though a name can hold
code. Here a name or type that the cell does not declare never reaches a kernel.
"""

from __future__ import annotations

import ast
import io
import json
import tokenize
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kerasllm.errors import InputError, did_you_mean, may_read, needs

PARAMETERS, INJECTED = "parameters", "injected-parameters"  # tags; papermill's own cell comes after and counts
NO_LITERAL = (ValueError, SyntaxError, TypeError, RecursionError, MemoryError)  # as Python's parser says it
KINDS: dict[str, type] = {kind.__name__: kind for kind in (bool, int, float, str, list, dict)}


@dataclass(frozen=True)
class Declared:
    """One parameter of a notebook: `kind` is one of KINDS, or "" where any literal will do."""

    name: str
    kind: str
    default: Any  # None, too, where it is no literal
    help: str
    is_computed: bool = False  # what its default is, only the notebook's code knows
    choices: tuple[Any, ...] = ()  # where its annotation names them
    or_none: bool = False
    is_injected: bool = False  # by an earlier execution, whose whole cell papermill replaces


def is_notebook(source: str) -> bool:
    """Whether a word names a notebook rather than a recipe."""
    return source.endswith(".ipynb")


def load(path: Path) -> Any:
    """The notebook, in nbformat 4."""
    with needs("lab"):
        import nbformat
    with may_read():
        if not path.exists():
            raise InputError(f"no notebook {path}", f"没有笔记本 {path}")
    try:
        return nbformat.read(path, as_version=4)
    except OSError as error:
        raise InputError(
            f"{path.name} cannot be read: {error.strerror}", f"{path.name} 无法读取：{error.strerror}"
        ) from error
    except (nbformat.ValidationError, ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise InputError(
            f"{path.name} is no notebook: {' '.join(str(error).split())[:200]}",
            f"{path.name} 不是笔记本：{' '.join(str(error).split())[:200]}",
        ) from error


def tagged(notebook: Any, tag: str = PARAMETERS) -> list[Any]:
    """The notebook's cells with a tag."""
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def declared(path: Path) -> dict[str, Declared]:
    """The parameters of a notebook's cell, with the values of an earlier execution, which count; {} of no such cell."""
    notebook = load(path)
    own, injected = (_assigned(notebook, path.name, tag) for tag in (PARAMETERS, INJECTED))
    counts = {
        name: replace(own.get(name, one), default=one.default, is_computed=one.is_computed, is_injected=True)
        for name, one in injected.items()
    }
    return own | counts if tagged(notebook) else {}


def _assigned(notebook: Any, name: str, tag: str) -> dict[str, Declared]:
    cell = next(iter(tagged(notebook, tag)), None)
    if cell is None:
        return {}
    language = language_of(notebook)
    if language != "python":
        raise InputError(
            f"{name}: the parameters of a notebook in {language} cannot be checked, only Python's",
            f"{name}：{language} 的笔记本无法检查参数，只有 Python 的可以",
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
                default, note = _literal(node.value), notes.get(node.end_lineno or 0, "")
                is_computed = default is None and not isinstance(node.value, ast.Constant)
                if isinstance(node, ast.AnnAssign):
                    kind, choices, or_none = _annotated(node.annotation)
                else:
                    kind, choices, or_none = type(default).__name__, (), False
                kind = kind if kind in KINDS else ""
                found[target.id] = Declared(target.id, kind, default, note, is_computed, choices, or_none)
    return found


def language_of(notebook: Any) -> str:
    """The language that a notebook is written in."""
    told = notebook.metadata.get("language_info", {}).get("name") or notebook.metadata.get("kernelspec", {}).get(
        "language"
    )
    return str(told or "python")


def _is_annotated(node: ast.stmt) -> bool:
    return isinstance(node, ast.AnnAssign) and node.value is not None


def _annotated(node: ast.expr) -> tuple[str, tuple[Any, ...], bool]:
    """The kind, the choices and whether None will do, of `float`, `list[int]`, `Literal["a", "b"]`, `str | None` …"""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        parts = [one for one in (node.left, node.right) if ast.unparse(one) != "None"]
        kind, choices, or_none = _annotated(parts[0]) if len(parts) == 1 else ("", (), False)
        return kind, choices, or_none or len(parts) == 1
    if isinstance(node, ast.Subscript):
        name = ast.unparse(node.value).rpartition(".")[2]
        if name == "Optional":
            return *_annotated(node.slice)[:2], True
        if name == "Literal" and (listed := _literal(node.slice)) is not None:
            choices = listed if isinstance(listed, tuple) else (listed,)
            kinds = {type(one).__name__ for one in choices}
            return kinds.pop() if len(kinds) == 1 else "", choices, False
        return {"List": "list", "Dict": "dict"}.get(name, name), (), False
    return ast.unparse(node), (), False


def _comments(source: str) -> dict[int, str]:
    words = tokenize.generate_tokens(io.StringIO(source).readline)
    return {word.start[0]: word.string.lstrip("# ") for word in words if word.type == tokenize.COMMENT}


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except NO_LITERAL:
        return None


def checked(path: Path, values: Mapping[str, Any], *, are_words: bool = True) -> dict[str, Any]:
    """The given values, and else those of an earlier execution, in the types that the notebook declares.

    A wrong name or value raises InputError. Texts among the values are words of a command line or a form, which are
    read as Python writes values, unless `are_words` is False.
    """
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
    injected = {name: plain(path, one) for name, one in known.items() if one.is_injected and name not in values}
    found = {name: _fitting(known[name], one, one) for name, one in injected.items()}
    for name, given in values.items():
        found[name] = _fitting(known[name], _read(known[name], given) if are_words else given, given)
    return found


def plain(path: Path, parameter: Declared) -> Any:
    """A parameter's value in the notebook at `path`; of a computed one InputError."""
    if parameter.is_computed:
        raise InputError(
            f"{path.name}: {parameter.name} is computed in the notebook; give it a plain value",
            f"{path.name}：{parameter.name} 在笔记本中由计算得出；请给它一个直接写出的值",
        )
    return parameter.default


def _read(parameter: Declared, given: Any) -> Any:
    """What a word says to a parameter; what is no text is a value already."""
    if not isinstance(given, str) or (parameter.kind == "str" and not parameter.or_none):
        return given
    try:
        read = ast.literal_eval(given)
    except NO_LITERAL:
        read = {"true": True, "false": False}.get(given.lower(), given)
    return given if parameter.kind == "str" and not isinstance(read, (str, type(None))) else read


def _fitting(parameter: Declared, read: Any, given: Any) -> Any:
    """A value in the parameter's type; errors show it as it was given."""
    if parameter.kind == "float" and type(read) is int:
        with suppress(OverflowError):
            read = float(read)
    if parameter.or_none and read is None:
        return None
    if parameter.choices and (type(read), read) not in [(type(one), one) for one in parameter.choices]:
        listed = ", ".join(map(repr, parameter.choices))
        raise InputError(
            f"{parameter.name}: {given!r} must be one of {listed}", f"{parameter.name}：{given!r} 应为 {listed} 之一"
        )
    if parameter.kind and type(read) is not KINDS[parameter.kind]:
        either, zh = (" and not None", "，也不是 None") if parameter.or_none else ("", "")
        told, told_zh = (
            ("an earlier execution injected", "先前的执行注入了")
            if parameter.is_injected
            else ("its default is", "默认值为")
        )
        raise InputError(
            f"{parameter.name}: {given!r} is no {parameter.kind}{either}; {told} {parameter.default!r}",
            f"{parameter.name}：{given!r} 不是 {parameter.kind}{zh}；{told_zh} {parameter.default!r}",
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
