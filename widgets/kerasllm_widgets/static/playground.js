// Playground: ask a run's model. What is typed is sent after a pause; answers to older questions are passed over.
import { h, follow, attach, tell, later, number, unique } from "./dom.js";
import { say, said, tellLanguage } from "./words.js";

const PAUSE = 250; // milliseconds without a key
const LARGEST = 8e6; // bytes of a picture; a message above 10 MiB ends the kernel's connection

function render({ model, el }) {
  tellLanguage(model);
  let id = Date.now(); // greater than any that an earlier page asked with
  let isTold = false; // anything of the answer
  const refuse = (words) => { // or, with none, clear
    id += 1; // an answer that is still to come is to no question any more
    answer.removeAttribute("aria-busy");
    answer.replaceChildren(...(words ? shown({ problem: words }) : []));
  };
  const answer = h("div", { class: "kl-answer", "aria-live": "polite" });
  const ask = (question, buffers) => {
    id += 1;
    isTold = false;
    answer.setAttribute("aria-busy", "true");
    if (!answer.childNodes.length) answer.append(h("p", { class: "kl-quiet" }, say("starting")));
    tell(model, { id, ...question }, buffers);
  };
  const body = h("div", {});
  const box = h("section", { class: "kl-box kl-playground", "aria-label": say("playground") },
    h("div", { class: "kl-row" }, h("strong", {}, say("playground")), h("span", { class: "kl-quiet" }, model.get("name"))), body, answer);
  const kinds = { text, table, picture, language: writing };
  let clean = () => {};

  const undo = [
    attach(model, el, box),
    follow(model, ["kind", "ended"], () => {
      clean();
      const [kind, ended] = ["kind", "ended"].map((trait) => model.get(trait));
      const made = kind ? kinds[kind](model, ask, refuse) : { element: h("p", { class: "kl-quiet" }, say(ended ? "nothingLeft" : "notRead")) };
      clean = made.clean || (() => {});
      body.replaceChildren(made.element);
    }),
    follow(model, ["answer"], () => {
      const given = model.get("answer");
      if (given.id !== id) return;
      if (!("text" in given) || given.end) answer.removeAttribute("aria-busy"); // a text is read out when it is whole
      if (given.superseded) { // by a question from another view; what was written so far stays
        if (!isTold) answer.replaceChildren(h("p", { class: "kl-quiet" }, say("superseded")));
        return;
      }
      isTold = true;
      answer.replaceChildren(...shown(given));
    }),
  ];
  return () => {
    clean();
    undo.forEach((work) => work());
  };
}

function shown(given) {
  if (given.problem) return [h("p", { class: "kl-problem", role: "alert" }, said(given.problem))];
  const note = given.source === "checkpoint" ? [h("p", { class: "kl-help" }, say("fromCheckpoint"))] : [];
  if ("text" in given) return [h("div", { class: "kl-written" }, given.text), ...note];
  if (given.numbers) return [...Object.entries(given.numbers).map(([name, value]) => h("p", { class: "kl-number" }, h("span", {}, name), h("b", {}, number(value, 6)))), ...note];
  return [h("ol", { class: "kl-shares" }, given.shares.map(([name, share]) => bar(name, share))), ...note];
}

function bar(name, share) {
  const strip = h("span", { class: "kl-strip", "aria-hidden": "true" });
  strip.style.setProperty("--kl-share", `${(share * 100).toFixed(1)}%`);
  return h("li", {}, h("span", { class: "kl-name-of" }, name), strip, h("span", { class: "kl-percent" }, `${(share * 100).toFixed(1)} %`));
}

function labelled(words, control) {
  control.id = unique("ask");
  return h("div", { class: "kl-field" }, h("label", { for: control.id }, words), control);
}

function text(model, ask, refuse) {
  const typed = later(PAUSE, () => (area.value.trim() ? ask({ do: "row", row: area.value }) : refuse("")));
  const area = h("textarea", { class: "kl-control kl-area", rows: "3", oninput: typed });
  return { element: labelled(say("yourText"), area), clean: typed.cancel };
}

function table(model, ask) {
  const send = later(PAUSE, () => ask({ do: "row", row: Object.fromEntries(controls.map(([name, control]) => [name, control.value])) }));
  const controls = model.get("columns").map((column) => {
    const choices = column.choices.map((choice) => h("option", { value: choice }, choice || "—"));
    const control = column.kind === "category"
      ? h("select", { class: "kl-control", onchange: send }, choices)
      : h("input", { class: "kl-control", type: "text", inputmode: column.kind === "number" ? "decimal" : undefined, value: column.kind === "number" ? column.value : "", oninput: send });
    return [column.name, control];
  });
  send();
  return { element: h("div", { class: "kl-fields" }, controls.map(([name, control]) => labelled(name, control))), clean: send.cancel };
}

function picture(model, ask, refuse) {
  const image = h("img", { class: "kl-seen", alt: say("yourPicture"), hidden: true });
  const take = async (file) => {
    if (!file) return;
    refuse(file.size > LARGEST ? say("tooLarge") : "");
    if (file.size > LARGEST) return;
    URL.revokeObjectURL(image.src);
    image.src = URL.createObjectURL(file);
    image.hidden = false;
    ask({ do: "picture" }, [await file.arrayBuffer()]);
  };
  const chosen = h("input", { type: "file", accept: "image/*", onchange: () => take(chosen.files[0]) });
  const over = (is) => (event) => {
    event.preventDefault();
    event.stopPropagation(); // Lab would upload what is dropped
    place.classList.toggle("kl-over", is);
  };
  const place = h("div", {
    class: "kl-drop", ondragover: over(true), ondragenter: over(true), ondragleave: over(false),
    ondrop: (event) => { over(false)(event); take(event.dataTransfer.files[0]); },
  }, labelled(say("dropPicture"), chosen), image);
  return { element: place, clean: () => URL.revokeObjectURL(image.src) };
}

function writing(model, ask) {
  const area = h("textarea", { class: "kl-control kl-area", rows: "3" });
  const controls = model.get("options").map((one) => [one, h("input", { class: "kl-control", type: "text", inputmode: "decimal", value: String(one.default), title: said(one.help) })]);
  const options = () => Object.fromEntries(controls.map(([{ name }, control]) => [name, control.value]));
  const write = h("button", { class: "kl-button kl-primary", type: "submit" }, say("write"));
  const form = h("form", { onsubmit: (event) => { event.preventDefault(); ask({ do: "prompt", prompt: area.value, options: options() }); } },
    labelled(say("prompt"), area),
    h("div", { class: "kl-fields kl-few" }, controls.map(([{ name, bounds }, control]) => labelled([name, h("span", { class: "kl-quiet" }, ` ${bounds}`)], control))),
    h("div", { class: "kl-row" }, write));
  return { element: form };
}

export default { render };
