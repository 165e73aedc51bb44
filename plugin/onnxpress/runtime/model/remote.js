/** A model that lives in a worker, seen from the page. */
import { factsOf, gone, isAbort, unpackError } from "../errors.js";
import { TARGETS } from "../targets.js";
import { targetNames } from "./detect.js";
import { Host } from "./host.js";
import { openModel } from "./model.js";

/** Codes of errors after which another try needs only the files that are not here yet. */
const UNFINISHED = new Set(["download", "integrity", "outdated"]);

/** @param {unknown} error @returns {boolean} */
const isUnfinished = (error) => UNFINISHED.has(factsOf(error).code ?? "");

/**
 * Same as openModel, off the page's thread. Where the browser has WebGPU in pages only, or refuses
 * the worker, the model runs on the page's thread.
 * @param {string} url absolute
 * @param {import("./model.js").OpenOptions} options
 * @returns {Promise<import("../types.js").Model>}
 */
export async function openInWorker(url, options) {
  const { signal, target } = options;
  signal?.throwIfAborted();
  const model = new RemoteModel();
  const hello = await model.hello;
  if (!hello) {
    model.dispose();
    const here = await openModel(url, options);
    here.notes.push("The browser refused a worker, so the model runs on the page's own thread.");
    return here;
  }
  /** @param {import("../targets/contract.d.ts").TargetName} name */
  const wanted = (name) => target === name || (target === "auto" && !options.avoid?.[name]);
  const first = targetNames().find((name) => wanted(name) && TARGETS[name].pageOnly?.(hello));
  if (first) {
    const here = await openModel(url, { ...options, target: first }).catch((error) => {
      if (target === first || isUnfinished(error)) throw error;
      return null;
    });
    if (here) {
      model.dispose();
      return here;
    }
  }
  try {
    await model.open(url, options);
    return model;
  } catch (error) {
    model.leave(isAbort(error) || isUnfinished(error));
    throw error;
  }
}

/**
 * @typedef {import("../types.js").Model} Model
 * @typedef {import("./protocol.d.ts").About} About
 * @typedef {{promise: Promise<boolean>, resolve: (holds: boolean) => void,
 *   reject: (error: unknown) => void}} Pending
 */

/** @implements {Model} */
class RemoteModel {
  #host = Host.get();
  /** Empty until the model is open. */
  #about = /** @type {About} */ ({});
  #stored = false;
  /** @type {Pending|null} */
  #checking = null;
  /** @type {import("./protocol.d.ts").Events} */
  #events = {
    about: (value) => { this.#about = value; },
    checked: ({ holds = false, error, about }) => {
      this.#about = about;
      if (error) this.#checking?.reject(unpackError(error));
      else this.#checking?.resolve(holds);
      this.#checking = null;
    },
    stored: () => { this.#stored = true; },
    gone: (error) => { this.#checking?.reject(error); },
  };
  #key = this.#host.join(this.#events);

  get hello() { return this.#host.hello; }
  get target() { return this.#about.target; }
  get build() { return this.#about.build; }
  get threads() { return this.#about.threads; }
  get reason() { return this.#about.reason; }
  get notes() { return this.#about.notes; }
  get timings() { return this.#about.timings; }
  get check() { return this.#about.check; }
  get checked() {
    if (this.check) return Promise.resolve(true);
    this.#checking ??= pending();
    return this.#checking.promise;
  }
  get inputs() { return this.#about.inputs; }
  get outputs() { return this.#about.outputs; }

  /** @param {string} url @param {import("./model.js").OpenOptions} options */
  open(url, { target, threads, avoid, first, manifest, onProgress, onFallback, signal }) {
    Object.assign(this.#events, { onProgress, onFallback });
    const options = { target, threads, avoid, first, manifest };
    return this.#host.call(this.#key, { call: "open", url, options }, signal);
  }

  /** @type {Model["run"]} */
  run(inputs, { signal } = {}) {
    return this.#host.call(this.#key, { call: "run", inputs }, signal);
  }

  /** @type {Model["profile"]} */
  profile(inputs) {
    return this.#host.call(this.#key, { call: "profile", inputs });
  }

  /** @type {Model["openFrames"]} */
  openFrames(canvas) {
    return this.#host.call(this.#key, { call: "openFrames", canvas }, undefined, [canvas]);
  }

  /** @param {VideoFrame|ImageBitmap} frame @param {Object<string, Float32Array>} changed */
  drawFrame(frame, changed) {
    return this.#host.call(this.#key, { call: "drawFrame", frame, changed }, undefined, [frame])
      .finally(() => frame.close()); // where it has not left the page
  }

  closeFrames() {
    return this.#host.call(this.#key, { call: "closeFrames" });
  }

  dispose() {
    this.leave(!this.#stored);
  }

  /** @param {boolean} unfinished  whether files are not stored yet, which another try could use */
  leave(unfinished) {
    this.#host.leave(this.#key, unfinished);
    this.#checking?.reject(gone());
  }
}

/** @returns {Pending} */
function pending() {
  /** @type {Partial<Pending>} */
  const made = {};
  const promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  promise.catch(() => {}); // nobody may wait for it
  return /** @type {Pending} */ (Object.assign(made, { promise }));
}
