"""The Lab extension's sources: all texts in both languages, no recipe's name, no colour of its own."""

from __future__ import annotations

import json
import re

from kerasllm import __version__, recipes
from tests.conftest import ROOT

FOLDER = ROOT / "widgets" / "labextension"
SOURCES = "\n".join(path.read_text("utf-8") for path in sorted(FOLDER.glob("src/*.ts*")))


def test_every_text_is_in_chinese_too() -> None:
    catalogue = ROOT / "widgets" / "kerasllm_widgets" / "locale" / "zh_CN" / "LC_MESSAGES" / "kerasllm.json"
    known = json.loads(catalogue.read_text("utf-8")).keys() - {""}
    said = set(re.findall(r"trans\.__\(\s*'([^']+)'", SOURCES))
    constants = dict(re.findall(r"const ([A-Z]+) =\s*([\"'].*[\"']);", SOURCES))
    schema = json.loads((FOLDER / "schema" / "runs.json").read_text("utf-8"))
    said |= {one[part] for one in (schema, *schema["properties"].values()) for part in ("title", "description")}
    said |= {constants[name][1:-1] for name in re.findall(r"__\(([A-Z]+)", SOURCES)}
    assert said == known


def test_every_state_is_in_chinese_too() -> None:
    words = (ROOT / "widgets" / "kerasllm_widgets" / "static" / "words.js").read_text("utf-8")
    told = re.search(r"const STATES: State\[\] = \[(.*)\]", SOURCES)
    assert told
    assert set(re.findall(r"'(\w+)'", told[1])) <= set(re.findall(r"^  (\w+): \[", words, re.MULTILINE))


def test_its_version_is_the_packages() -> None:
    assert json.loads((FOLDER / "package.json").read_text("utf-8"))["version"] == __version__


def test_no_recipe_is_named() -> None:
    assert not [name for name in recipes.names() if name in SOURCES]


def test_every_colour_is_labs() -> None:
    style = (FOLDER / "style" / "index.css").read_text("utf-8")
    assert not re.findall(r"#[0-9a-f]{3}|rgb|hsl", style)
    assert set(re.findall(r"var\((--[a-z]+)", style)) == {"--jp"}


def test_the_lock_file_names_no_registry() -> None:
    for lock in FOLDER.glob("**/package-lock.json"):
        if "node_modules" not in lock.parts:
            assert '"resolved"' not in lock.read_text("utf-8")
