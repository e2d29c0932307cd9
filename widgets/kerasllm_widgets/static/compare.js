// Compare: parameters that differ, curves over one another, scores side by side, verdicts that flipped.
import { h, button, allow, exact, follow, attach, tell, number } from "./dom.js";
import { say, said, tellLanguage } from "./words.js";
import { chart } from "./chart.js";

function render({ model, el }) {
  tellLanguage(model);
  const runs = model.get("runs");
  const metrics = [...new Set(runs.flatMap((run) => Object.keys(run.curve)))];
  const parts = [h("h4", {}, say("parameters")), table("parameters", runs, model.get("parameters"), exact), h("h4", {}, say("scores")), table("scores", runs, model.get("scores"), number, runs[0].main)];
  if (metrics.length) parts.push(h("h4", {}, say("curve")), curves(runs, metrics));
  const flips = h("div", { "aria-live": "polite" });
  const ask = button(say("flips"), () => tell(model, { do: "flips" }));
  const box = h("section", { class: "kl-box kl-result", "aria-label": say("compare") }, h("strong", {}, say("compare")), parts, h("div", { class: "kl-row kl-ask" }, ask), flips);
  const undo = [
    attach(model, el, box),
    follow(model, ["flips"], () => {
      const found = model.get("flips");
      allow(ask, found.state !== "asked");
      flips.replaceChildren(...(found.state === "asked" ? [h("p", { class: "kl-quiet" }, say("starting"))] : flipped(runs, found)));
    }),
  ];
  return () => undo.forEach((work) => work());
}

function table(word, runs, rows, shown, main) {
  const names = Object.keys(rows).sort((one, two) => (two === main) - (one === main));
  if (!names.length) return h("p", { class: "kl-quiet" }, say("none"));
  return h("div", { class: "kl-scroll", tabindex: "0", role: "region", "aria-label": say(word) }, h("table", { class: "kl-table" },
    h("thead", {}, h("tr", {}, h("td"), runs.map((run) => h("th", { scope: "col" }, run.name)))),
    h("tbody", {}, names.map((name) => h("tr", { class: name === main ? "kl-main" : undefined }, h("th", { scope: "row" }, name), rows[name].map((value) => h("td", {}, value === "" ? "—" : shown(value))))))));
}

function curves(runs, metrics) {
  const drawn = metrics.map((metric) => {
    const one = chart(metric, say("epoch"));
    one.draw(runs.filter((run) => run.curve[metric]).map((run) => {
      const line = run.curve[metric].validation || run.curve[metric].train;
      return { name: run.name, x: line[0], y: line[1], style: runs.indexOf(run) };
    }));
    return one.element;
  });
  return h("div", { class: "kl-charts" }, drawn);
}

function flipped(runs, found) {
  if (found.problem) return [h("p", { class: "kl-problem", role: "alert" }, said(found.problem))];
  if (!found.flips) return [];
  return [
    h("p", {}, `${found.count} / ${found.rows} ${say("rows")}`),
    h("div", { class: "kl-scroll", tabindex: "0", role: "region", "aria-label": say("flips") }, h("table", { class: "kl-table kl-data" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, say("row")), h("th", { scope: "col" }, say("truth")), runs.map((run) => h("th", { scope: "col" }, run.name)))),
      h("tbody", {}, found.flips.map((one) => h("tr", {}, h("td", {}, one.row), h("td", {}, one.truth),
        one.answers.map((answer) => h("td", {}, answer === one.truth ? `✓ ${answer}` : `✗ ${answer}`))))))),
  ];
}

export default { render };
