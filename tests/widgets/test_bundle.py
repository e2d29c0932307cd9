"""The JavaScript that a widget is given: one module, no import left, nothing fetched."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from kerasllm_widgets.bundle import STATIC, module, styles

from tests.widgets.pages import run_script, run_view

VIEWS = ["form.js", "run.js", "playground.js", "compare.js"]


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_is_one_module_that_imports_nothing(view: str) -> None:
    text = module(view)
    assert not re.search(r"^import |import\(", text, re.MULTILINE)
    assert len(re.findall(r"^export ", text, re.MULTILINE)) == 1
    assert "export default { render }" in text


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_is_valid_javascript(view: str, tmp_path: Path) -> None:
    node = shutil.which("node")
    if not node:
        pytest.skip("no node here")
    file = tmp_path / "view.mjs"
    file.write_text(module(view), "utf-8")
    assert subprocess.run([node, "--check", file], capture_output=True, text=True).stderr == ""


def test_the_still_stays_hidden_while_another_view_is_left_in_the_area() -> None:
    page = """
    globalThis.requestAnimationFrame = (look) => look();
    globalThis.cancelAnimationFrame = () => {};
    const list = (names) => ({ add: (name) => names.add(name), remove: (name) => names.delete(name) });
    const views = [];
    const live = new Set();
    const area = { classList: list(live), querySelector: () => views.find(({ names }) => names.has("kl-widget")) };
    const undo = [1, 2].map(() => {
      const names = new Set();
      views.push({ names, classList: list(names), dataset: {}, append() {}, closest: () => area });
      return attach({ on() {}, off() {} }, views.at(-1), { remove() {} });
    });
    for (const leave of undo) { leave(); console.log(live.has("kl-live")); }
    """
    assert run_script(module("dom.js") + page) == ["true", "false"]


KINDS = {
    "form.js": '{ schema: { recipe: "r", groups: [] }, values: {}, files: [], preview: {}, card: {}, mistakes: {}, '
    "notice: {}, estimate: {} }",
    "run.js": '{ look: { name: "r", state: "running" }, curve: {}, result: {}, figures: [] }',
    "playground.js": '{ kind: "text", answer: {} }',
    "compare.js": '{ runs: [{ name: "r", curve: {} }], parameters: {}, scores: {}, flips: {} }',
}
SAYS = {
    "en": "The kernel was restarted or has ended: this view stands still.",
    "zh": "内核已重启或结束，此视图不再更新。",
}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("view", VIEWS)
def test_a_view_whose_kernel_has_gone_says_so_once_and_takes_no_more_clicks(view: str, language: str) -> None:
    page = f"""
    console.error = () => {{}}; // where a lost kernel is told to whoever looks for it
    const undo = [new Model({KINDS[view]}), new Model({KINDS[view]})].map((model, count) => {{
      const el = new Element("div");
      const undo = render({{ model, el }});
      const alerts = () => el.all((one) => one.attributes.role === "alert" && one.text.includes("{SAYS[language]}"));
      const free = () => el.querySelectorAll("button, input, select, textarea").filter((one) => !one.disabled && !one.readOnly);
      console.log(alerts().length, free().length > 0);
      const restart = () => model.heard.comm_live_update.forEach((work) => work());
      model.send = () => {{ throw new Error("Cannot send"); }};
      if (count === 0) restart();
      else tell(model, {{ do: "a click" }}); // the kernel was shut down
      restart();
      console.log(alerts().length, free().length);
      return undo;
    }});
    undo.forEach((work) => work());
    """  # noqa: E501
    assert run_view(view, page, language) == ["0 true", "1 0"] * 2


def test_of_a_model_that_is_shown_twice_each_view_that_is_there_says_so() -> None:
    page = f"""
    console.error = () => {{}};
    const model = new Model({KINDS["run.js"]});
    const places = [new Element("div"), new Element("div"), new Element("div")];
    const undo = places.map((el) => render({{ model, el }}));
    undo[2]();
    model.send = () => {{ throw new Error("Cannot send"); }};
    tell(model, {{ do: "a click" }});
    console.log(...places.map((el) => el.all((one) => one.attributes.role === "alert" && one.text.includes("{SAYS["en"]}")).length));
    """  # noqa: E501
    assert run_view("run.js", page, "en") == ["1 1 0"]


def test_the_pages_own_server_is_asked_to_stop_this_very_run_and_nothing_else() -> None:
    page = """
    let config = { textContent: '{"baseUrl": "/user/me/"}' };
    globalThis.document = { cookie: "a=b; _xsrf=2|c|d", getElementById: () => config };
    let ok = true;
    globalThis.fetch = async (url, { method, headers }) => {
      console.log(method, url, headers["X-XSRFToken"]);
      return { ok, json: async () => ({ runs: [{ name: "a b", created: 1.5 }] }) };
    };
    console.log(await stopByServer({ name: "a b", created: 1.5 }));
    ok = false;
    console.log(await stopByServer({ name: "a b", created: 1.5 }));
    console.log(await stopByServer({ name: "a b", created: 2.5 }));
    config = null;
    console.log(await stopByServer({ name: "a b", created: 1.5 }));
    """
    look = "GET /user/me/kerasllm/runs 2|c|d"
    stop = "POST /user/me/kerasllm/runs/a%20b/stop 2|c|d"
    said = [look, stop, "true", look, stop, "false", look, "false", "false"]
    assert run_script(module("server.js") + page) == said


def test_no_text_is_ever_taken_for_markup_and_nothing_is_fetched_from_elsewhere() -> None:
    for file in STATIC.glob("*.js"):
        text = file.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "http://", "https://"):
            assert word not in text, f"{file.name}: {word}"
        assert text.count("fetch(") == (file.name == "server.js"), file.name
    assert 'fetch(`${server}/kerasllm/${path}`, { method, headers, mode: "same-origin",' in module("server.js")
    assert "url(" not in styles()
    assert "@import" not in styles()


def test_every_word_that_a_view_says_is_in_both_languages() -> None:
    words = (STATIC / "words.js").read_text("utf-8")
    known = set(re.findall(r'^  "?([\w ]+)"?: \["[^"]+", "[^"]+"\],$', words, re.MULTILINE))
    for file in STATIC.glob("*.js"):
        said = set(re.findall(r'\bsay\("([^"]+)"\)', file.read_text("utf-8")))
        assert said <= known, f"{file.name}: {said - known}"


def test_the_language_is_labs_though_lab_tells_it_after_the_words_were_loaded() -> None:
    page = """
    Object.defineProperty(globalThis, "navigator", { value: { language: "en" } });
    const documentElement = { lang: "en" };
    globalThis.document = { documentElement };
    for (documentElement.lang of ["en", "zh-CN"])
      console.log(language(), say("stop"), phase("cell 2/5"), said({ en: "yes", zh: "是" }), duration(61));
    """
    assert run_script(module("words.js") + page) == [
        "en Stop cell 2/5 yes 1 min 1 s",
        "zh 停止 单元格 2/5 是 1 分 1 秒",
    ]
    page = """
    Object.defineProperty(globalThis, "navigator", { value: { language: "zh" } });
    globalThis.document = { documentElement: { lang: "en" } };
    console.log(say("stop"));
    speak("en"); // the extension's, from its translator
    console.log(say("stop"));
    """
    assert run_script(module("words.js") + page) == ["停止", "Stop"]


def test_a_widget_is_small() -> None:
    assert max(len(module(view)) for view in VIEWS) + len(styles()) < 60_000
