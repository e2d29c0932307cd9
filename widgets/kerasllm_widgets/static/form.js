// Form: a recipe's fields, drawn from their declaration; what is wrong is said under the field by Python.
import { h, button, allow, follow, attach, tell, later, unique } from "./dom.js";
import { say, said, duration } from "./words.js";

const PAUSE = 200; // milliseconds without a key before what was typed is checked

function render({ model, el }) {
  const schema = model.get("schema");
  let typed = {}; // and not yet sent: what Python answers meanwhile is older
  const values = () => ({ ...model.get("values"), ...typed });
  const flush = () => {
    send.cancel();
    model.set("values", values());
    typed = {};
    model.save_changes();
  };
  const send = later(PAUSE, flush);
  const fields = new Map();
  const files = h("datalist", { id: unique("files") }, model.get("files").map((name) => h("option", { value: name })));

  const first = firstRows(model);
  const read = card(model, () => { flush(); ask({ do: "card" }); });

  function set(name, value) {
    typed[name] = value;
    model.set("values", values());
    send();
  }

  const groups = schema.groups.map((group) => {
    const made = group.fields.map((one) => [one, field(one, model, set, files.id)]);
    made.forEach(([one, drawn]) => fields.set(one.name, drawn));
    const plain = made.filter(([one]) => !one.advanced).map(([, drawn]) => drawn.element);
    const advanced = made.filter(([one]) => one.advanced);
    const set_ = h("fieldset", { class: "kl-group" }, h("legend", {}, said(group.title)), h("div", { class: "kl-fields" }, plain));
    if (group.name === "data") set_.append(h("div", { class: "kl-looks" }, first.element, read.element));
    if (advanced.length) {
      const more = h("details", { class: "kl-advanced" }, h("summary", {}, `${say("advanced")} (${advanced.length})`),
        h("div", { class: "kl-fields" }, advanced.map(([, drawn]) => drawn.element)));
      more.open = advanced.some(([one]) => String(model.get("values")[one.name]) !== String(one.default));
      set_.append(more);
    }
    return set_;
  });

  const notice = h("p", { class: "kl-notice", role: "status" });
  const estimate = button(say("estimate"), () => act({ do: "estimate" }, estimate));
  const guessed = h("span", { class: "kl-quiet", role: "status" });
  const name = h("input", { class: "kl-control kl-name", type: "text", "aria-label": say("name"), value: "", spellcheck: "false" });
  let offered = ""; // sent as no name: what is free may have changed meanwhile
  const save = button(say("save"), () => act({ do: "save", name: name.value === offered ? "" : name.value.trim() }));
  const train = button(say("train"), () => act({ do: "train" }, train), "kl-primary");
  const form = h("form", { class: "kl-box", novalidate: true, "aria-label": schema.recipe, onsubmit: (event) => event.preventDefault() },
    h("header", { class: "kl-head" }, h("strong", {}, schema.recipe), h("span", {}, said(schema.summary))),
    files, groups,
    h("div", { class: "kl-row kl-actions" }, train, estimate, guessed, h("span", { class: "kl-grow" }), name, save),
    notice);

  function ask(what) {
    tell(model, { ...what, values: model.get("values") }); // a changed trait may wait behind an earlier one, and come later
  }

  function act(what, pressed) {
    flush();
    firstWrong()?.focus();
    if (pressed) allow(pressed, false); // until Python has answered: a second click would be a second run
    ask(what);
  }

  function firstWrong() {
    const mistakes = model.get("mistakes");
    const name = [...fields.keys()].find((one) => one in mistakes);
    if (!name) return null;
    const { control } = fields.get(name);
    const folded = control.closest("details");
    if (folded) folded.open = true;
    return control;
  }

  const undo = [
    attach(model, el, form),
    () => send.cancel(),
    first.end, read.end,
    follow(model, ["mistakes", "notice"], () => {
      const mistakes = model.get("mistakes");
      for (const [name, drawn] of fields) drawn.blame(said(mistakes[name]));
      const nowhere = Object.entries(mistakes).filter(([name]) => !fields.has(name)).map(([, words]) => said(words));
      const { kind = "", words = "" } = model.get("notice");
      const isWrong = Object.keys(mistakes).length > 0;
      notice.dataset.kind = isWrong ? "problem" : kind;
      notice.textContent = isWrong ? nowhere[0] || say("mistakes") : kind === "saved" ? `${say("saved")} ${words}` : said(words);
    }),
    follow(model, ["busy", "notice", "mistakes"], () => {
      allow(train, !model.get("busy"));
      train.title = model.get("busy") ? say("busy") : "";
    }),
    follow(model, ["busy", "estimate", "notice", "mistakes"], () => {
      const { state, seconds, steps } = model.get("estimate");
      allow(estimate, !model.get("busy") && state !== "trying");
      guessed.textContent = state === "trying" ? say("estimating") : state === "done" ? `${say("estimated")} ${duration(seconds)} (${steps} ${say("steps")})` : "";
    }),
    follow(model, ["free_name"], () => {
      const isTyped = name.value !== offered;
      offered = model.get("free_name");
      if (!isTyped) name.value = offered;
    }),
    follow(model, ["preview"], () => fields.forEach((drawn) => drawn.offer?.(columnsOf(model)))),
    follow(model, ["values"], () => fields.forEach((drawn, name) => drawn.show(values()[name]))),
  ];
  return () => undo.forEach((work) => work());
}

// One field: its label, control, help, and the place where a mistake is named.
function field(one, model, set, files) {
  const [id, help, wrong] = [unique("field"), unique("help"), unique("wrong")];
  const common = { id, "aria-describedby": `${help} ${wrong}`, class: "kl-control" };
  const change = (event) => set(one.name, event.target.value);
  let control;
  let offer = null;
  if (one.type === "bool") {
    control = h("input", { ...common, type: "checkbox", class: "kl-check", onchange: (event) => set(one.name, event.target.checked) });
  } else if (one.type === "choice") {
    control = h("select", { ...common, onchange: change }, one.choices.map((choice) => h("option", { value: choice }, choice)));
  } else if (one.kind === "column") {
    control = h("select", { ...common, onchange: change });
    offer = (columns) => options(control, columns, model.get("values")[one.name], one.default);
  } else {
    const mode = { int: "numeric", float: "decimal" }[one.type];
    control = h("input", { ...common, type: "text", inputmode: mode, spellcheck: "false", autocomplete: "off", list: one.kind === "file" ? files : undefined, oninput: change });
  }
  const notes = [said(one.unit), one.bounds].filter(Boolean).join(" · ");
  const blamed = h("span", { id: wrong, class: "kl-wrong" });
  const label = h("label", { for: id }, one.name, notes ? h("span", { class: "kl-quiet" }, ` ${notes}`) : null);
  const picks = one.kind === "columns" ? h("div", { class: "kl-picks" }) : null;
  if (picks) offer = (columns) => pick(picks, columns, model, one.name, set);
  const element = h("div", { class: "kl-field" }, label, control, picks, blamed, h("span", { id: help, class: "kl-help" }, said(one.help)));
  return {
    element,
    control,
    offer,
    blame(words) {
      blamed.textContent = words;
      element.classList.toggle("kl-has-mistake", Boolean(words));
      if (words) control.setAttribute("aria-invalid", "true");
      else control.removeAttribute("aria-invalid");
    },
    show(value) {
      if (one.type === "bool") control.checked = value === true || value === "true";
      else if (one.kind === "column") offer(columnsOf(model));
      else if (control.value !== String(value)) control.value = value;
      if (picks) offer(columnsOf(model));
    },
  };
}

// The columns of a table, by name.
function columnsOf(model) {
  const { table, columns } = model.get("preview");
  return table ? columns : [];
}

// The columns as options; a value that the file lacks stays visible, so that its mistake can be seen.
function options(select, columns, value, standard) {
  const names = [...new Set([...(standard === "" ? [""] : []), ...columns, value])];
  if (names.join("\n") !== [...select.options].map((option) => option.value).join("\n")) {
    select.replaceChildren(...names.map((name) => h("option", { value: name }, name === "" ? "—" : name)));
  }
  select.value = value;
}

// Columns as toggles beside the text between commas.
function pick(place, columns, model, name, set) {
  const chosen = () => String(model.get("values")[name] || "").split(",").map((one) => one.trim()).filter(Boolean);
  const toggle = (column) => {
    const now = chosen();
    set(name, (now.includes(column) ? now.filter((one) => one !== column) : [...now, column]).join(", "));
  };
  const held = place.contains(document.activeElement) ? document.activeElement.textContent : null;
  place.replaceChildren(...columns.slice(0, 60).map((column) => h("button", {
    type: "button", class: "kl-pick", "aria-pressed": String(chosen().includes(column)), onclick: () => toggle(column),
  }, column)));
  if (held !== null) [...place.children].find((button) => button.textContent === held)?.focus();
}

// The file's first rows, folded.
function firstRows(model) {
  const rows = h("div", { class: "kl-scroll", tabindex: "0", role: "region", "aria-label": say("firstRows") });
  const title = h("summary", {});
  const box = h("details", { class: "kl-look" }, title, rows);
  const draw = () => {
    const { columns = [], rows: cells = [], count } = model.get("preview");
    const heads = columns.slice(0, cells[0]?.length ?? 0).map(said);
    const more = columns.length > heads.length ? ["…"] : [];
    box.hidden = !columns.length;
    const size = model.get("preview").table ? ` · ${count} ${say("rows")}, ${columns.length} ${say("columns")}` : "";
    title.textContent = say("firstRows") + size;
    rows.replaceChildren(h("table", { class: "kl-table kl-data" },
      h("thead", {}, h("tr", {}, [...heads, ...more].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, cells.map((row) => h("tr", {}, [...row, ...more].map((cell) => h("td", {}, cell)))))));
  };
  return { element: box, end: follow(model, ["preview"], draw) };
}

// What reading the file for this recipe finds, asked for each time it is unfolded: the file may have changed.
function card(model, ask) {
  const lines = h("pre", { class: "kl-log", tabindex: "0" });
  const box = h("details", { class: "kl-look" }, h("summary", {}, say("card")), lines);
  const draw = () => {
    const { state, lines: found, problem } = model.get("card");
    lines.textContent = said(found) || said(problem) || say("loading");
    if (!state && !found && !problem) box.open = false; // what was typed since may have changed it
  };
  box.addEventListener("toggle", () => box.open && ask());
  return { element: box, end: follow(model, ["card"], draw) };
}

export default { render };
