/** The street in the browser: detect, fetch, prepare, check, run; the next target on failure. */
import { TARGETS } from "../targets.js";
import { aboutBuild } from "../targets/common/builds.js";
import { detect, explain, nameOf } from "./detect.js";
import { PressError, gone, isAbort, sentence } from "../errors.js";
import { Downloads, fetchManifest } from "../load/fetch.js";
import { checkGolden } from "./golden.js";
import { Meter } from "../load/progress.js";
import { pause } from "../load/request.js";
import { openCache } from "../load/store.js";
import { readInputs, writeOutputs } from "../tensors.js";
import { streamWeights } from "../load/weights.js";

const EARLY = 3; // shards that are asked for at once: a fourth connection is the program's
const UNASKED = 500; // ms without a run after which the check takes the first turn
const PAINT = 100; // ms in which a page can show its first result: then the check takes a turn

/**
 * @typedef {import("../types.js").LoadOptions & {avoid?: Object<string, string>, first?: boolean}}
 *   OpenOptions  `avoid`: target -> why "auto" is to skip it; `first`: see firstVisit
 */

/**
 * @param {string} url absolute, of a manifest
 * @param {OpenOptions} [options]
 * @returns {Promise<import("../types.js").Model>} ready to run
 * @throws {PressError} or AbortError
 */
export async function openModel(url, options = {}) {
  const { signal } = options;
  const cache = options.first ? null : openCache();
  const meter = new Meter(options.onProgress);
  const manifest = options.manifest ?? await fetchManifest(url, { signal });
  try {
    return await openManifest(url, manifest, meter, { ...options, cache });
  } catch (error) {
    // Who gave the manifest shows it as well, and has to read the new one.
    if (error?.code !== "outdated" || options.manifest) throw error;
    return openManifest(url, await fetchManifest(url, { signal, fresh: true }), meter, options);
  }
}

async function openManifest(url, manifest, meter, options) {
  const { target = "auto", avoid, onFallback = () => {}, signal, cache } = options;
  const threads = options.threads ?? manifest.demo?.threads;
  const model = new OpenModel(url, manifest, { meter, onFallback, signal });
  await model.start(() => detect(manifest, target, avoid, threads), cache);
  return model;
}

/** @implements {import("../types.js").Model} */
class OpenModel {
  timings = { fetch: 0, prepare: 0, first: 0, runs: [] };
  notes = [];
  /** @type {import("../types.js").Check|null} */
  check = null;
  checked = Promise.resolve(true);
  disposed = false;
  /** Until then a note may come: files are stored for the next visit after the check. */
  stored = Promise.resolve();
  #url;
  #manifest;
  #candidates = [];
  #refused = [];
  #options;
  #at = 0;
  #executable = null;
  #frames = null;
  #tail = Promise.resolve();
  #spare = null; // inputs of a run that is over
  #ranOnce = () => {};

  constructor(url, manifest, options) {
    this.#url = url;
    this.#manifest = manifest;
    this.#options = options;
    this.inputs = manifest.inputs;
    this.outputs = manifest.outputs;
  }

  get target() {
    return this.#candidates[this.#at].target;
  }

  get build() {
    return this.#candidates[this.#at].build;
  }

  get threads() {
    return this.#candidates[this.#at].threads;
  }

  get reason() {
    return explain(this.#candidates[this.#at], this.#refused);
  }

  /** Runs are served in order; one whose signal is aborted before its turn never starts. */
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

  /** Milliseconds of each step. */
  async profile(inputs) {
    const arrays = readInputs(this.inputs, inputs);
    return this.#queue(() => this.#executable.profile(arrays));
  }

  /** On WebGPU: from now on drawFrame() paints that canvas. */
  async openFrames(canvas) {
    const { demo, outputs } = this.#manifest;
    await this.#queue(async () => {
      this.closeFrames();
      if (!this.#executable) await this.open(this.#at);
      if (this.target !== "webgpu" || demo?.task !== "image-to-image") {
        throw new PressError("frames", "openFrames(): only WebGPU paints frames, and only where a " +
          "picture becomes a picture; use run().");
      }
      const { shape } = outputs.find(({ name }) => name === demo.output.name);
      this.#frames = await this.#executable.openFrames(canvas, demo, shape);
    });
  }

  /** Past the queue: on the GPU frames and runs take turns anyway. `frame` is closed. */
  async drawFrame(frame, changed) {
    try {
      if (!this.#frames) throw new PressError("frames", "drawFrame(): no canvas; openFrames() first.");
      await this.#frames.draw(frame, changed);
    } catch (error) {
      if (error?.code === "webgpu-lost") this.#close();
      throw error;
    } finally {
      frame.close?.(); // a texture has none
    }
  }

  async closeFrames() {
    this.#frames?.close();
    this.#frames = null;
  }

  dispose() {
    this.disposed = true;
    this.#close();
  }

  /** Weights are the same for all targets, so they come while it is found out which can run here. */
  async start(detecting, cache) {
    const downloads = this.#download(cache);
    downloads.begin(this.#manifest.weights.shards.slice(0, EARLY));
    try {
      const { candidates, refused, notes } = await detecting();
      this.#candidates = candidates;
      this.#refused = refused;
      notes.forEach((note) => this.#note(note));
    } catch (error) {
      downloads.stop();
      throw error;
    }
    await this.open(0, downloads);
  }

  #download(cache) {
    const { meter, signal } = this.#options;
    return new Downloads(this.#url, publishedFiles(this.#manifest), {
      cache, signal, note: (text) => this.#note(text), onBytes: (bytes) => meter.add(bytes),
    });
  }

  /** Opens the first candidate, from `from` on, that can run here. */
  async open(from, downloads = this.#download()) {
    const { meter } = this.#options;
    try {
      await this.#openNext(from, downloads, (target) => !TARGETS[target].checkedLater);
    } catch (error) {
      downloads.leave();
      throw error;
    }
    this.checked = this.check ? Promise.resolve(true) : this.#checkInTurn(downloads);
    this.stored = this.checked.catch(() => {}).then(() => downloads.release());
    if (this.disposed) this.#close();
    meter.ready();
  }

  /** @param {(target: string) => boolean} checks whether that one has to pass the check first */
  async #openNext(from, downloads, checks) {
    for (this.#at = from; ; this.#at++) {
      try {
        await this.#prepare(this.#candidates[this.#at], downloads);
        if (checks(this.target)) await this.#check();
        return this.#options.signal?.throwIfAborted();
      } catch (error) {
        this.#close();
        if (!isAbort(error)) await downloads.settle();
        await this.#checkAge(error);
        this.#giveUp(error);
      }
    }
  }

  async #prepare({ target, build, threads }, downloads) {
    const about = this.#manifest.targets[target];
    const started = performance.now();
    const files = [...this.#manifest.weights.shards, about.files[build]];
    this.#options.meter.begin(target, files.reduce((sum, { bytes }) => sum + bytes, 0));
    this.check = null;
    const { open } = await TARGETS[target].load();
    this.#executable = await open(
      about, (...wanted) => downloads.file(...wanted), streamWeights(this.#manifest, downloads),
      { build, threads, loadModule: (entry) => downloads.module(entry) });
    const fetched = Math.max(downloads.last, started);
    this.timings = {
      fetch: fetched - downloads.started, prepare: performance.now() - fetched, first: 0, runs: [],
    };
    this.#options.meter.prepared();
  }

  /** @throws {PressError} "golden" */
  async #check() {
    const about = this.#manifest.targets[this.target];
    const golden = aboutBuild(about, this.build).golden ?? this.#manifest.golden;
    const own = { ...golden, ...about.checks?.[this.build] };
    const run = async (arrays) => (await this.#execute(arrays)).outputs;
    this.check = await checkGolden(run, own, this.inputs);
  }

  /**
   * The check, when the first result is on the page; soon where nobody asks for one.
   * @returns {Promise<boolean>} as `checked`
   */
  async #checkInTurn(downloads) {
    const executable = this.#executable;
    const ran = new Promise((resolve) => { this.#ranOnce = resolve; });
    await Promise.race([ran, pause(UNASKED)]);
    await this.#tail;
    await pause(PAINT);
    return this.#queue(async () => {
      if (this.#executable !== executable) return false;
      try {
        await this.#check();
        return true;
      } catch (error) {
        this.#close();
        this.#giveUp(error);
        await this.#openNext(this.#at + 1, downloads, () => true);
        this.checked = Promise.resolve(true);
        return false;
      }
    });
  }

  /** @throws {PressError} "outdated": files are gone because the site has newer ones */
  async #checkAge(error) {
    if (!error?.file || !error.final) return;
    const { signal } = this.#options;
    const now = await fetchManifest(this.#url, { signal, fresh: true }).catch(() => null);
    if (!now || JSON.stringify(now) === JSON.stringify(this.#manifest)) return;
    throw new PressError("outdated", `${error.file}: the site has been published anew since this ` +
      "page was opened, and this file is gone. Reload the page.", { cause: error });
  }

  /** Says why the present target is left; throws where no other can help. */
  #giveUp(error) {
    const weights = this.#manifest.weights.shards.some(({ url }) => url === error?.file);
    const unwanted = isAbort(error) || this.#options.signal?.aborted || this.disposed;
    if (unwanted || weights) throw error;
    const reason = `${nameOf(this.#candidates[this.#at])} failed: ${sentence(error)}`;
    const next = this.#candidates[this.#at + 1];
    if (!next) throw new PressError(error?.code ?? "prepare", reason, { cause: error });
    this.#note(reason);
    const short = sentence(error).replace(/\.$/, "");
    this.#refused.push({ target: this.target, reason: `it failed here (${short})` });
    this.#options.onFallback({ from: this.target, to: next.target, reason });
  }

  /** A lost graphics device is reopened once for the same input; then comes the next target. */
  async #runOrRecover(arrays) {
    if (!this.#executable) await this.open(this.#at);
    for (let lost = false; ;) {
      try {
        const { outputs, ms } = await this.#execute(arrays);
        this.timings.runs.push(ms);
        this.#ranOnce();
        return outputs;
      } catch (error) {
        this.#close();
        const again = error?.code === "webgpu-lost" && !lost;
        lost = true;
        if (!again) this.#giveUp(error);
        await this.open(again ? this.#at : this.#at + 1);
      }
    }
  }

  async #execute(arrays) {
    const started = performance.now();
    const outputs = await this.#executable.run(arrays);
    const ms = performance.now() - started;
    this.timings.first ||= ms;
    return { outputs, ms };
  }

  #close() {
    this.closeFrames();
    this.#executable?.dispose();
    this.#executable = null;
  }

  #note(text) {
    if (!this.notes.includes(text)) this.notes.push(text);
  }

  #queue(job) {
    const turn = this.#tail.then(() => {
      if (!this.disposed) return job();
      throw gone();
    });
    this.#tail = turn.catch(() => {});
    return turn;
  }
}

/** @param {import("../types.js").Manifest} manifest @returns {import("../types.js").FileEntry[]} */
function publishedFiles({ weights, targets }) {
  return [...weights.shards, ...Object.values(targets).flatMap(({ files }) => Object.values(files))];
}
