// RunView: state, progress, curve, result of one run; Stop and Resume.
import { h, button, allow, follow, attach, tell, number } from "./dom.js";
import { say, said, phase, duration, tellLanguage } from "./words.js";
import { chart } from "./chart.js";
import { stopByServer } from "./server.js";

const LIVE = ["queued", "starting", "running", "stopping", "stalled"];
const RESUMABLE = ["stopped", "failed", "gone"];

function render({ model, el }) {
  tellLanguage(model);
  const send = (what) => tell(model, { do: what });
  const title = h("strong", { tabindex: "-1" });
  const state = h("span", { class: "kl-state" });
  const announced = h("span", { class: "kl-unseen", role: "status" }); // the state alone: not each epoch
  const bar = h("progress", { class: "kl-bar" });
  const left = h("span", { class: "kl-quiet" });
  const problem = h("p", { class: "kl-problem", role: "alert" });
  let asked = null; // to stop, and which session: said at once, however busy the kernel is
  const ask = async () => {
    const look = model.get("look");
    asked = { session: look.session };
    show();
    // A busy kernel hears of it late: only where the server could not, and a session begun since goes on.
    if (!(await stopByServer(look).catch(() => false))) tell(model, { do: "stop", session: look.session });
  };
  const stop = button(say("stop"), ask);
  const resume = button(say("resume"), () => { allow(resume, false); send("resume"); });
  const tryIt = button(say("try"), () => send("try"));
  const buttons = [stop, resume, tryIt];
  const trace = h("pre", { class: "kl-log", tabindex: "0" });
  const log = h("details", { ontoggle: () => log.open && send("log") }, h("summary", {}, say("log")), trace);
  const device = h("p", { class: "kl-help" });
  const charts = h("div", { class: "kl-charts" });
  const result = h("div", { class: "kl-result" });
  const box = h("section", { class: "kl-box kl-run", "aria-label": say("curve") },
    h("div", { class: "kl-row" }, title, state, announced, left, h("span", { class: "kl-grow" }), tryIt, stop, resume),
    bar, device, problem, log, charts, result);
  const drawn = new Map();

  function show() {
    const now = model.get("look");
    const isMeant = asked && LIVE.includes(now.state) && (asked.session === undefined || asked.session === now.session);
    asked = isMeant && !model.get("problem") ? { session: now.session } : null;
    const look = { ...now, ...(asked ? { state: "stopping" } : {}) };
    box.hidden = !look.name;
    title.textContent = look.name || "";
    const live = LIVE.includes(look.state);
    const held = buttons.find((one) => one === one.getRootNode().activeElement);
    state.textContent = words(look);
    state.dataset.state = look.state;
    if (announced.textContent !== say(look.state)) announced.textContent = say(look.state);
    bar.hidden = !live;
    bar.setAttribute("aria-label", words(look));
    if (look.steps) { bar.max = look.steps; bar.value = look.step; } else bar.removeAttribute("value");
    left.textContent = live && look.eta !== undefined ? `${duration(look.eta)} ${say("left")}` : "";
    stop.hidden = !live;
    allow(stop, look.state !== "stopping");
    resume.hidden = !RESUMABLE.includes(look.state);
    allow(resume, true);
    tryIt.hidden = !model.get("offers_trying") || ["queued", "starting", "deleted"].includes(look.state);
    if (held?.hidden) (buttons.find((one) => !one.hidden) || title).focus({ preventScroll: true });
    device.textContent = [look.device && `${say("device")} ${look.device}`, said({ en: look.note, zh: look.note_zh })].filter(Boolean).join(" · ");
    device.hidden = !device.textContent;
    const failed = look.state === "failed";
    problem.textContent = model.get("problem") || said(look.problem) || (failed && said({ en: look.message, zh: look.message_zh })) || "";
    problem.hidden = !problem.textContent;
    log.hidden = !failed && !look.problem;
    if (log.hidden) log.open = false; // unfolded for the next failure, it asks anew
  }

  const undo = [
    attach(model, el, box),
    follow(model, ["look", "problem"], show),
    follow(model, ["log"], () => { trace.textContent = model.get("log"); }),
    follow(model, ["curve"], () => {
      const curve = model.get("curve");
      for (const name of [...drawn.keys()]) {
        if (name in curve) continue;
        drawn.get(name).element.remove();
        drawn.delete(name);
      }
      for (const [name, parts] of Object.entries(curve)) {
        if (!drawn.has(name)) {
          drawn.set(name, chart(name, say("epoch")));
          charts.append(drawn.get(name).element);
        }
        drawn.get(name).draw(["train", "validation"].filter((part) => parts[part]).map((part) => ({
          name: say(part === "train" ? "training" : part), x: parts[part][0], y: parts[part][1], style: part === "train" ? 0 : 1,
        })));
      }
    }),
    follow(model, ["result"], () => result.replaceChildren(...results(model, send))),
    follow(model, ["figures"], () => {
      const place = result.querySelector(".kl-pictures");
      place?.replaceChildren(...model.get("figures").map((one) => h("img", { src: `data:image/png;base64,${one.png}`, alt: one.name })));
    }),
  ];
  return () => undo.forEach((work) => work());
}

function words(look) {
  if (look.state === "starting" && !look.recipe) return phase("starting"); // a notebook, perhaps without Keras
  if (look.state !== "running") return say(look.state);
  if (look.phase === "training") return `${say("epoch")} ${Math.min(look.epoch + 1, look.epochs)} ${say("of")} ${look.epochs}`;
  return look.phase ? phase(look.phase) : say("running");
}

function results(model, send) {
  const result = model.get("result");
  if (!result.splits) return [];
  const splits = Object.keys(result.splits);
  const names = [...new Set(splits.flatMap((split) => Object.keys(result.splits[split])))].filter((name) => name !== "main");
  names.sort((one, two) => (two === result.main) - (one === result.main));
  const head = h("tr", {}, h("td"), splits.map((split) => h("th", { scope: "col" }, say(split === "train" ? "training" : split))));
  const rows = names.map((name) => h("tr", { class: name === result.main ? "kl-main" : undefined },
    h("th", { scope: "row" }, name), splits.map((split) => h("td", {}, number(result.splits[split][name])))));
  const parts = [region("scores", h("table", { class: "kl-table" }, h("thead", {}, head), h("tbody", {}, rows)))];
  if (result.confusion) parts.push(confusion(result.confusion));
  const columns = [h("div", { class: "kl-columns" }, parts)];
  if (result.warnings.length) {
    columns.push(h("details", {}, h("summary", {}, `${say("warnings")} (${result.warnings.length})`), h("ul", {}, result.warnings.map((line) => h("li", {}, said(line))))));
  }
  if (result.figures.length) {
    const more = h("details", { ontoggle: () => more.open && send("figures") },
      h("summary", {}, `${say("figures")} (${result.figures.length})`), h("div", { class: "kl-pictures" }));
    columns.push(more);
  }
  return columns;
}

// A part that scrolls where it is wider than its place.
function region(word, content) {
  return h("div", { tabindex: "0", role: "region", "aria-label": say(word) }, h("h4", {}, say(word)), content);
}

function confusion({ names, counts }) {
  const share = (row, column) => counts[row][column] / Math.max(1, counts[row].reduce((sum, count) => sum + count, 0));
  const cell = (row, column) => {
    const part = share(row, column);
    const shade = h("td", { class: part > 0.5 ? "kl-cell kl-strong" : "kl-cell" }, counts[row][column] ? String(counts[row][column]) : "");
    shade.style.setProperty("--kl-share", `${Math.round(part * 100)}%`);
    return shade;
  };
  return region("confusion",
    h("table", { class: "kl-table kl-confusion" },
      h("caption", {}, say("confusionNote")),
      h("thead", {}, h("tr", {}, h("td"), names.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, names.map((name, row) => h("tr", {}, h("th", { scope: "row" }, name), names.map((_, column) => cell(row, column)))))));
}

export default { render };
