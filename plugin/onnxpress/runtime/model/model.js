/** The street in the browser: detect, fetch, prepare, check, run; the next target on failure. */
import { factsOf, gone } from "../errors.js";
import { fetchManifest } from "../load/fetch.js";
import { requireManifest } from "../load/manifest.js";
import { Meter } from "../load/progress.js";
import { pause } from "../load/request.js";
import { openCache } from "../load/store.js";
import { TARGETS } from "../targets.js";
import { readInputs, writeOutputs } from "../tensors.js";
import { detect } from "./detect.js";
import { Program } from "./program.js";

const UNASKED = 500; // ms without a run after which the check takes the first turn
const PAINT = 100; // ms in which a page can show its first result: then the check takes a turn

/**
 * @typedef {import("../types.js").Model} Model
 * @typedef {import("../types.js").Manifest} Manifest
 * @typedef {import("../load/fetch.js").Downloads} Downloads
 *
 * @typedef {Omit<import("../types.js").LoadOptions, "target"> & {target?: string,
 *   avoid?: {[name in import("../api.d.ts").TargetName]?: string}, first?: boolean,
 *   planFrames?: import("../targets/contract.d.ts").PlanFrames}} OpenOptions  `target`: not checked
 *   yet; `avoid`: target -> why "auto" is to skip it; `first`: see firstVisit
 */

/**
 * @param {string} url absolute, of a manifest
 * @param {OpenOptions} [options]
 * @returns {Promise<OpenModel>} ready to run
 * @throws {PressError} or AbortError
 */
export async function openModel(url, options = {}) {
  const { signal } = options;
  const cache = options.first ? null : openCache();
  const meter = new Meter(options.onProgress);
  const manifest = options.manifest ? requireManifest(options.manifest, url)
    : await fetchManifest(url, { signal });
  try {
    return await openManifest(url, manifest, meter, options, cache);
  } catch (error) {
    // A caller that gave the manifest shows it as well, and has to read the new one.
    if (factsOf(error).code !== "outdated" || options.manifest) throw error;
    return openManifest(url, await fetchManifest(url, { signal, fresh: true }), meter, options);
  }
}

/**
 * @param {string} url
 * @param {Manifest} manifest
 * @param {Meter} meter
 * @param {OpenOptions} options
 * @param {Promise<Cache|null>|null} [cache] see Downloads
 */
async function openManifest(url, manifest, meter, options, cache) {
  const { target = "auto", avoid, onFallback = () => {}, signal, planFrames } = options;
  const threads = options.threads ?? manifest.demo?.threads;
  const model = new OpenModel(url, manifest, { meter, onFallback, signal, planFrames });
  await model.start(() => detect(manifest, target, avoid, threads), cache);
  return model;
}

/** @implements {Model} */
export class OpenModel {
  /** @type {Promise<boolean>} */
  checked = Promise.resolve(true);
  /**
   * Settles when all files are stored for the next visit, after the check: until then a note may
   * come.
   */
  stored = Promise.resolve();
  #program;
  #meter;
  /** @type {Promise<unknown>} */
  #tail = Promise.resolve();
  /** Inputs of a run that is over. @type {Float32Array[]|null} */
  #spare = null;
  #ranOnce = () => {};

  /**
   * @param {string} url
   * @param {Manifest} manifest
   * @param {import("./program.js").Options} options
   */
  constructor(url, manifest, options) {
    this.#program = new Program(url, manifest, options);
    this.#meter = options.meter;
    this.inputs = manifest.inputs;
    this.outputs = manifest.outputs;
  }

  get target() { return this.#program.candidate.target; }
  get build() { return this.#program.candidate.build; }
  get threads() { return this.#program.candidate.threads; }
  get reason() { return this.#program.reason; }
  get notes() { return this.#program.notes; }
  get timings() { return this.#program.timings; }
  get check() { return this.#program.check; }

  /**
   * Runs are served in order; a run whose signal is aborted before its turn never starts.
   * @type {Model["run"]}
   */
  async run(inputs, { signal } = {}) {
    const arrays = readInputs(this.inputs, inputs, this.#spare);
    this.#spare = null;
    const outputs = await this.#queue(() => {
      signal?.throwIfAborted();
      return this.#runOrRecover(arrays);
    });
    this.#spare = arrays;
    signal?.throwIfAborted();
    return writeOutputs(this.outputs, outputs);
  }

  /** @type {Model["profile"]} */
  async profile(inputs) {
    const arrays = readInputs(this.inputs, inputs);
    return this.#queue(() => this.#program.opened.profile(arrays));
  }

  /** @type {(canvas: import("../targets/contract.d.ts").FrameCanvas) => Promise<void>} */
  async openFrames(canvas) {
    await this.#queue(async () => {
      this.#program.closeFrames();
      if (!this.#program.executable) await this.#open();
      await this.#program.openFrames(canvas);
    });
  }

  /**
   * It waits for no turn: on the GPU frames and runs take turns anyway.
   * @type {Model["drawFrame"]}
   */
  async drawFrame(frame, changed) {
    try {
      await this.#program.drawFrame(frame, changed);
    } catch (error) {
      if (factsOf(error).code === "webgpu-lost") this.#program.close();
      throw error;
    } finally {
      if ("close" in frame) frame.close(); // a texture has no such function
    }
  }

  async closeFrames() {
    this.#program.closeFrames();
  }

  dispose() {
    this.#program.disposed = true;
    this.#program.close();
  }

  /**
   * @param {() => ReturnType<typeof detect>} detecting
   * @param {Promise<Cache|null>|null} [cache] see Downloads
   */
  async start(detecting, cache) {
    await this.#open(await this.#program.find(detecting, cache));
  }

  /** @param {Downloads} [downloads] */
  async #open(downloads = this.#program.download()) {
    try {
      await this.#program.open(downloads, ({ target }) => !TARGETS[target].checkedLater);
    } catch (error) {
      downloads.leave();
      throw error;
    }
    this.checked = this.check ? Promise.resolve(true) : this.#checkInTurn(downloads);
    this.stored = this.checked.catch(() => {}).then(() => downloads.release());
    if (this.#program.disposed) this.#program.close();
    this.#meter.ready();
  }

  /**
   * Makes the check when the first result is on the page, or soon where nobody asks for one.
   * @param {Downloads} downloads
   * @returns {Promise<boolean>} as `checked`
   */
  async #checkInTurn(downloads) {
    const program = this.#program;
    const { executable } = program;
    /** @type {Promise<void>} */
    const ran = new Promise((resolve) => { this.#ranOnce = resolve; });
    await Promise.race([ran, pause(UNASKED)]);
    await this.#tail;
    await pause(PAINT);
    return this.#queue(async () => {
      if (program.executable !== executable) return false;
      try {
        await program.checkNow();
        return true;
      } catch (error) {
        program.close();
        program.giveUp(error);
        await program.open(downloads, () => true);
        this.checked = Promise.resolve(true);
        return false;
      }
    });
  }

  /**
   * A lost graphics device is reopened once for the same input; then comes the next target.
   * @param {Float32Array[]} arrays of all inputs
   */
  async #runOrRecover(arrays) {
    const program = this.#program;
    if (!program.executable) await this.#open();
    for (let lost = false; ;) {
      try {
        const { outputs, ms } = await program.execute(arrays);
        program.timings.runs.push(ms);
        this.#ranOnce();
        return outputs;
      } catch (error) {
        program.close();
        const again = factsOf(error).code === "webgpu-lost" && !lost;
        lost = true;
        if (!again) program.giveUp(error);
        await this.#open();
      }
    }
  }

  /**
   * @template T
   * @param {() => Promise<T>} job
   * @returns {Promise<T>}
   */
  #queue(job) {
    const turn = this.#tail.then(() => {
      if (!this.#program.disposed) return job();
      throw gone();
    });
    this.#tail = turn.catch(() => {});
    return turn;
  }
}
