// Elements, made without markup: a text from a file or a model can never become an element.

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

// Puts a view into its place. The still beside it is for a notebook without a kernel: hide it while the view is there.
export function attach(el, box) {
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
    box.remove();
    el.classList.remove("kl-widget");
    if (!area?.querySelector(".kl-widget")) area?.classList.remove("kl-live"); // a panel's other views share the area
  };
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
