/**
 * `<onnx-demo src="manifest.json" loading="click|lazy|eager" target="auto|webgpu|wasm|js">`
 * `name="cat"` in place of `src`: demos/cat.json beside this module, wherever the page is.
 *
 * The content that the page wrote inside it (the poster) is shown until the first run. Attribute
 * `state`: idle detecting fetching preparing ready running live done failed. Events: progress ready
 * result fallback error. Parts: frame stage view caveat controls samples choose camera run progress
 * error status badge save.
 */
import { manifestUrl } from "../load/manifest.js";
import { Panel } from "./panel.js";
import { createPicker } from "./picker.js";
import { Save } from "./save.js";
import { Visit } from "./visit.js";

const NEAR = "300px"; // from the viewport: time enough for the manifest to come

/**
 * @typedef {import("../types.js").Manifest} Manifest
 * @typedef {import("./demo.js").LiveDemo} LiveDemo
 */

/** Workers load the page's scripts too, and have no elements. */
const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? Object);

export class OnnxDemo extends Base {
  static observedAttributes = ["src", "target"];
  /** Set by onnxpress.js. @type {typeof import("../api.d.ts").load} */
  static load;

  /** @type {Panel|null} */
  #panel = null;
  /** @type {Visit|null} */
  #visit = null;
  /** @type {import("./picker.js").Picker|null} */
  #picker = null;
  /** @type {Save|null} */
  #save = null;
  /** @type {IntersectionObserver|null} */
  #near = null;

  get state() {
    return this.#visit?.state ?? "idle";
  }

  /** @returns {import("../types.js").Model|null} once it is ready */
  get model() {
    return this.#visit?.model ?? null;
  }

  connectedCallback() {
    this.setAttribute("state", "idle");
    this.#start();
    addEventListener("pagehide", this.#sleep);
  }

  disconnectedCallback() {
    removeEventListener("pagehide", this.#sleep);
    this.#stop();
  }

  /** @param {string} name @param {string|null} before @param {string|null} after */
  attributeChangedCallback(name, before, after) {
    if (!this.#visit || before === after) return;
    if (name === "target") return this.#visit.retarget();
    this.#stop();
    this.#start();
  }

  /** Runs the model on the value that was handed over, or on the first sample. */
  async run() {
    await this.#visit?.ask();
  }

  /** @returns {Panel} */
  #build() {
    const panel = new Panel({
      run: () => this.#visit?.busy || this.#visit?.ask(),
      retry: () => this.#visit?.ask(),
      film: () => this.#visit?.busy || this.#visit?.film(),
      target: (name) => this.#switch(name),
    });
    const { sheets, slot, stage, frame } = panel;
    const root = this.attachShadow({ mode: "open" });
    // Until the styles are there, the poster stands alone.
    const styled = sheets.map((sheet) => new Promise((resolve) => {
      sheet.addEventListener("load", resolve, { once: true });
      sheet.addEventListener("error", resolve, { once: true });
    }));
    root.append(...sheets, slot);
    Promise.all(styled).then(() => {
      stage.prepend(slot);
      root.append(frame);
    });
    return panel;
  }

  /**
   * The visitor's choice of a target; it outranks ?target=... in the page's address.
   * @param {string} name
   */
  #switch(name) {
    const url = new URL(location.href);
    url.searchParams.delete("target");
    history.replaceState(history.state, "", url);
    this.setAttribute("target", name);
  }

  #start() {
    const panel = (this.#panel ??= this.#build());
    const visit = new Visit({
      panel, url: this.#url, load: OnnxDemo.load,
      target: () => this.getAttribute("target") ?? "auto",
      onDemo: (manifest, demo) => this.#describe(panel, manifest, demo),
      onForget: () => this.#forget(),
      onState: (state) => this.setAttribute("state", state),
      emit: (type, detail) => this.dispatchEvent(new CustomEvent(type, { detail })),
    });
    this.#visit = visit;
    this.#picker = createPicker(this, (file) => visit.ask((demo) => demo.take(file)));
    panel.live.before(this.#picker.button);
    const loading = this.getAttribute("loading");
    if (loading === "eager") return void visit.ask();
    const near = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      near.disconnect();
      if (this.getAttribute("loading") === "lazy") visit.ask();
      // Only the description: without it the page still has its poster, and a run says what failed.
      else visit.describe().catch(() => {});
    }, { rootMargin: NEAR });
    near.observe(this);
    this.#near = near;
  }

  #stop() {
    this.#near?.disconnect();
    this.#picker?.stop();
    this.#picker?.button.remove();
    this.#forget();
    this.#panel?.reset();
    this.#visit?.close();
    this.#visit = null;
  }

  /**
   * Shows the parts of the manifest.
   * @param {Panel} panel
   * @param {Manifest} manifest
   * @param {LiveDemo} demo
   */
  #describe(panel, manifest, demo) {
    const asked = new URLSearchParams(location.search).get("target");
    panel.describe(manifest, demo, this.getAttribute("target") ?? asked,
      (index) => this.#visit?.ask((live) => live.pick(index)));
    this.#picker?.describe(demo.given);
    if (manifest.oneFile) {
      this.#save = new Save(manifest.name, manifest.oneFile, this.#url);
      panel.foot.append(this.#save.element);
    }
    this.setAttribute("aria-label", demo.about.title);
    this.setAttribute("role", "region");
  }

  /** The manifest is outdated or another one comes. */
  #forget() {
    this.#save?.stop();
    this.#save?.element.remove();
    this.#save = null;
  }

  #sleep = () => {
    const wake = this.#visit?.sleep();
    if (wake) addEventListener("pageshow", wake, { once: true });
  };

  /** As it is written where it is no address: a run says so. */
  get #url() {
    const name = this.getAttribute("name");
    const [url, base] = name ? [`./demos/${name}.json`, import.meta.url]
      : [this.getAttribute("src") ?? "", document.baseURI];
    try {
      return manifestUrl(url, base);
    } catch {
      return url;
    }
  }
}
