/** A model that lives in a worker, seen from the page. */
import { startWorker } from "./carried.js";
import { PressError, unpackError } from "./errors.js";
import { openModel } from "./model.js";

/**
 * Same as openModel, off the page's thread. Where the browser has WebGPU in pages only, or refuses
 * the worker, the model runs on the page's thread.
 * @param {string} url absolute
 * @param {import("./types.js").LoadOptions & {avoid?: Object<string, string>}} options
 * @returns {Promise<import("./types.js").Model>}
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
  const wanted = target === "webgpu" || (target === "auto" && !options.avoid?.webgpu);
  if (wanted && navigator.gpu && !hello.gpu) {
    const here = await openModel(url, { ...options, target: "webgpu" }).catch((error) => {
      if (target === "webgpu" || error.code === "download") throw error;
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
    model.dispose();
    throw error;
  }
}

/** @implements {import("./types.js").Model} */
class RemoteModel {
  #worker;
  #calls = new Map();
  #count = 0;
  #events = {};
  #about = {};

  constructor() {
    /** What the worker can do, or null if the browser refuses it. */
    this.hello = new Promise((resolve) => {
      this.#events.hello = resolve;
      try {
        this.#worker = startWorker();
      } catch {
        return resolve(null);
      }
      this.#worker.addEventListener("error", (event) => {
        resolve(null);
        this.#fail(new PressError("prepare", event.message || "the worker failed"));
      });
    });
    this.#worker?.addEventListener("message", ({ data }) => this.#receive(data));
  }

  get target() { return this.#about.target; }
  get build() { return this.#about.build; }
  get reason() { return this.#about.reason; }
  get notes() { return this.#about.notes; }
  get timings() { return this.#about.timings; }
  get check() { return this.#about.check; }
  get inputs() { return this.#about.inputs; }
  get outputs() { return this.#about.outputs; }

  open(url, { target, avoid, onProgress, onFallback, signal }) {
    this.#events.onProgress = onProgress;
    this.#events.onFallback = onFallback;
    return this.#call({ call: "open", url, options: { target, avoid } }, signal);
  }

  run(inputs, { signal } = {}) {
    return this.#call({ call: "run", inputs }, signal);
  }

  profile(inputs) {
    return this.#call({ call: "profile", inputs });
  }

  dispose() {
    this.#worker?.terminate();
    this.#worker = null;
    this.#fail(new PressError("disposed", "run(): the model is disposed; load() it again."));
  }

  #call(message, signal) {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const id = ++this.#count;
      this.#calls.set(id, { resolve, reject });
      signal?.addEventListener("abort", () => {
        this.#worker?.postMessage({ cancel: id });
        this.#calls.delete(id);
        reject(signal.reason);
      }, { once: true });
      if (!this.#worker) return this.dispose();
      this.#worker.postMessage({ id, ...message });
    });
  }

  #receive({ event, id, value, error, about }) {
    if (event) return this.#events[event]?.(value);
    if (about) this.#about = about;
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (error) call?.reject(unpackError(error));
    else call?.resolve(value);
  }

  #fail(error) {
    for (const { reject } of this.#calls.values()) reject(error);
    this.#calls.clear();
  }
}
