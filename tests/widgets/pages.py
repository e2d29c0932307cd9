"""The views' JavaScript in node: its functions, or a whole view on a page that is just enough of one."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from kerasllm_widgets.bundle import module

PAGE = r"""
class Element {
  constructor(tag) {
    Object.assign(this, { tag, childNodes: [], attributes: {}, dataset: {}, heard: {}, textContent: "" });
    this.classList = { add() {}, remove() {}, toggle() {} };
    this.style = { setProperty() {} };
  }
  addEventListener(name, work) { this.heard[name] = work; }
  setAttribute(name, value) { this.attributes[name] = value; }
  getAttribute(name) { return this.attributes[name] ?? null; }
  removeAttribute(name) { delete this.attributes[name]; }
  prepend(...children) { this.childNodes.unshift(...children); }
  append(...children) { this.childNodes.push(...children); }
  replaceChildren(...children) { this.childNodes = children; }
  closest() { return null; }
  getRootNode() { return document; }
  querySelector() { return null; }
  querySelectorAll(tags) { return this.all((one) => tags.split(", ").includes(one.tag)); }
  matches(kinds) { return kinds.split(", ").some((one) => [this.tag, `[type=${this.attributes.type}]`].includes(one)); }
  scrollIntoView() {}
  remove() {}
  get text() { return this.childNodes.map((child) => child.text ?? child).join("") || this.textContent; }
  all(is) { return [...(is(this) ? [this] : []), ...this.childNodes.flatMap((child) => child.all?.(is) ?? [])]; }
}
Object.defineProperty(globalThis, "navigator", { value: { language: "LANGUAGE" } });
globalThis.requestAnimationFrame = globalThis.cancelAnimationFrame = () => {};
globalThis.document = {
  documentElement: { lang: "" }, cookie: "", getElementById: () => null, createElement: (tag) => new Element(tag),
  createElementNS: (_, tag) => new Element(tag),
};
class Model {
  constructor(traits) { Object.assign(this, { traits, heard: {}, sent: [] }); }
  get(name) { return this.traits[name]; }
  set(name, value) { this.traits[name] = value; for (const work of this.heard[`change:${name}`] ?? []) work(); }
  on(event, work) { (this.heard[event] ??= []).push(work); }
  off(event, work) { this.heard[event] = this.heard[event].filter((one) => one !== work); }
  save_changes() {}
  send(content) { this.sent.push(content); }
}
const page = new Element("body");
const named = (name) => page.all((one) => one.tag === "button" && one.text === name)[0];
const turn = () => new Promise((done) => setTimeout(done, 0));
"""


def run_script(script: str) -> list[str]:
    """What a script prints, line by line, with no browser around."""
    node = shutil.which("node")
    if not node:
        pytest.skip("no node here")
    done = subprocess.run([node, "--input-type=module", "-e", script], capture_output=True, text=True)
    assert not done.stderr, done.stderr
    return done.stdout.splitlines()


def run_view(view: str, script: str, language: str = "en") -> list[str]:
    """What a script prints that has the view's functions, `Model`, `page`, `named` (a button) and `turn` at hand."""
    return run_script(PAGE.replace("LANGUAGE", language) + module(view) + script)
