/**
 * `<onnx-proof src="manifest.json">`: what this device finds when it repeats the golden check.
 *
 * Nothing is loaded before the visitor asks. Attribute `state`: idle, running or done.
 */
import { announce } from "../dom/announce.js";
import { detect } from "../model/detect.js";
import { TARGETS } from "../targets.js";
import { h } from "../dom/elements.js";
import { isAbort, sentence } from "../errors.js";
import { fetchManifest } from "../load/fetch.js";
import { manifestUrl } from "../load/manifest.js";
import { goldenInputs } from "../model/golden.js";
import { load } from "../onnxpress.js";
import { writeOutputs } from "../tensors.js";

const HEAD = ["Target", "Agrees", "Error", "Allowed", "Build"];
const ACTIONS = { idle: "Check on this device", running: "Stop", done: "Check again" };

/** @param {string} name */
const sheet = (name) => (
  h("link", { rel: "stylesheet", href: new URL(name, import.meta.url).href }));

class OnnxProof extends HTMLElement {
  /** @type {AbortController|null} */
  #running = null;
  #button = h("button", { type: "button", className: "run", onclick: () => this.#press() });
  #hint = h("p", { className: "hint" });
  #rows = h("tbody");
  #table = h("table", { hidden: true },
    h("thead", {}, h("tr", {}, ...HEAD.map((text) => h("th", { scope: "col" }, text)))),
    this.#rows);

  connectedCallback() {
    if (!this.shadowRoot) {
      const body = h("div", { className: "body" }, this.#hint, this.#button);
      this.attachShadow({ mode: "open" }).append(
        sheet("../onnxpress.css"), sheet("../page/panel.css"), sheet("./proof.css"),
        h("div", { className: "frame" }, body, h("div", { className: "found" }, this.#table)));
    }
    this.#setState("idle", "The check downloads the model and runs it once on each target.");
  }

  disconnectedCallback() {
    this.#running?.abort();
  }

  /** The button starts the check, and stops it. */
  async #press() {
    if (this.#running) return this.#running.abort();
    const { signal } = (this.#running = new AbortController());
    this.#rows.replaceChildren();
    this.#table.hidden = true;
    this.#setState("running", "Looking at this device…");
    let words = `Checked by ${navigator.userAgent}`;
    try {
      await this.#checkAll(signal);
      announce("The check is done.");
    } catch (error) {
      words = isAbort(error) ? "Stopped." : sentence(error);
    }
    this.#running = null;
    this.#setState("done", words);
  }

  /**
   * Checks one target after the other, and shows each as it comes.
   * @param {AbortSignal} signal
   */
  async #checkAll(signal) {
    const url = manifestUrl(this.getAttribute("src") ?? "");
    const manifest = await fetchManifest(url);
    const { candidates, refused } = await detect(manifest, "auto");
    const runs = new Set(candidates.map(({ target }) => target));
    for (const { target } of candidates) {
      this.#hint.textContent = `${TARGETS[target].label}…`;
      try {
        this.#show(target, ...await check(url, manifest, target, signal));
      } catch (error) {
        if (isAbort(error)) throw error;
        this.#show(target, sentence(error));
      }
    }
    for (const { target, reason } of refused) if (!runs.has(target)) this.#show(target, reason);
  }

  /**
   * A row: the cells of a check, or a sentence in their place.
   * @param {keyof typeof TARGETS} target
   * @param {string[]} cells
   */
  #show(target, ...cells) {
    const wide = cells.length === 1 ? { colSpan: HEAD.length - 1 } : {};
    this.#rows.append(h("tr", {}, h("th", { scope: "row" }, TARGETS[target].label),
      ...cells.map((text) => h("td", wide, text))));
    this.#table.hidden = false;
  }

  /** @param {keyof typeof ACTIONS} state @param {string} words */
  #setState(state, words) {
    this.setAttribute("state", state);
    this.#button.textContent = ACTIONS[state];
    this.#hint.textContent = words;
  }
}

/**
 * The cells of one target.
 * @param {string} url
 * @param {import("../types.js").Manifest} manifest
 * @param {import("../api.d.ts").TargetName} target
 * @param {AbortSignal} signal
 * @returns {Promise<string[]>}
 */
async function check(url, manifest, target, signal) {
  const model = await load(url, { target, worker: true, signal, manifest });
  try {
    if (!model.check) {
      const feeds = writeOutputs(model.inputs, goldenInputs(manifest.golden, model.inputs));
      await model.run(feeds, { signal });
    }
    await model.checked;
    const { build, check: found } = model;
    if (!found || found.maxError === undefined) return ["the check gave no figure"];
    const { maxError, tolerance } = found;
    return [maxError <= tolerance ? "yes" : "no", maxError.toExponential(1),
      tolerance.toExponential(1), build];
  } finally {
    model.dispose();
  }
}

if (!customElements.get("onnx-proof")) customElements.define("onnx-proof", OnnxProof);
