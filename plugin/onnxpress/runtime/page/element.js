/**
 * `<onnx-demo src="manifest.json" loading="click|lazy|eager" target="auto|webgpu|wasm|js">`
 * `name="cat"` in place of `src`: demos/cat.json beside this module, wherever the page is.
 *
 * What the page wrote inside it (the poster) is shown until the first run. Attribute `state`:
 * idle detecting fetching preparing ready running live done failed. Events: progress ready result
 * fallback error. Parts: frame stage view caveat controls samples choose camera run progress error
 * status badge save.
 */
import { announce } from "./announce.js";
import { createDemo } from "./demo.js";
import { isAbort, sentence } from "../errors.js";
import { fetchManifest } from "../load/fetch.js";
import { createPicker } from "./picker.js";
import { Panel } from "./panel.js";
import { createProfile } from "./profile.js";
import { Save } from "./save.js";
import { Session } from "../model/session.js";

const SETTLE = 120; // ms without a new change before controls run the model
const NEAR = "300px"; // from the viewport: time enough for the manifest to come
const LOADING = new Set(["detecting", "fetching", "preparing"]);

// Workers load what pages do.
export class OnnxDemo extends (globalThis.HTMLElement ?? Object) {
  static observedAttributes = ["src", "target"];
  /** Set by onnxpress.js. @type {typeof import("../onnxpress.js").load} */
  static load = null;

  #panel = null;
  #session = null;
  #demo = null;
  #faults = []; // codes of errors that another try does not mend
  #picker = null;
  #save = null;
  #near = null;
  #settling = 0;
  #filming = null;
  #turn = 0;
  #wish = null;
  #state = "idle";

  get state() {
    return this.#state;
  }

  /** @returns {import("../types.js").Model|null} once it is ready */
  get model() {
    return this.#session?.model ?? null;
  }

  connectedCallback() {
    if (!this.#panel) this.#build();
    this.setAttribute("state", this.#state);
    this.#start();
    addEventListener("pagehide", this.#sleep);
  }

  disconnectedCallback() {
    removeEventListener("pagehide", this.#sleep);
    this.#stop();
  }

  attributeChangedCallback(name, before, after) {
    if (!this.#session || before === after) return;
    if (name === "src") {
      this.#stop();
      this.#start();
    } else {
      const asked = this.#state !== "idle";
      this.#openSession();
      if (asked) this.#ask();
    }
  }

  /** Runs the model on what was handed over, the first sample if there is nothing. */
  run() {
    return this.#ask();
  }

  #build() {
    this.#panel = new Panel({
      run: () => this.#busy || this.#ask(),
      retry: () => this.#ask(),
      film: () => this.#busy || this.#film(),
      target: (name) => this.#switch(name),
    });
    const { sheets, slot, stage, frame } = this.#panel;
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
  }

  /** The visitor's choice of a target; it outranks ?target=... in the page's address. */
  #switch(name) {
    const url = new URL(location.href);
    url.searchParams.delete("target");
    history.replaceState(history.state, "", url);
    this.setAttribute("target", name);
  }

  #start() {
    this.#openSession();
    this.#picker = createPicker(this, (file) => this.#ask((demo) => demo.take(file)));
    this.#panel.live.before(this.#picker.button);
    if (this.getAttribute("loading") === "eager") return void this.#ask();
    this.#near = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      this.#near.disconnect();
      if (this.getAttribute("loading") === "lazy") this.#ask();
      // Only the description: without it the page still has its poster, and a run says what failed.
      else this.#describe().catch(() => {});
    }, { rootMargin: NEAR });
    this.#near.observe(this);
  }

  #stop() {
    this.#turn++;
    clearTimeout(this.#settling);
    this.#near?.disconnect();
    this.#filming?.abort();
    this.#picker.stop();
    this.#picker.button.remove();
    this.#session.close();
    this.#session = null;
    this.#forget();
    this.#panel.reset();
    this.#setState("idle");
  }

  /** What the manifest said. */
  #forget() {
    this.#demo = null;
    this.#faults = [];
    this.#save?.stop();
    this.#save?.element.remove();
    this.#save = null;
  }

  /** A page that is left lets go of connections and locks; if it comes back, it begins again. */
  #sleep = () => {
    if (!LOADING.has(this.#state)) return;
    this.#turn++;
    this.#openSession();
    this.#setState("idle");
    const wish = this.#wish;
    const wake = () => this.isConnected && this.#state === "idle" && this.#ask(wish);
    addEventListener("pageshow", wake, { once: true });
  };

  #openSession() {
    this.#filming?.abort();
    this.#session?.close();
    const target = this.getAttribute("target") ?? "auto";
    this.#session = new Session(this.#url, OnnxDemo.load, {
      target, worker: true,
      onProgress: (progress) => {
        this.#setState(progress.state);
        this.#panel.setProgress(progress);
        this.#emit("progress", progress);
      },
      onFallback: (fallback) => {
        announce(fallback.reason);
        this.#emit("fallback", fallback);
      },
    });
  }

  get #url() {
    const name = this.getAttribute("name");
    return name ? new URL(`./demos/${name}.json`, import.meta.url).href
      : new URL(this.getAttribute("src"), document.baseURI).href;
  }

  get #busy() {
    return LOADING.has(this.#state) || this.#state === "running";
  }

  /** @returns {Promise<import("./demo.js").LiveDemo>} after the manifest, nothing heavier */
  #describe(fresh = false) {
    this.#demo ??= this.#readDemo(fresh).catch((error) => {
      this.#demo = null;
      throw error;
    });
    return this.#demo;
  }

  async #readDemo(fresh) {
    const url = this.#url;
    const manifest = await fetchManifest(url, { fresh });
    const demo = await createDemo(manifest, url, () => this.#settle());
    if (url === this.#url && this.isConnected) {
      const asked = new URLSearchParams(location.search).get("target");
      this.#panel.describe(manifest, demo, this.getAttribute("target") ?? asked,
        (index) => this.#ask((live) => live.pick(index)));
      this.#picker.describe(demo.given);
      this.#faults = demo.given?.faults ?? [];
      if (manifest.oneFile) this.#offer(manifest, url);
      this.setAttribute("aria-label", demo.about.title);
      this.setAttribute("role", "region");
    }
    return demo;
  }

  /** The demo as a file of one's own. */
  #offer(manifest, url) {
    this.#save = new Save(manifest, url);
    this.#panel.foot.append(this.#save.element);
  }

  /** A control moved: run once it rests. A film takes the news with its next frame. */
  #settle() {
    clearTimeout(this.#settling);
    if (this.#filming) return;
    this.#settling = setTimeout(() => this.#ask(), SETTLE);
  }

  /**
   * What a visitor asks for: a value of theirs, a sample, or another run. A newer wish takes over
   * an older one.
   * @param {(demo: import("./demo.js").LiveDemo) => Promise<() => void>} [choose]
   * @param {boolean} [fresh] with the manifest as it is on the server now
   */
  async #ask(choose, fresh = false) {
    const turn = ++this.#turn;
    const current = () => turn === this.#turn;
    this.#filming?.abort();
    this.#wish = choose;
    if (this.#state === "idle" || this.#state === "failed") this.#setState("detecting");
    try {
      const demo = await this.#describe(fresh);
      const wish = choose ?? (demo.set ? null : (live) => live.pick(0));
      const place = wish && (await wish(demo));
      if (!current()) return;
      place?.();
      this.#panel.showView(demo);
      const done = await this.#session.run((model) => {
        if (current()) this.#begin(model);
        return demo.inputs();
      }, demo.manifest);
      if (!done || !current()) return;
      await this.#finish(demo, done);
      if (!current()) return;
      const holds = await this.model.checked;
      if (!current()) return;
      if (!holds) return void this.#ask();
      this.#panel.report(this.model);
    } catch (error) {
      if (!current() || isAbort(error)) return;
      if (error.code !== "outdated" || fresh) return this.#fail(error);
      this.#forget();
      this.#openSession();
      return this.#ask(choose, true);
    }
  }

  /** A live source, such as a camera: value after value, else one. A second call ends it. */
  async #film() {
    if (this.#filming) return this.#filming.abort();
    const turn = ++this.#turn;
    const { signal } = (this.#filming = new AbortController());
    let source = null;
    try {
      const demo = await this.#describe();
      const { live } = demo;
      source = await live.open(demo.options);
      signal.throwIfAborted();
      if (this.#state === "idle" || this.#state === "failed") this.#setState("detecting");
      const model = await this.#session.open(demo.manifest);
      signal.throwIfAborted();
      const ran = await live.run(model, demo, source, {
        signal,
        onStart: () => signal.aborted || this.#beginFilm(demo, model),
        onRate: (rate) => this.#panel.showRate(rate),
      });
      if (!ran) {
        const file = await live.take(source);
        return void this.#ask((current) => current.take(file));
      }
      if (turn === this.#turn) this.#setState("done");
      announce(live.words.ended);
    } catch (error) {
      if (turn === this.#turn && !isAbort(error)) this.#fail(error);
    } finally {
      source?.stop();
      if (this.#filming?.signal === signal) this.#filming = null;
    }
  }

  #beginFilm(demo, model) {
    this.#setState("live");
    this.#panel.showFilm(demo, model);
    announce(demo.live.words.begun);
  }

  #begin(model) {
    if (this.#state === "ready") {
      announce("The model is ready.");
      this.#emit("ready", { target: model.target, reason: model.reason });
    }
    this.#setState("running");
  }

  async #finish(demo, { inputs, outputs }) {
    const { model } = this.#session;
    const words = await demo.show(inputs, outputs);
    this.#setState("done");
    this.#panel.report(model);
    if (new URLSearchParams(location.search).has("debug")) {
      this.#panel.debug(createProfile(() => model.profile(inputs)));
    }
    announce(words);
    this.#emit("result", { outputs, ms: model.timings.runs.at(-1) });
  }

  #fail(error) {
    this.#setState("failed");
    this.#panel.fail(sentence(error), !this.#faults.includes(error.code));
    this.#emit("error", { code: error.code, message: sentence(error), error });
  }

  #setState(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.setAttribute("state", state);
    this.#panel.setState(state);
    if (state === "fetching") announce("Downloading the model.");
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
