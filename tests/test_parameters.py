"""Parameters: declared once, bounded, drawable, and refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from kerasllm import recipes
from kerasllm.errors import InputError
from kerasllm.parameters import GROUPS, UNITS, bounds, description, drawing, parameter, schema
from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.recipes.text_classifier import TextClassifier
from kerasllm.tasks import Regressor


@pytest.mark.parametrize("name", recipes.names())
def test_every_field_is_described_in_both_languages_and_has_a_group(name: str) -> None:
    recipe = recipes.find(name)
    assert recipe.name() == name
    assert recipe.summary().endswith(".")
    assert recipe.zh
    for field_name, field in recipe.model_fields.items():
        assert field.description, field_name
        assert any("\u4e00" <= character <= "\u9fff" for character in drawing(field)["zh"]), field_name
        assert drawing(field)["group"] in GROUPS
        assert drawing(field)["unit"] in ("", *UNITS)


@pytest.mark.parametrize("name", recipes.names())
def test_the_defaults_are_valid(name: str) -> None:
    recipe = recipes.find(name)
    assert recipe(**recipe().model_dump()) == recipe()


@pytest.mark.parametrize(
    ("values", "line", "zh"),
    [
        (
            {"epoch": 3, "l2": 0.1, "l1": -1},
            "l1: -1 must be 0 or more; no parameter 'epoch'; did you mean 'epochs'?",
            "l1：-1 必须大于或等于 0；没有参数 'epoch'；是否指 'epochs'？",
        ),
        ({"epochs": 0}, "epochs: 0 must be 1 or more", "epochs：0 必须大于或等于 1"),
        ({"epochs": None}, "epochs: None must be a whole number", "epochs：None 必须是整数"),
        (
            {"epochs": "many"},
            "epochs: 'many' must be a whole number",
            "epochs：'many' 必须是整数",
        ),
        (
            {"learning_rate": float("nan")},
            "learning_rate: nan must be a finite number",
            "learning_rate：nan 必须是有限的数",
        ),
        (
            {"optimizer": "adm"},
            "optimizer: 'adm' must be one of 'adam', 'adamw', 'sgd', 'rmsprop' or 'adagrad'",
            "optimizer：'adm' 必须是其中之一：'adam', 'adamw', 'sgd', 'rmsprop' 或 'adagrad'",
        ),
    ],
)
def test_a_wrong_value_is_one_line_in_both_languages(values: dict[str, Any], line: str, zh: str) -> None:
    with pytest.raises(InputError) as caught:
        LinearRegression(**values)
    assert (str(caught.value), caught.value.zh) == (line, zh)


def test_numbers_given_for_a_share_become_text() -> None:
    assert LinearRegression(test=0.25).test == "0.25"  # type: ignore[arg-type]


def test_a_field_that_no_form_can_draw_fails_at_import() -> None:
    with pytest.raises(TypeError, match="is not bool, int, float, str or a Literal"):

        class Bad(Regressor):
            """Bad."""

            sizes: list[int] = parameter([], "sizes", "大小", group="network")


def test_a_field_declared_without_the_helper_fails_at_import() -> None:
    with pytest.raises(TypeError, match="declare it with parameter"):

        class Bad(Regressor):
            """Bad."""

            size: int = 3


def test_bounds_are_shown_as_one_word() -> None:
    class Shown(Regressor):
        """Shown."""

        both: int = parameter(1, "b", "两", group="network", ge=1, le=9)
        above: float = parameter(1.0, "a", "上", group="network", gt=0)
        free: Literal["x", "y"] = parameter("x", "f", "无", group="network")
        unit: float = parameter(1.0, "u", "单位", group="network", ge=0, unit="minutes")
        foreign: int = parameter(1, "a", "果", group="network", unit="apples")

    fields = Shown.model_fields
    assert [bounds(fields[name]) for name in ("both", "above", "free")] == ["1..9", ">0..", ""]
    assert description(fields["unit"]) == "u (minutes; 0..)"
    assert description(fields["unit"], "zh") == "单位 (分钟; 0..)"
    assert description(fields["foreign"], "zh") == "果 (apples)"


def test_a_unit_has_a_word_in_both_languages() -> None:
    assert all(not word.isascii() for word in UNITS.values())
    for language, word in (("en", "rows"), ("zh", "行")):
        assert schema(LinearRegression, language)["properties"]["batch_size"]["unit"] == word
        assert schema(LinearRegression, language)["properties"]["epochs"]["unit"] == ""


def test_a_path_is_as_good_as_its_text() -> None:
    assert LinearRegression(data=Path("houses.csv"), test=Path("new.csv")) == LinearRegression(
        data="houses.csv", test="new.csv"
    )


def test_another_default_changes_nothing_else() -> None:
    here, above = LinearRegression.model_fields["learning_rate"], Regressor.model_fields["learning_rate"]
    assert here.default != above.default
    assert (bounds(here), description(here), drawing(here)) == (bounds(above), description(above), drawing(above))


def test_the_schema_of_a_form_has_types_bounds_groups_and_both_languages() -> None:
    english, chinese = schema(TextClassifier), schema(TextClassifier, "zh")
    words = english["properties"]["words"]
    assert (words["type"], words["minimum"], words["maximum"], words["default"]) == ("integer", 1, 5, 3)
    assert english["properties"]["learning_rate"]["exclusiveMinimum"] == 0
    assert english["properties"]["schedule"]["enum"] == ["constant", "linear", "cosine"]
    assert words["description"].isascii()
    assert "特征" in chinese["properties"]["words"]["description"]
    groups = {group["name"] for group in english["groups"]}
    assert {drawn["group"] for drawn in english["properties"].values()} <= groups
    assert list(english["properties"]) == list(TextClassifier.model_fields)


def test_a_frame_in_place_of_a_path_is_told_in_one_line_where_it_belongs() -> None:
    with pytest.raises(InputError) as caught:
        LinearRegression(data=np.zeros((60, 3)))  # type: ignore[arg-type]
    assert str(caught.value) == "data: a ndarray is no path; what is in memory is for train(), as train(data)"
    with pytest.raises(InputError, match=r"^target: \['" + "x" * 78 + "… ") as caught:
        LinearRegression(target=["x" * 500])  # type: ignore[arg-type]
