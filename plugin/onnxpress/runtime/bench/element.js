/**
 * `<onnx-bench src="manifest.json">`: how fast a demo's model is here, on each target that runs.
 *
 * Attribute `state`: idle, running or done. Event `result`, whose detail is the file that the
 * visitor can download.
 */
import { announce } from "../dom/announce.js";
import { detect } from "../model/detect.js";
import { TARGETS } from "../targets.js";
import { h } from "../dom/elements.js";
import { isAbort, sentence } from "../errors.js";
import { fetchManifest } from "../load/fetch.js";
import { manifestUrl } from "../load/manifest.js";
import { formatBytes } from "../dom/format.js";
import { load } from "../onnxpress.js";
import { measure } from "./measure.js";
import { createReport } from "./report.js";

/**
 * @typedef {import("../types.js").Manifest} Manifest
 * @typedef {import("./report.js").Results} Results
 */

const COUNT = 20; // runs, and measurements of each step
const PATIENCE = 3000; // ms; then no further run and no further measurement begins

const ACTIONS = { idle: "Run the benchmark", running: "Stop", done: "Run again" };
const DOING = {
  detecting: "looking", fetching: "downloading", preparing: "preparing", ready: "measuring",
};

/** @param {string} name */
const sheet = (name) => (
  h("link", { rel: "stylesheet", href: new URL(name, import.meta.url).href }));

class OnnxBench extends HTMLElement {
  /** @type {Manifest|null} */
  #manifest = null;
  /** @type {AbortController|null} */
  #running = null;
  #button = h("button", { type: "button", className: "run", onclick: () => this.#press() });
  #hint = h("p", { className: "hint" });
  #doing = h("span");
  #progress = h("div", { className: "progress", hidden: true },
    h("progress", { ariaLabel: "Benchmark" }), this.#doing);
  #sentence = h("p");
  #fault = h("div", { className: "fault", role: "alert", hidden: true }, this.#sentence);
  #report = h("div");

  connectedCallback() {
    if (!this.shadowRoot) {
      const body = h("div", { className: "body" }, this.#hint, this.#button);
      this.attachShadow({ mode: "open" }).append(
        sheet("../onnxpress.css"), sheet("../page/panel.css"), sheet("./bench.css"),
        h("div", { className: "frame" }, body, this.#progress, this.#fault, this.#report));
    }
    this.#setState("idle");
    this.#describe().catch((error) => this.#fail(error));
  }

  disconnectedCallback() {
    this.#running?.abort();
  }

  get #url() {
    return manifestUrl(this.getAttribute("src") ?? "");
  }

  async #describe() {
    const manifest = this.#manifest ??= await fetchManifest(this.#url);
    this.#hint.textContent = `${manifest.demo?.title ?? manifest.name}: ` +
      `${formatBytes(manifest.weights.bytes)} of weights, then some seconds on each target.`;
    return manifest;
  }

  /** The button starts the benchmark, and stops it. */
  async #press() {
    if (this.#running) return this.#running.abort();
    const { signal } = (this.#running = new AbortController());
    this.#fault.hidden = true;
    this.#setState("running");
    try {
      const manifest = await this.#describe();
      const results = await this.#measureAll(manifest, signal);
      announce("The benchmark is done.");
      this.dispatchEvent(new CustomEvent("result", { detail: results }));
    } catch (error) {
      if (!isAbort(error)) this.#fail(error);
    }
    this.#running = null;
    this.#setState("done");
  }

  /**
   * Measures one target after the other, and shows each as it comes.
   * @param {Manifest} manifest
   * @param {AbortSignal} signal
   */
  async #measureAll(manifest, signal) {
    const { candidates, refused } = await detect(manifest, "auto");
    const runs = new Set(candidates.map(({ target }) => target));
    /** @type {Results & {browser: string}} */
    const results = {
      model: manifest.name, browser: navigator.userAgent, targets: [],
      refused: refused.filter(({ target }) => !runs.has(target)),
    };
    for (const { target } of candidates) {
      /** @param {import("../types.js").Progress} progress */
      const onProgress = ({ state }) => this.#say(`${TARGETS[target].label}: ${DOING[state]}…`);
      try {
        results.targets.push(await measure(load, this.#url, manifest,
          { target, worker: true, signal, onProgress }, COUNT, PATIENCE));
      } catch (error) {
        if (isAbort(error)) throw error;
        results.refused.push({ target, reason: sentence(error) });
      }
      this.#report.replaceChildren(createReport(results));
    }
    return results;
  }

  /** @param {keyof typeof ACTIONS} state */
  #setState(state) {
    this.setAttribute("state", state);
    this.#progress.hidden = state !== "running";
    this.#button.textContent = ACTIONS[state];
  }

  /** @param {string} text */
  #say(text) {
    this.#doing.textContent = text;
  }

  /** @param {unknown} error */
  #fail(error) {
    this.#sentence.textContent = sentence(error);
    this.#fault.hidden = false;
  }
}

if (!customElements.get("onnx-bench")) customElements.define("onnx-bench", OnnxBench);
