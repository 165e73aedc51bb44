/** A model that lives in a worker, seen from the page. */
import { gone, isAbort, unpackError } from "../errors.js";
import { Host } from "./host.js";
import { openModel } from "./model.js";
import { TARGETS } from "../targets.js";

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
  const wanted = (name) => target === name || (target === "auto" && !options.avoid?.[name]);
  const [first] = Object.keys(TARGETS)
    .filter((name) => wanted(name) && TARGETS[name].pageOnly?.(hello));
  if (first) {
    const here = await openModel(url, { ...options, target: first }).catch((error) => {
      if (target === first || UNFINISHED.has(error.code)) throw error;
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
    model.leave(isAbort(error) || UNFINISHED.has(error.code));
    throw error;
  }
}

/** Codes of errors after which another try needs only the files that are not here yet. */
const UNFINISHED = new Set(["download", "integrity", "outdated"]);

/** @implements {import("../types.js").Model} */
class RemoteModel {
  #host = Host.get();
  #about = {};
  #stored = false;
  #checking = null;
  #events = {
    about: (value) => { this.#about = value; },
    checked: ({ holds, error, about }) => {
      this.#about = about;
      if (error) this.#checking?.reject(unpackError(error));
      else this.#checking?.resolve(holds);
      this.#checking = null;
    },
    stored: () => { this.#stored = true; },
    gone: (error) => this.#checking?.reject(error),
  };
  #key = this.#host.join((event, value) => this.#events[event]?.(value));

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

  open(url, { target, threads, avoid, first, manifest, onProgress, onFallback, signal }) {
    Object.assign(this.#events, { onProgress, onFallback });
    const options = { target, threads, avoid, first, manifest };
    return this.#host.call(this.#key, { call: "open", url, options }, signal);
  }

  run(inputs, { signal } = {}) {
    return this.#host.call(this.#key, { call: "run", inputs }, signal);
  }

  profile(inputs) {
    return this.#host.call(this.#key, { call: "profile", inputs });
  }

  openFrames(canvas) {
    return this.#host.call(this.#key, { call: "openFrames", canvas }, undefined, [canvas]);
  }

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

  /** @param {boolean} unfinished its downloads were, or what is kept of them */
  leave(unfinished) {
    this.#host.leave(this.#key, unfinished);
    this.#checking?.reject(gone());
  }
}

function pending() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  made.promise.catch(() => {}); // where nobody waits for it
  return made;
}
