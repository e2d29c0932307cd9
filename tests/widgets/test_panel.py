"""A panel's form without a browser: what is typed and clicked is sent as the browser sends it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from kerasllm_widgets import Panel, children, form
from kerasllm_widgets import panel as panels

from kerasllm.errors import InputError
from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.recipes.text_classifier import TextClassifier
from tests.widgets.conftest import click, type_, wait, wait_for_threads
from tests.widgets.pages import run_view


def test_a_wrong_value_is_named_and_nothing_starts(runs: Path) -> None:
    panel = Panel("linear_regression")
    type_(panel, epochs="many")
    assert panel.form.mistakes["epochs"]["en"] == "must be a whole number"
    click(panel.form, "train")
    wait(lambda: panel.form.notice, 10)
    assert panel.form.notice["words"] == {"en": "epochs: must be a whole number", "zh": "epochs: 必须是整数"}
    wait(lambda: not panel.form.busy, 10)
    assert not runs.exists()
    type_(panel, epochs="5")
    assert panel.form.mistakes == {}


def test_a_file_is_read_and_its_columns_checked(tmp_path: Path) -> None:
    (tmp_path / "homes.csv").write_text("area,price\n1,2\n3,4\n")
    panel = Panel("linear_regression")
    type_(panel, data=str(tmp_path / "homes.csv"), target="cost")
    wait(lambda: "target" in panel.form.mistakes, 5)
    assert panel.form.preview["columns"] == ["area", "price"]
    type_(panel, target="price")
    assert panel.form.mistakes == {}
    type_(panel, data=str(tmp_path / "home.csv"))
    wait(lambda: "data" in panel.form.mistakes, 5)
    assert "did you mean 'homes.csv'" in panel.form.mistakes["data"]["en"]


@pytest.mark.parametrize("what", ["train", "estimate", "card", "save"])
def test_a_file_that_was_mended_is_read_again(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "train", lambda run: None)
    monkeypatch.setattr(panels, "estimate", lambda recipe, is_wanted: {"seconds": 1.0, "steps": 1})
    file = tmp_path / "homes.csv"
    panel = Panel("linear_regression")
    type_(panel, data=str(file), target="price")
    wait(lambda: "data" in panel.form.mistakes, 10)
    file.write_text("area,cost\n" + "1,2\n3,4\n" * 10)
    does = {"name": str(tmp_path / "mine.ipynb")} if what == "save" else {}
    click(panel.form, what, **does)
    wait(lambda: "target" in panel.form.mistakes, 10)
    wait_for_threads()
    file.write_text("area,price\n" + "1,2\n3,4\n" * 10)
    click(panel.form, what, **does)
    wait_for_threads()
    assert panel.form.mistakes == {}
    assert panel.form.preview["columns"] == ["area", "price"]
    done = {
        "train": panel.run,
        "estimate": panel.form.estimate.get("state") == "done",
        "card": "lines" in panel.form.card,
        "save": panel.form.notice.get("kind") == "saved",
    }
    assert done[what]
    panel.close()


def test_what_cannot_be_read_is_told_at_its_field_before_a_run_is_made(tmp_path: Path, runs: Path) -> None:
    panel = Panel("linear_regression")
    type_(panel, data="sample:line", test=str(tmp_path / "test.csv.gz"))
    assert "neither a share" in panel.form.mistakes["test"]["en"]
    (tmp_path / "test.csv.gz").write_text("x,y\n1,2\n")
    type_(panel, data="sample:houses")
    assert panel.form.mistakes == {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LinearRegression, "fingerprints", refuse)
        click(panel.form, "train")
        wait(lambda: panel.form.notice and not panel.form.busy, 10)
    assert panel.form.mistakes == {"test": {"en": "test.csv.gz: no readable gzip file", "zh": "test.csv.gz：无法解压"}}
    assert not runs.exists()


def test_a_refusal_stays_though_the_file_was_still_being_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preview = form.preview
    monkeypatch.setattr(form, "preview", lambda *asked: time.sleep(0.5) or preview(*asked))
    monkeypatch.setattr(LinearRegression, "fingerprints", refuse)
    (tmp_path / "test.csv.gz").write_text("x,y\n1,2\n")
    panel = Panel("linear_regression")
    type_(panel, data="sample:line", test=str(tmp_path / "test.csv.gz"))
    click(panel.form, "train")
    wait_for_threads()
    assert list(panel.form.mistakes) == ["test"]


def test_what_is_typed_while_a_thread_checks_older_values_has_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    places, checking = form.places, threading.Event()

    def slow(*asked: Any) -> dict[str, form.Said]:
        found = places(*asked)
        if threading.current_thread().name == "kerasllm-panel":
            checking.set()
            time.sleep(0.5)
        return found

    monkeypatch.setattr(form, "places", slow)
    panel = Panel("linear_regression")
    type_(panel, data="sample:line", test="1.5")
    assert checking.wait(10)
    type_(panel, test="0.2")
    wait_for_threads()
    assert panel.form.mistakes == {}


def refuse(recipe: LinearRegression) -> None:
    raise InputError("test.csv.gz: no readable gzip file", "test.csv.gz：无法解压")


def test_blanks_around_a_files_name_are_no_part_of_it(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "train", lambda run: None)
    panel = Panel("linear_regression")
    type_(panel, data=" sample:line ", test=" 0.5 ")
    assert panel.form.mistakes == {}
    assert panel.train().recipe == LinearRegression(data="sample:line", test="0.5")
    panel.close()


def test_the_data_card_is_what_training_would_find() -> None:
    panel = Panel("linear_regression")
    click(panel.form, "card")
    wait(lambda: "lines" in panel.form.card, 10)
    assert "target price" in panel.form.card["lines"]["en"]
    assert "目标 price" in panel.form.card["lines"]["zh"]


def test_what_was_asked_of_older_values_is_told_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a card, nor a time, nor a refusal; the newer answers stay."""
    let_go, asked = threading.Event(), list[int]()

    def card(recipe: LinearRegression) -> str:
        asked.append(recipe.epochs)
        if recipe.epochs == 1:
            let_go.wait(20)
        return f"of {recipe.epochs}"

    def estimate(recipe: LinearRegression, is_wanted: Any) -> dict[str, Any]:
        asked.append(recipe.epochs)
        if recipe.epochs == 1:
            let_go.wait(20)
            raise InputError("old", "旧")
        return {"seconds": float(recipe.epochs), "steps": 1}

    monkeypatch.setattr(form, "card", card)
    monkeypatch.setattr(panels, "estimate", estimate)
    monkeypatch.setattr(children, "park", lambda: None)
    panel = Panel("linear_regression")
    for epochs in (1, 2):
        type_(panel, epochs=str(epochs))
        click(panel.form, "card")
        click(panel.form, "estimate")
        wait(lambda now=epochs: asked.count(now) == 2, 10)
    wait(lambda: "lines" in panel.form.card and panel.form.estimate.get("state") == "done", 10)
    let_go.set()
    wait_for_threads()
    assert panel.form.card == {"lines": "of 2"}
    assert panel.form.estimate == {"state": "done", "seconds": 2.0, "steps": 1}
    assert panel.form.notice == {}
    page = """
    const model = new Model({ card: { lines: "of 1" } });
    const { element: box } = card(model, () => console.log("asked"));
    box.open = true;
    box.heard.toggle();
    """
    assert run_view("form.js", page) == ["asked"]  # the file may be another one than when it was last open
    panel.close()


def test_a_card_of_older_values_is_folded_though_it_was_still_being_read(monkeypatch: pytest.MonkeyPatch) -> None:
    let_go, shown = threading.Event(), list[dict[str, Any]]()
    monkeypatch.setattr(form, "card", lambda recipe: let_go.wait(20) or "")
    panel = Panel("linear_regression")
    panel.form.observe(lambda change: shown.append(change["new"]), "card")
    click(panel.form, "card")
    type_(panel, epochs="7")
    let_go.set()
    wait_for_threads()
    assert shown == [{"state": "reading"}, {}]
    page = """
    const model = new Model({ card: {} });
    const { element: box } = card(model, () => {});
    box.open = true;
    model.set("card", { state: "reading" });
    console.log(box.open, box.childNodes[1].text);
    model.set("card", {});
    console.log(box.open);
    """
    assert run_view("form.js", page) == ["true Loading…", "false"]
    panel.close()


def test_a_click_is_made_on_what_its_page_shows_though_the_change_comes_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A page sends a change only once an earlier one was answered, and a click at once."""
    monkeypatch.setattr(form, "card", lambda recipe: f"of {recipe.epochs}")
    panel = Panel("linear_regression")
    click(panel.form, "card", values={**panel.values, "epochs": "7"})
    wait(lambda: "lines" in panel.form.card, 10)
    type_(panel, epochs="7")
    assert panel.form.card == {"lines": "of 7"}
    panel.close()


def test_settings_of_ones_own_are_shown_and_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    panel = Panel(LinearRegression(learning_rate=1e-5, epochs=7))
    assert panel.values["learning_rate"] == "1e-05"
    click(panel.form, "save", name="mine.ipynb")
    wait(lambda: panel.form.notice, 10)
    assert panel.form.notice == {"kind": "saved", "words": "mine.ipynb"}
    assert Panel.from_notebook("mine.ipynb").values == panel.values
    click(panel.form, "save", name="mine.ipynb")
    wait(lambda: panel.form.notice, 10)
    assert "exists already" in panel.form.notice["words"]["en"]


def test_a_second_click_while_a_run_goes_on_starts_nothing(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "train", lambda run: None)
    panel = Panel("linear_regression")
    click(panel.form, "train")
    click(panel.form, "train")
    wait(lambda: panel.run, 20)
    assert len(list(runs.iterdir())) == 1
    assert panel.form.notice == {"kind": "problem", "words": {"en": "A run is going on", "zh": "训练正在进行"}}
    click(panel.form, "estimate")
    assert panel.form.estimate == {}
    panel.view.close()


def test_an_idle_panel_sends_little_and_imports_no_keras() -> None:
    code = (
        "from kerasllm_widgets import Panel; p = Panel('text_classifier'); import sys\n"
        "print(sorted({'keras', 'tensorflow', 'jax', 'torch', 'pandas', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_panel_keeps_every_digit_of_a_recipes_numbers() -> None:
    recipe = TextClassifier(learning_rate=1 / 300)
    panel = Panel(recipe)
    assert panel.values["learning_rate"] == str(1 / 300)
    assert TextClassifier(**panel.values) == recipe
    panel.close()


def test_the_name_that_is_offered_for_a_notebook_is_free_when_it_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    panel = Panel("linear_regression")
    assert panel.form.free_name == "linear_regression-1.ipynb"
    Path("linear_regression-1.ipynb").touch()  # by another panel, since
    click(panel.form, "save", name="")
    wait_for_threads()
    assert panel.form.notice == {"kind": "saved", "words": "linear_regression-2.ipynb"}
    assert panel.form.free_name == "linear_regression-3.ipynb"
    names = [name for name in panel.form.keys if not name.startswith("_")]
    traits = {name: getattr(panel.form, name) for name in names} | {"schema": {"groups": []}}
    page = f"""
    const model = new Model({json.dumps(traits, default=str)});
    render({{ model, el: page }});
    const name = page.all((one) => String(one.attributes.class).includes("kl-name"))[0];
    const save = () => {{ named("Save as notebook").heard.click(); console.log(name.value, model.sent.at(-1).name); }};
    save();
    model.set("free_name", "linear_regression-4.ipynb");
    save();
    name.value = "mine.ipynb ";
    model.set("free_name", "linear_regression-5.ipynb");
    save();
    """
    shown = ["linear_regression-3.ipynb ", "linear_regression-4.ipynb ", "mine.ipynb  mine.ipynb"]
    assert run_view("form.js", page) == shown
    panel.close()


def test_unfolding_the_data_card_leaves_the_focus_where_it_is() -> None:
    panel = Panel("image_classifier")
    type_(panel, epochs="many")
    traits = {name: getattr(panel.form, name) for name in panel.form.keys if not name.startswith("_")}
    page = f"""
    const model = new Model({json.dumps(traits, default=str)});
    render({{ model, el: page }});
    const control = page.all((one) => one.attributes["aria-invalid"]).at(-1);
    control.focus = () => console.log("focus");
    control.closest = () => null;
    const cards = page.all((one) => one.tag === "details" && one.heard.toggle);
    for (const one of cards) {{ one.open = true; one.heard.toggle(); }}
    console.log(model.sent.map((one) => one.do).join(" "));
    named("Train").heard.click();
    """
    assert run_view("form.js", page) == ["card", "focus"]
    panel.close()
