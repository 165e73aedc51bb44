/** The parts around the view: samples, the run button, progress, status, faults. */
import { h } from "../dom/elements.js";
import { formatBytes, formatTime, median } from "../dom/format.js";
import { IN_PAGE } from "../load/carried.js";
import { targetNames } from "../model/detect.js";
import { TARGETS } from "../targets.js";

/**
 * @typedef {import("../types.js").Model} Model
 * @typedef {import("./demo.js").LiveDemo} LiveDemo
 * @typedef {import("./visit.js").State} State
 */

const PATIENCE = 300; // ms: a shorter run needs no words

/** @type {{[state in State]?: string}} */
const LOADING = {
  detecting: "Looking for the fastest way to run here…",
  fetching: "Downloading the model…",
  preparing: "Preparing the model…",
};

export class Panel {
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #late;
  /** @type {import("../kinds/contract.d.ts").Live["words"]|undefined} */
  #streaming;

  /**
   * @param {{run: () => void, retry: () => void, film: () => void,
   *   target: (name: string) => void}} handlers
   */
  constructor({ run, retry, film, target }) {
    this.sheets = [
      new URL("../onnxpress.css", import.meta.url), new URL("./panel.css", import.meta.url),
    ].map(({ href }) => h("link", { rel: "stylesheet", href }));
    this.view = h("div", { className: "view", part: "view", hidden: true });
    this.slot = h("slot");
    this.origin = h("p", { className: "origin" });
    this.tools = h("div");
    this.under = h("div", { className: "under", hidden: true }, this.origin, this.tools);
    this.drop = h("div", { className: "drop", ariaHidden: "true" });
    this.stage = h("div", { className: "stage", part: "stage" }, this.slot, this.view, this.under,
      this.drop);
    this.side = h("div", { className: "side", part: "controls", hidden: true });
    this.caveat = h("p", { className: "caveat", part: "caveat", hidden: true });
    this.samples = h("ul", { className: "samples", part: "samples" });
    this.hint = h("p", { className: "hint" });
    this.button = h("button", { type: "button", className: "run", part: "run", onclick: run },
      "Run on this device");
    this.live = h("button", { type: "button", className: "quiet", part: "camera", onclick: film });
    this.chooser = h("div", { className: "chooser", hidden: true }, this.samples, this.live);
    this.meter = h("progress", { max: 1, ariaLabel: "Download and preparation" });
    this.doing = h("span");
    this.progress = h("div", { className: "progress", part: "progress", hidden: true },
      this.meter, this.doing);
    this.sentence = h("p");
    this.again = h("button", { type: "button", onclick: retry }, "Try again");
    this.fault = h("div", { className: "fault", part: "error", role: "alert", hidden: true },
      this.sentence, this.again);
    this.target = h("select", { onchange: () => target(this.target.value) });
    this.facts = h("span", { className: "facts" });
    this.why = h("p", { className: "why" });
    this.details = h("dl");
    this.measured = h("details", { hidden: true },
      h("summary", {}, "Measured on this device"), this.details);
    this.foot = h("div", { className: "foot", part: "status", hidden: true },
      h("label", { className: "badge", part: "badge" }, h("span", {}, "Runs on"), this.target),
      this.facts, this.why,
      this.measured);
    this.frame = h("div", { className: "frame", part: "frame" }, this.caveat,
      h("div", { className: "body" }, this.stage, this.side),
      h("div", { className: "bar" }, this.chooser, this.button, this.hint),
      this.progress, this.fault, this.foot);
  }

  /**
   * @param {import("../types.js").Manifest} manifest
   * @param {LiveDemo} demo
   * @param {string|null} chosen  the target
   * @param {(index: number) => void} pick  a sample
   */
  describe({ targets, weights }, demo, chosen, pick) {
    const { about: { weightsNote, samples = [] }, given, live } = demo;
    this.caveat.textContent = weightsNote ?? "";
    this.caveat.hidden = !weightsNote;
    const own = given ? ` ${given.words.promise}` : "";
    const way = IN_PAGE ? "inside this page" : "downloaded once";
    this.hint.textContent = `The model is ${formatBytes(weights.bytes)}, ${way}.${own}`;
    const names = targetNames().filter((name) => name in targets);
    this.target.replaceChildren(
      h("option", { value: "auto" }, "Automatic"),
      ...names.map((name) => h("option", { value: name }, TARGETS[name].label)));
    this.target.value = names.find((name) => name === chosen) ?? "auto";
    this.foot.hidden = false;
    this.chooser.hidden = !given;
    this.drop.textContent = given?.words.drop ?? "";
    this.#streaming = live?.words;
    this.live.hidden = !live?.offered();
    this.live.textContent = live?.words.start ?? "";
    this.samples.replaceChildren(...samples.map(({ title, thumbnail, url }, i) => h("li", {},
      h("button", { type: "button", title, ariaPressed: "false", onclick: () => pick(i) },
        h("img", { src: thumbnail ?? url, alt: title, width: 56, height: 56 })))));
    this.view.replaceChildren(demo.element);
    this.tools.replaceChildren(...demo.tools);
    this.side.replaceChildren(...demo.controls);
    this.side.hidden = demo.controls.length === 0;
  }

  /** Back to the content that the page wrote. */
  reset() {
    this.view.hidden = true;
    this.slot.hidden = false;
    this.chooser.hidden = true;
    this.foot.hidden = this.side.hidden = this.caveat.hidden = this.under.hidden = true;
    this.measured.hidden = true;
    this.facts.replaceChildren();
    this.details.replaceChildren();
    this.why.textContent = this.hint.textContent = "";
    this.button.textContent = "Run on this device";
  }

  /** The demo in place of the poster. @param {LiveDemo} demo */
  showView({ about: { samples = [] }, given, sample }) {
    this.view.hidden = false;
    this.slot.hidden = true;
    [...this.samples.querySelectorAll("button")].forEach((button, i) =>
      button.setAttribute("aria-pressed", `${samples[i] === sample}`));
    this.hint.textContent = sample
      ? [sample.title, sample.author, sample.licence].filter(Boolean).join(" · ")
      : given?.words.own ?? "";
    this.under.hidden = false;
    this.origin.textContent = sample?.result ? "Computed when this page was built." : "";
  }

  /** @param {State} state */
  setState(state) {
    this.progress.hidden = !(state in LOADING);
    this.doing.textContent = LOADING[state] ?? "";
    this.button.setAttribute("aria-disabled", `${state in LOADING || state === "running"}`);
    if (state === "detecting") this.meter.removeAttribute("value");
    if (state !== "failed") this.fault.hidden = true;
    clearTimeout(this.#late);
    this.live.textContent = this.#streaming?.[state === "live" ? "stop" : "start"] ?? "";
    if (state === "done") this.button.textContent = "Run again";
    if (state === "running") {
      this.#late = setTimeout(() => (this.button.textContent = "Running…"), PATIENCE);
    }
  }

  /**
   * A live source in place of a sample.
   * @param {LiveDemo} demo
   * @param {Model} model
   * @param {string} hint
   */
  showFilm(demo, { reason }, hint) {
    this.showView(demo);
    this.hint.textContent = hint;
    this.origin.textContent = "Computed on this device, as you watch.";
    this.why.textContent = reason;
    this.facts.replaceChildren();
  }

  /** @param {number} rate  frames per second */
  showRate(rate) {
    const text = `${rate < 10 ? rate.toFixed(1) : Math.round(rate)} frames per second`;
    this.facts.replaceChildren(h("b", {}, text));
  }

  /** @param {import("../types.js").Progress} progress */
  setProgress({ state, fraction, loaded, total }) {
    if (Number.isFinite(fraction)) this.meter.value = fraction;
    if (state === "fetching" && total) {
      const share = `${formatBytes(loaded)} of ${formatBytes(total)}`;
      this.doing.textContent = `Downloading the model: ${share}`;
    }
  }

  /** @param {string} text  a sentence @param {boolean} again  whether another try may help */
  fail(text, again) {
    this.sentence.textContent = text;
    this.again.hidden = !again;
    this.fault.hidden = false;
  }

  /** @param {Model} model  that has run */
  report(model) {
    const { first, runs, fetch, prepare } = model.timings;
    const later = runs[0] === first ? runs.slice(1) : runs;
    const warm = later.length ? median(later) : null;
    this.target.options[0].textContent = `Automatic (${TARGETS[model.target].label})`;
    this.facts.replaceChildren(
      h("span", {}, warm === null ? "First run " : "A run takes ",
        h("b", {}, formatTime(warm ?? first))),
      model.check ? h("span", { className: "checked" }, "Checked on this device")
        : h("span", {}, "Being checked on this device…"));
    this.why.textContent = model.reason;
    this.origin.textContent = "Computed on this device.";
    this.measured.hidden = false;
    const rows = {
      "First run": formatTime(first),
      "Threads": TARGETS[model.target].threads ? `${model.threads}` : "",
      "Later runs": warm === null ? "none yet" : `${formatTime(warm)} (median of ${later.length})`,
      "Against the published program": model.check ? inWords(model.check) : "to be checked",
      "Download": formatTime(fetch),
      "Preparation": formatTime(prepare),
      "Notes": model.notes.join(" "),
    };
    this.details.replaceChildren(...Object.entries(rows).filter(([, text]) => text)
      .flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]));
  }

  /** @param {HTMLElement} tool */
  debug(tool) {
    if (!this.measured.querySelector(".tables")) this.measured.append(tool);
    this.measured.open = true;
  }
}

/** @param {import("../types.js").Check} check */
function inWords({ maxError = 0, metric, tolerance }) {
  const of = metric === "l2" ? "output's norm" : "output's peak";
  return `largest error ${maxError.toExponential(1)} of the ${of}, ` +
    `${tolerance.toExponential(1)} allowed`;
}
