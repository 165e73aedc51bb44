/** What a visitor sees of a benchmark: a bar per target, the steps of one target, the file. */
import { TARGETS } from "../targets.js";
import { bar, h } from "../dom/elements.js";
import { formatTime } from "../dom/format.js";
import { saveAs } from "../page/save.js";
import { HEAD, tableOf } from "./table.js";

/**
 * @typedef {import("./measure.js").Facts} Facts
 *
 * @typedef {Object} Results
 * @property {string} model
 * @property {Facts[]} targets
 * @property {import("../model/detect.js").Refused[]} refused
 */

/** @param {Results} results @returns {HTMLElement} */
export function createReport(results) {
  const { model, refused } = results;
  const targets = [...results.targets].sort((a, b) => a.run.median_ms - b.run.median_ms);
  const longest = Math.max(...targets.map(({ run }) => run.median_ms));
  const bars = targets.map(({ target, run }) => h("li", { className: "onnx-bar" },
    h("span", {}, TARGETS[target].label), h("b", {}, formatTime(run.median_ms)),
    bar(run.median_ms / longest)));
  const others = refused.map(({ target, reason }) => h("p", { className: "hint" },
    `${TARGETS[target].label} is left out: ${reason.replace(/\.$/, "")}.`));
  return h("div", {},
    h("div", { className: "body" },
      targets.length > 0 && h("p", { className: "hint" },
        "The median of runs from array to array; shorter is faster."),
      h("ol", { className: "onnx-bars" }, ...bars), ...others),
    targets.length > 0 && stepsOf(targets),
    h("div", { className: "foot" }, download(`onnxpress-${model}.json`, results)));
}

/** The table of the chosen target. @param {Facts[]} targets */
function stepsOf(targets) {
  const place = h("div", { className: "tables" });
  const choose = h("select", { onchange: () => show() },
    ...targets.map(({ target }, i) => h("option", { value: i }, TARGETS[target].label)));
  const show = () => place.replaceChildren(createTable(targets[Number(choose.value)]));
  show();
  return h("div", { className: "steps" },
    h("label", { className: "badge" }, h("span", {}, "Step by step on"), choose), place);
}

/** @param {Facts} facts */
function createTable(facts) {
  const { run: { median_ms, min_ms, first_ms, load_ms, count }, peak, each, reason } = facts;
  const rows = tableOf(facts).map(([label, ...cells]) => h("tr", {},
    h("th", { scope: "row" }, label), ...cells.map((text) => h("td", {}, text))));
  const times = `Loaded in ${formatTime(load_ms)}, first run ${formatTime(first_ms)}, then ` +
    `median ${formatTime(median_ms)}, fastest ${formatTime(min_ms)} of ${count}.`;
  const words = `Each step: the ${each.what} of ${each.count}. The most that was seen here is ` +
    `${peak.gflops.toFixed(1)} GFLOP/s: ${peak.what}. Arithmetic is counted as for the direct ` +
    "method; Winograd's convolutions need less. MB: inputs, weights and outputs once.";
  return h("div", {}, h("p", { className: "hint" }, `${reason} ${times}`),
    h("table", {},
      h("thead", {}, h("tr", {}, ...HEAD.map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, ...rows)),
    h("p", { className: "hint" }, words));
}

/** @param {string} name @param {Results} results */
function download(name, results) {
  const file = () => new Blob([JSON.stringify(results, null, 1)], { type: "application/json" });
  return h("button", { type: "button", className: "quiet", onclick: () => saveAs(file(), name) },
    "Download as JSON");
}
