/** One model for one element: opened at most once at a time, and only the newest input matters. */
import { isAbort } from "../errors.js";

export class Session {
  #url;
  #load;
  #options;
  #opening = null;
  #closing = new AbortController();
  #running = new AbortController();
  /** @type {import("../types.js").Model|null} */
  model = null;

  /**
   * @param {string} url of the manifest
   * @param {(url: string, options: import("../types.js").LoadOptions) =>
   *   Promise<import("../types.js").Model>} load
   * @param {import("../types.js").LoadOptions} options
   */
  constructor(url, load, options) {
    this.#url = url;
    this.#load = load;
    this.#options = options;
  }

  /**
   * @param {import("../types.js").Manifest} [manifest] the one at the URL, where it is known already
   * @returns {Promise<import("../types.js").Model>} the same one until it is closed or fails
   */
  open(manifest) {
    const { signal } = this.#closing;
    this.#opening ??= this.#load(this.#url, { ...this.#options, manifest, signal })
      .then((model) => {
        if (signal.aborted) model.dispose();
        signal.throwIfAborted();
        return (this.model = model);
      })
      .catch((error) => {
        this.#opening = null;
        throw error;
      });
    return this.#opening;
  }

  /**
   * @param {(model: import("../types.js").Model) => Object<string, ArrayBufferView>} prepare gives
   *   the inputs; called when the model is ready
   * @param {import("../types.js").Manifest} [manifest] as in `open`
   * @returns {Promise<{inputs: Object, outputs: Object}|null>} null where a newer run took over
   */
  async run(prepare, manifest) {
    this.#running.abort();
    const { signal } = (this.#running = new AbortController());
    try {
      const model = await this.open(manifest);
      if (signal.aborted) return null;
      const inputs = prepare(model);
      return { inputs, outputs: await model.run(inputs, { signal }) };
    } catch (error) {
      // An outdated run's fault is nobody's concern any more.
      if (signal.aborted || isAbort(error)) return null;
      if (error.code === "disposed") this.#opening = this.model = null; // its worker has failed
      throw error;
    }
  }

  /** Frees the device, the worker and the memory; what is under way ends as outdated. */
  close() {
    this.#running.abort();
    this.#closing.abort();
    this.model?.dispose();
    this.model = null;
  }
}
