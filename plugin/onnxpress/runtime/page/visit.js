/** From a visitor's wish to an answer in the panel: one demo, from its manifest to its end. */
import { announce } from "../dom/announce.js";
import { factsOf, isAbort, sentence } from "../errors.js";
import { fetchManifest } from "../load/fetch.js";
import { Session } from "../model/session.js";
import { createDemo } from "./demo.js";
import { createProfile } from "./profile.js";

const SETTLE = 120; // ms without a new change before controls run the model
const LOADING = new Set(["detecting", "fetching", "preparing"]);

/**
 * @typedef {import("../types.js").Manifest} Manifest
 * @typedef {import("../types.js").Model} Model
 * @typedef {import("./demo.js").LiveDemo} LiveDemo
 * @typedef {(demo: LiveDemo) => Promise<() => void>} Choose  reads a value; the result hands it
 *   over
 *
 * @typedef {"idle"|"detecting"|"fetching"|"preparing"|"ready"|"running"|"live"|"done"|"failed"}
 *   State
 *
 * @typedef {Object} Host  The element that shows the demo.
 * @property {import("./panel.js").Panel} panel
 * @property {string} url  of the manifest, absolute
 * @property {() => string} target  "auto" or the target to use
 * @property {typeof import("../api.d.ts").load} load
 * @property {(manifest: Manifest, demo: LiveDemo) => void} onDemo  the manifest has come
 * @property {() => void} onForget  it is outdated
 * @property {(state: State) => void} onState
 * @property {(type: string, detail: unknown) => void} emit  an event
 */

export class Visit {
  /** @type {State} */
  state = "idle";
  #host;
  #session;
  /** @type {Promise<LiveDemo>|null} */
  #demo = null;
  /** Codes of errors that another try does not mend. @type {string[]} */
  #faults = [];
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #settling;
  /** @type {AbortController|null} */
  #filming = null;
  #turn = 0;
  /** @type {Choose|undefined} */
  #wish;
  #over = false;

  /** @param {Host} host */
  constructor(host) {
    this.#host = host;
    this.#session = this.#newSession();
  }

  /** @returns {Model|null} once it is ready */
  get model() {
    return this.#session.model;
  }

  get busy() {
    return LOADING.has(this.state) || this.state === "running";
  }

  close() {
    this.#over = true;
    this.#turn++;
    clearTimeout(this.#settling);
    this.#filming?.abort();
    this.#session.close();
    this.#setState("idle");
  }

  /** Another target was chosen. */
  retarget() {
    const asked = this.state !== "idle";
    this.#renew();
    if (asked) this.ask();
  }

  /**
   * A page that is left lets go of connections and locks.
   * @returns {(() => void)|null} begins again when the page comes back; null where nothing was
   *   loading
   */
  sleep() {
    if (!LOADING.has(this.state)) return null;
    this.#turn++;
    this.#renew();
    this.#setState("idle");
    const wish = this.#wish;
    return () => {
      if (!this.#over && this.state === "idle") this.ask(wish);
    };
  }

  #renew() {
    this.#filming?.abort();
    this.#session.close();
    this.#session = this.#newSession();
  }

  #newSession() {
    const { url, load, panel, emit } = this.#host;
    /** Whatever the attribute says: load() refuses other words. */
    const target = /** @type {"auto"} */ (this.#host.target());
    return new Session(url, load, {
      target, worker: true,
      onProgress: (progress) => {
        this.#setState(progress.state);
        panel.setProgress(progress);
        emit("progress", progress);
      },
      onFallback: (fallback) => {
        announce(fallback.reason);
        emit("fallback", fallback);
      },
    });
  }

  /** @returns {Promise<LiveDemo>} after the manifest, nothing heavier */
  describe(fresh = false) {
    this.#demo ??= this.#readDemo(fresh).catch((error) => {
      this.#demo = null;
      throw error;
    });
    return this.#demo;
  }

  /** @param {boolean} fresh  with the manifest as it is on the server now */
  async #readDemo(fresh) {
    const { url, onDemo } = this.#host;
    const manifest = await fetchManifest(url, { fresh });
    const demo = await createDemo(manifest, url, () => this.#settle());
    if (!this.#over) {
      this.#faults = demo.given?.faults ?? [];
      onDemo(manifest, demo);
    }
    return demo;
  }

  /**
   * A control moved: the model runs once it rests. A live source takes the news with its next
   * value.
   */
  #settle() {
    clearTimeout(this.#settling);
    if (this.#filming) return;
    this.#settling = setTimeout(() => this.ask(), SETTLE);
  }

  /**
   * What a visitor asks for: a value of theirs, a sample, or another run. A newer wish takes over
   * an older one.
   * @param {Choose} [choose]
   * @param {boolean} [fresh]  with the manifest as it is on the server now
   * @returns {Promise<void>}
   */
  async ask(choose, fresh = false) {
    const { panel, onForget } = this.#host;
    const turn = ++this.#turn;
    const current = () => turn === this.#turn;
    this.#filming?.abort();
    this.#wish = choose;
    if (this.state === "idle" || this.state === "failed") this.#setState("detecting");
    try {
      const demo = await this.describe(fresh);
      const wish = choose ?? (demo.set ? null : (/** @type {LiveDemo} */ live) => live.pick(0));
      const place = wish && (await wish(demo));
      if (!current()) return;
      place?.();
      panel.showView(demo);
      const done = await this.#session.run((model) => {
        if (current()) this.#begin(model);
        return demo.inputs();
      }, demo.manifest);
      const { model } = this;
      if (!done || !model || !current()) return;
      await this.#finish(demo, model, done);
      if (!current()) return;
      const holds = await model.checked;
      if (!current()) return;
      if (!holds) return void this.ask();
      panel.report(model);
    } catch (error) {
      if (!current() || isAbort(error)) return;
      if (factsOf(error).code !== "outdated" || fresh) return this.#fail(error);
      this.#demo = null;
      this.#faults = [];
      onForget();
      this.#renew();
      return this.ask(choose, true);
    }
  }

  /** A live source, such as a camera: value after value, or only one. A second call ends it. */
  async film() {
    if (this.#filming) return this.#filming.abort();
    const turn = ++this.#turn;
    const { signal } = (this.#filming = new AbortController());
    let source = null;
    try {
      const demo = await this.describe();
      const { live } = demo;
      if (!live) return;
      source = await live.open(demo.options);
      signal.throwIfAborted();
      if (this.state === "idle" || this.state === "failed") this.#setState("detecting");
      const model = await this.#session.open(demo.manifest);
      signal.throwIfAborted();
      const ran = await live.run(model, demo, source, {
        signal,
        onStart: () => signal.aborted || this.#beginFilm(demo, model, live.words),
        onRate: (rate) => this.#host.panel.showRate(rate),
      });
      if (!ran) {
        const file = await live.take(source);
        return void this.ask((current) => current.take(file));
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

  /**
   * @param {LiveDemo} demo
   * @param {Model} model
   * @param {import("../kinds/contract.d.ts").Live["words"]} words
   */
  #beginFilm(demo, model, words) {
    this.#setState("live");
    this.#host.panel.showFilm(demo, model, words.hint);
    announce(words.begun);
  }

  /** @param {Model} model */
  #begin(model) {
    if (this.state === "ready") {
      announce("The model is ready.");
      this.#host.emit("ready", { target: model.target, reason: model.reason });
    }
    this.#setState("running");
  }

  /**
   * @param {LiveDemo} demo
   * @param {Model} model
   * @param {{inputs: import("../model/session.js").Arrays,
   *   outputs: import("../model/session.js").Arrays}} done
   */
  async #finish(demo, model, { inputs, outputs }) {
    const { panel, emit } = this.#host;
    const words = await demo.show(inputs, outputs);
    this.#setState("done");
    panel.report(model);
    if (new URLSearchParams(location.search).has("debug")) {
      panel.debug(createProfile(() => model.profile(inputs)));
    }
    announce(words);
    emit("result", { outputs, ms: model.timings.runs.at(-1) });
  }

  /** @param {unknown} error */
  #fail(error) {
    const { code } = factsOf(error);
    this.#setState("failed");
    this.#host.panel.fail(sentence(error), !code || !this.#faults.includes(code));
    this.#host.emit("error", { code, message: sentence(error), error });
  }

  /** @param {State} state */
  #setState(state) {
    if (state === this.state) return;
    this.state = state;
    this.#host.onState(state);
    this.#host.panel.setState(state);
    if (state === "fetching") announce("Downloading the model.");
  }
}
