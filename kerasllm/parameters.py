"""Parameters: declared once as pydantic fields, drawn by every surface.

A field is a plain type (bool, int, float, str or a Literal of strings), a default, bounds, a description in
English and Chinese, a group, a unit where it has one, and "advanced" or not. `""` means none.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError
from pydantic.fields import FieldInfo

from kerasllm.errors import InputError, did_you_mean

GROUPS = {  # in the order of every form and help page
    "data": ("Data", "数据"),
    "network": ("Network", "网络"),
    "training": ("Training", "训练"),
    "computing": ("Computing", "计算"),
    "writing": ("Writing", "写作"),
}
UNITS = {  # and their Chinese words
    "characters": "字符",
    "epochs": "轮",
    "minutes": "分钟",
    "px": "像素",
    "rows": "行",
    "streams": "流",
    "tokens": "词元",
}
Kind = Literal["", "file", "preset", "column", "columns"]

# pydantic's kinds of mistakes -> the user's words.
REASONS = {
    "greater_than": ("must be greater than {gt}", "必须大于 {gt}"),
    "greater_than_equal": ("must be {ge} or more", "必须大于或等于 {ge}"),
    "less_than": ("must be less than {lt}", "必须小于 {lt}"),
    "less_than_equal": ("must be {le} or less", "必须小于或等于 {le}"),
    "int_type": ("must be a whole number", "必须是整数"),
    "int_parsing": ("must be a whole number", "必须是整数"),
    "int_from_float": ("must be a whole number", "必须是整数"),
    "int_parsing_size": ("is too large", "过大"),
    "float_type": ("must be a number", "必须是数字"),
    "float_parsing": ("must be a number", "必须是数字"),
    "finite_number": ("must be a finite number", "必须是有限的数"),
    "bool_type": ("must be true or false", "必须是 true 或 false"),
    "bool_parsing": ("must be true or false", "必须是 true 或 false"),
    "string_type": ("must be text", "必须是文本"),
    "literal_error": ("must be one of {expected}", "必须是其中之一：{expected}"),
}


def parameter(
    default: Any,
    description: str,
    zh: str,
    *,
    group: str,
    unit: str = "",
    advanced: bool = False,
    kind: Kind = "",
    **bounds: float,
) -> Any:
    """Declare a recipe's field.

    `kind` says what a string names, so that a form can offer it: a file, a pretrained model (its folder or name), a
    column of the data, or several columns between commas. `bounds` are pydantic's: ge, gt, le, lt.
    """
    if group not in GROUPS:
        raise ValueError(f"no group {group!r}{did_you_mean(group, GROUPS)}")
    drawing = {"zh": zh, "group": group, "unit": unit, "advanced": advanced, "kind": kind}
    return Field(default, description=description, json_schema_extra=drawing, **bounds)  # type: ignore[call-overload]


def with_default(recipe: type[BaseModel], name: str, default: Any) -> Any:
    """Declare again a field of the recipe above, with another default and all else the same."""
    field = recipe.model_fields[name]
    bounds = {
        bound: getattr(part, bound)
        for part in field.metadata
        for bound in ("ge", "gt", "le", "lt")
        if hasattr(part, bound)
    }
    return Field(default, description=field.description, json_schema_extra=field.json_schema_extra, **bounds)


def drawing(field: FieldInfo) -> dict[str, Any]:
    """What a surface needs to draw a field beside its type: zh, group, unit, advanced, kind."""
    return typing.cast(dict[str, Any], field.json_schema_extra)


def description(field: FieldInfo, language: str = "en") -> str:
    """The field's help in `language` ("en" or "zh"), with its unit and bounds."""
    text = drawing(field)["zh"] if language == "zh" else field.description or ""
    notes = [note for note in (unit(field, language), bounds(field)) if note]
    return f"{text} ({'; '.join(notes)})" if notes else text


def unit(field: FieldInfo, language: str = "en") -> str:
    """The field's unit in `language`, "" where it has none."""
    word: str = drawing(field)["unit"]
    return UNITS.get(word, word) if language == "zh" else word  # a stranger's recipe may have others


def bounds(field: FieldInfo) -> str:
    """The field's bounds as one word: `1..100`, `>0..1`, `0..`, or "" (no sign that papermill takes for a value's)."""
    low = high = ""
    for part in field.metadata:
        low = _plain(part.ge) if hasattr(part, "ge") else f">{_plain(part.gt)}" if hasattr(part, "gt") else low
        high = _plain(part.le) if hasattr(part, "le") else f"<{_plain(part.lt)}" if hasattr(part, "lt") else high
    return f"{low}..{high}" if low or high else ""


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)


def schema(recipe: type[BaseModel], language: str = "en") -> dict[str, Any]:
    """The recipe's form as flat JSON schema: types, bounds, choices, defaults; texts in `language` ("en" or "zh").

    Beside JSON schema's own words a property has group, advanced, unit and kind; `groups` are their titles in order.
    """
    drawn = recipe.model_json_schema()["properties"]
    for name, field in recipe.model_fields.items():
        del drawn[name]["zh"]
        drawn[name] |= {
            "title": name,
            "description": description(field, language),
            "unit": unit(field, language),
        }
    titles = [{"name": key, "title": names[language == "zh"]} for key, names in GROUPS.items()]
    return {"type": "object", "properties": drawn, "additionalProperties": False, "groups": titles}


def only_from_scratch(recipe: BaseModel, names: Iterable[str], preset: str) -> None:
    """Refuse another value than the default for what the recipe's preset decides."""
    for name in names:
        if getattr(recipe, name) != type(recipe).model_fields[name].default:
            raise InputError(
                f"{name} is for a network from scratch; preset {preset!r} has its own",
                f"{name} 只用于从零训练的网络；预设 {preset!r} 自有其值",
            )


def check_drawable(recipe: type[BaseModel]) -> None:
    """Raise TypeError, at import, for a field that no form could draw or nobody could understand."""
    for name, field in recipe.model_fields.items():
        where = f"{recipe.__name__}.{name}"
        kind = field.annotation
        choices = typing.get_args(kind) if typing.get_origin(kind) is Literal else None
        if choices is not None and not all(isinstance(choice, str) for choice in choices):
            raise TypeError(f"{where}: a Literal's choices must be strings")
        if choices is None and kind not in (bool, int, float, str):
            raise TypeError(f"{where}: {kind} is not bool, int, float, str or a Literal of strings")
        if not isinstance(field.json_schema_extra, dict) or not field.description:
            raise TypeError(f"{where}: declare it with parameter(default, description, zh, group=...)")
        if field.is_required():
            raise TypeError(f"{where}: a parameter needs a default")


MOST_SHOWN = 80  # characters of a value that is refused


def one_line(error: ValidationError, known: Iterable[str], language: str = "en") -> str:
    """pydantic's report as one line in the user's words."""
    chinese = language == "zh"
    lines = []
    for part in error.errors(include_url=False):
        name = ".".join(str(place) for place in part["loc"])
        if part["type"] == "extra_forbidden":
            lines.append(f"{'没有参数' if chinese else 'no parameter'} {name!r}{did_you_mean(name, known, language)}")
            continue
        words = reason(part)[chinese]
        lines.append(f"{name}{'：' if chinese else ': '}{_short(part['input'])} {words}" if name else words)
    return ("；" if chinese else "; ").join(lines)


def _short(value: Any) -> str:
    """A value in one line, however long; what takes several, a DataFrame, say, by its kind."""
    shown = repr(value)
    if "\n" in shown:
        return f"a {type(value).__name__}"
    return shown if len(shown) <= MOST_SHOWN else f"{shown[:MOST_SHOWN]}…"


def reason(part: Any) -> tuple[str, str]:
    """Why a value is refused, one part of pydantic's report, in English and Chinese."""
    context = part.get("ctx", {})
    if part["type"] in ("int_parsing", "float_parsing") and not str(part["input"]).strip():
        return "is needed", "不能为空"
    if part["type"] in REASONS:
        english, chinese = REASONS[part["type"]]
        numbers = {name: f"{one:.12g}" if isinstance(one, (int, float)) else one for name, one in context.items()}
        return english.format(**numbers), chinese.format(**numbers).replace(" or ", " 或 ")
    if isinstance(error := context.get("error"), InputError):
        return str(error), error.zh
    words = part["msg"].removeprefix("Value error, ")  # a stranger's recipe may raise a plain ValueError
    return words, words
