// A line chart in SVG: training solid, validation dashed, each point read by the arrow keys or the pointer.
import { h, s, number } from "./dom.js";
import { say } from "./words.js";

const WIDTH = 460;
const HEIGHT = 200;
const EDGE = { left: 52, right: 12, top: 14, bottom: 30 };

// lines: [{ name, x: […], y: […], style: 0…7 }]. Returns { element, draw }.
export function chart(title, across) {
  const drawing = s("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "kl-chart", tabindex: "0", role: "img",
  });
  const legend = h("div", { class: "kl-legend" });
  const spoken = h("div", { class: "kl-unseen", "aria-live": "polite" });
  const element = h("figure", { class: "kl-figure" }, h("figcaption", {}, h("span", {}, title), legend), drawing, spoken);
  let lines = [];
  let scale = null;
  let place = -1;
  const mark = s("g", { class: "kl-mark", visibility: "hidden" });

  function draw(given) {
    lines = given.filter((line) => line.x.length);
    scale = lines.length ? scales(lines) : null;
    drawing.replaceChildren(...(scale ? [...axes(scale, across), ...lines.map((line) => path(line, scale)), mark] : []));
    legend.replaceChildren(...lines.map((line) => key(line)));
    const last = lines.map((line) => `${line.name} ${number(line.y.at(-1))}`).join(", ");
    drawing.setAttribute("aria-label", `${title}: ${last}. ${say("curveHelp")}`);
    if (place >= 0) show(place, false);
  }

  function show(index, aloud = true) {
    const longest = lines.reduce((one, two) => (two.x.length > one.x.length ? two : one), lines[0]);
    if (!longest) return;
    place = Math.max(0, Math.min(index, longest.x.length - 1));
    const at = longest.x[place];
    const read = lines.map((line) => [line, nearest(line, at)]);
    mark.replaceChildren(
      s("line", { x1: scale.x(at), x2: scale.x(at), y1: EDGE.top, y2: HEIGHT - EDGE.bottom }),
      ...read.map(([line, i]) => s("circle", { cx: scale.x(line.x[i]), cy: scale.y(line.y[i]), r: 4, class: `kl-line-${line.style}` })),
    );
    mark.setAttribute("visibility", "visible");
    legend.replaceChildren(...read.map(([line, i]) => key(line, number(line.y[i]))), h("span", {}, `${across} ${number(at)}`));
    if (aloud) spoken.textContent = `${across} ${number(at)}: ${read.map(([line, i]) => `${line.name} ${number(line.y[i])}`).join(", ")}`;
  }

  function leave() {
    place = -1;
    mark.setAttribute("visibility", "hidden");
    legend.replaceChildren(...lines.map((line) => key(line)));
  }

  drawing.addEventListener("keydown", (event) => {
    const length = Math.max(0, ...lines.map((line) => line.x.length));
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 };
    if (event.key in steps) show((place < 0 ? length : place) + steps[event.key]);
    else if (event.key === "Home") show(0);
    else if (event.key === "End") show(length - 1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  drawing.addEventListener("blur", leave);
  drawing.addEventListener("pointerleave", leave);
  drawing.addEventListener("pointermove", (event) => {
    if (!lines.length) return;
    const box = drawing.getBoundingClientRect();
    const at = scale.value(((event.clientX - box.left) / box.width) * WIDTH);
    const longest = lines.reduce((one, two) => (two.x.length > one.x.length ? two : one), lines[0]);
    show(nearest(longest, at), false);
  });
  return { element, draw };
}

function key(line, value = "") {
  const sample = s("svg", { viewBox: "0 0 22 8", class: "kl-key" }, s("path", { d: "M0 4H22", class: `kl-line-${line.style}` }));
  return h("span", {}, sample, line.name, value ? h("b", {}, ` ${value}`) : null);
}

function nearest(line, at) {
  let best = 0;
  line.x.forEach((x, i) => {
    if (Math.abs(x - at) < Math.abs(line.x[best] - at)) best = i;
  });
  return best;
}

function scales(lines) {
  const all = (axis) => lines.flatMap((line) => line[axis]);
  const [first, last] = [Math.min(...all("x")), Math.max(...all("x"))];
  let [low, high] = [Math.min(...all("y")), Math.max(...all("y"))];
  if (low === high) [low, high] = [low - Math.abs(low || 1) / 2, high + Math.abs(high || 1) / 2];
  const wide = WIDTH - EDGE.left - EDGE.right;
  const tall = HEIGHT - EDGE.top - EDGE.bottom;
  return {
    first, last, low, high,
    x: (value) => EDGE.left + wide * (last > first ? (value - first) / (last - first) : 0.5),
    y: (value) => EDGE.top + tall * (1 - (value - low) / (high - low)),
    value: (x) => first + ((x - EDGE.left) / wide) * (last - first),
  };
}

function axes(scale, across) {
  const base = HEIGHT - EDGE.bottom;
  const up = ticks(scale.low, scale.high, 4).map((value) => [
    s("line", { class: "kl-grid", x1: EDGE.left, x2: WIDTH - EDGE.right, y1: scale.y(value), y2: scale.y(value) }),
    s("text", { x: EDGE.left - 6, y: scale.y(value) + 4, "text-anchor": "end" }, number(value)),
  ]);
  const along = ticks(scale.first, scale.last, 5).map((value) => {
    const [x, isAtEdge] = [scale.x(value), scale.x(value) > WIDTH - 3 * EDGE.right]; // where half a number would be cut off
    return s("text", { x, y: base + 14, "text-anchor": isAtEdge ? "end" : "middle" }, number(value));
  });
  return [
    ...up.flat(), ...along,
    s("line", { class: "kl-axis", x1: EDGE.left, x2: WIDTH - EDGE.right, y1: base, y2: base }),
    s("text", { x: (EDGE.left + WIDTH - EDGE.right) / 2, y: HEIGHT - 2, "text-anchor": "middle" }, across),
  ];
}

function ticks(low, high, wanted) {
  if (!(high > low)) return [low];
  const raw = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= raw);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-9; value += step) found.push(Number(value.toPrecision(12)));
  return found;
}

function path(line, scale) {
  if (line.x.length === 1) return s("circle", { cx: scale.x(line.x[0]), cy: scale.y(line.y[0]), r: 3.5, class: `kl-line-${line.style}` });
  const points = line.x.map((x, i) => `${scale.x(x).toFixed(1)} ${scale.y(line.y[i]).toFixed(1)}`);
  return s("path", { d: `M${points.join("L")}`, class: `kl-line-${line.style}` });
}
