// Elements, made without markup: a text from a file or a model can never become an element.
import { say } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";

export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

// A button that may be forbidden for a while: it keeps the focus, which a disabled one would lose.
export function button(words, press, kind = "") {
  const made = h("button", {
    class: `kl-button ${kind}`.trim(),
    type: "button",
    onclick: () => made.getAttribute("aria-disabled") || press(),
    // Enter held down must not press what gets the focus next.
    onkeydown: (event) => event.repeat && event.key === "Enter" && event.preventDefault(),
  }, words);
  return made;
}

export function allow(one, may) {
  if (may) one.removeAttribute("aria-disabled");
  else one.setAttribute("aria-disabled", "true");
}

// Calls draw, and again on each change of the traits; returns what undoes it.
export function follow(model, traits, draw) {
  const events = traits.map((trait) => `change:${trait}`);
  for (const event of events) model.on(event, draw);
  draw();
  return () => events.forEach((event) => model.off(event, draw));
}

const cut = new WeakMap(); // by model: what its views do when the kernel is gone

// Puts a view into its place. The still beside it is for a notebook without a kernel: hide it while the view is there.
// A view whose kernel has gone says so and takes no more clicks; what was typed and found can still be read and copied.
export function attach(model, el, box) {
  let alert = null;
  const lose = () => {
    if (alert) return alert;
    box.classList.add("kl-lost");
    for (const one of box.querySelectorAll("button, input, select, textarea")) {
      one[one.matches("textarea, [type=text]") ? "readOnly" : "disabled"] = true;
    }
    alert = h("p", { class: "kl-problem", role: "alert" }, say("lost"));
    box.prepend(alert);
    return alert;
  };
  if (!cut.has(model)) cut.set(model, new Set());
  cut.get(model).add(lose);
  model.on("comm_live_update", lose); // told of a model that lives only when its kernel restarts
  el.classList.add("kl-widget");
  el.dataset.lmSuppressShortcuts = "true"; // Lab's: Enter on our button is not "edit the cell"
  el.append(box);
  let area = null;
  let frames = 120; // the notebook attaches the view some frames later
  let frame = requestAnimationFrame(function look() {
    area = el.closest(".jp-OutputArea, .output_area, .cell-output");
    if (area) area.classList.add("kl-live");
    else if (frames--) frame = requestAnimationFrame(look);
  });
  return () => {
    cancelAnimationFrame(frame);
    model.off("comm_live_update", lose);
    cut.get(model).delete(lose);
    box.remove();
    el.classList.remove("kl-widget");
    if (!area?.querySelector(".kl-widget")) area?.classList.remove("kl-live"); // a panel's other views share the area
  };
}

// Says something to Python. Of a kernel that was shut down a view hears only here.
export function tell(model, what, buffers) {
  try {
    model.send(what, undefined, buffers);
  } catch (error) {
    console.error(error);
    const [first] = [...(cut.get(model) ?? [])].map((lose) => lose());
    first?.scrollIntoView({ block: "nearest" }); // the click may have been far below
  }
}

// An id that no other view on the page has: each view is a module of its own, and counts for itself.
const own = Math.random().toString(36).slice(2, 10);
let count = 0;
export function unique(name) {
  count += 1;
  return `kl-${name}-${own}-${count}`;
}

export function later(milliseconds, work) {
  let timer = 0;
  const call = (...words) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...words), milliseconds);
  };
  call.cancel = () => clearTimeout(timer);
  return call;
}

// A number in so many digits, and in all before the point.
export function number(value, digits = 4) {
  if (typeof value !== "number" || !isFinite(value)) return value === null || value === undefined ? "" : String(value);
  return String(Math.abs(value) >= 10 ** digits ? Math.round(value) : Number(value.toPrecision(digits)));
}

// A parameter as it is: two that differ look different.
export function exact(value) {
  return value !== null && typeof value === "object" ? JSON.stringify(value) : String(value ?? "");
}
