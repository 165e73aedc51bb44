/** One model for one element: opened at most once at a time, and only the newest input matters. */
import { factsOf, isAbort } from "../errors.js";

/**
 * @typedef {import("../types.js").Model} Model
 * @typedef {import("../types.js").Manifest} Manifest
 * @typedef {import("../types.js").LoadOptions} LoadOptions
 * @typedef {Object<string, import("../api.d.ts").TypedArray>} Arrays  by the port's name
 */

export class Session {
  #url;
  #load;
  #options;
  /** @type {Promise<Model>|null} */
  #opening = null;
  #closing = new AbortController();
  #running = new AbortController();
  /** @type {Model|null} */
  model = null;

  /**
   * @param {string} url of the manifest
   * @param {(url: string, options: LoadOptions) => Promise<Model>} load
   * @param {LoadOptions} options
   */
  constructor(url, load, options) {
    this.#url = url;
    this.#load = load;
    this.#options = options;
  }

  /**
   * @param {Manifest} [manifest]  the manifest at the URL, where it is known already
   * @returns {Promise<Model>} the same model until it is closed or fails
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
   * @param {(model: Model) => Arrays} prepare  gives the inputs when the model is ready
   * @param {Manifest} [manifest]  as in `open`
   * @returns {Promise<{inputs: Arrays, outputs: Arrays}|null>} null where a newer run took over
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
      // Nobody waits for an outdated run any more, so nobody is told of its fault.
      if (signal.aborted || isAbort(error)) return null;
      const failed = factsOf(error).code === "disposed"; // its worker has
      if (failed) this.#opening = this.model = null;
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
