/** The street in the browser: detect, fetch, prepare, check, run; the next target on failure. */
import { open as openWasm } from "./backends/wasm.js";
import { aboutBuild, detect, explain, nameOf } from "./detect.js";
import { PressError, isAbort, sentence } from "./errors.js";
import { Downloads, fetchManifest } from "./fetch.js";
import { goldenError, goldenInputs } from "./golden.js";
import { Meter } from "./progress.js";
import { readInputs, writeOutputs } from "./tensors.js";
import { streamWeights } from "./weights.js";

const BACKENDS = {
  webgpu: () => import("./backends/webgpu.js"),
  wasm: async () => ({ open: openWasm }),
  js: () => import("./backends/js.js"),
};

/**
 * @param {string} url absolute, of a manifest
 * @param {import("./types.js").LoadOptions & {avoid?: Object<string, string>}} [options]
 *   `avoid`: target -> why "auto" is to skip it
 * @returns {Promise<import("./types.js").Model>} ready to run, checked against its golden outputs
 * @throws {PressError} or AbortError
 */
export async function openModel(url, options = {}) {
  const { signal } = options;
  const meter = new Meter(options.onProgress);
  const manifest = options.manifest ?? await fetchManifest(url, { signal });
  try {
    return await openManifest(url, manifest, meter, options);
  } catch (error) {
    // Who gave the manifest shows it as well, and has to read the new one.
    if (error?.code !== "outdated" || options.manifest) throw error;
    return openManifest(url, await fetchManifest(url, { signal, fresh: true }), meter, options);
  }
}

async function openManifest(url, manifest, meter, options) {
  const { target = "auto", avoid, onFallback = () => {}, signal } = options;
  const threads = options.threads ?? manifest.demo?.threads;
  const found = await detect(manifest, target, avoid, threads);
  const model = new OpenModel(url, manifest, found, { meter, onFallback, signal });
  await model.open(0);
  return model;
}

/** @implements {import("./types.js").Model} */
class OpenModel {
  timings = { fetch: 0, prepare: 0, first: 0, runs: [] };
  check = { maxError: 0, tolerance: 0, metric: "peak" };
  disposed = false;
  /** Until then a note may come: files are stored for the next visit after the model is ready. */
  stored = Promise.resolve();
  #url;
  #manifest;
  #candidates;
  #refused;
  #options;
  #at = 0;
  #executable = null;
  #frames = null;
  #tail = Promise.resolve();

  constructor(url, manifest, { candidates, refused, notes }, options) {
    this.#url = url;
    this.#manifest = manifest;
    this.#candidates = candidates;
    this.#refused = refused;
    this.notes = notes;
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
    const arrays = readInputs(this.inputs, inputs);
    const outputs = await this.#queue(() => {
      signal?.throwIfAborted();
      return this.#runOrRecover(arrays);
    });
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

  /** Opens the first candidate, from `from` on, that prepares and passes the golden check. */
  async open(from) {
    const { meter, signal } = this.#options;
    const downloads = new Downloads(this.#url, publishedFiles(this.#manifest), {
      signal, note: (text) => this.#note(text), onBytes: (bytes) => meter.add(bytes),
    });
    for (this.#at = from; ; this.#at++) {
      try {
        await this.#prepare(this.#candidates[this.#at], downloads);
        signal?.throwIfAborted();
        this.stored = downloads.release();
        if (this.disposed) this.#close();
        return meter.ready();
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
    const { open } = await BACKENDS[target]();
    this.#executable = await open(
      about, (entry) => downloads.file(entry), streamWeights(this.#manifest, downloads),
      { build, threads, loadModule: (entry) => downloads.module(entry) });
    const fetched = Math.max(downloads.last, started);
    this.timings = {
      fetch: fetched - started, prepare: performance.now() - fetched, first: 0, runs: [],
    };
    this.#options.meter.prepared();
    const golden = aboutBuild(about, build).golden ?? this.#manifest.golden;
    await this.#checkGolden({ ...golden, ...about.checks?.[build] });
  }

  /** @throws {PressError} "golden" */
  async #checkGolden(golden) {
    const arrays = goldenInputs(golden, this.#manifest.inputs);
    const started = performance.now();
    const outputs = await this.#executable.run(arrays);
    this.timings.first = performance.now() - started;
    const maxError = goldenError(golden, outputs);
    this.check = { maxError, tolerance: golden.tolerance, metric: golden.metric };
    if (maxError <= golden.tolerance) return;
    throw new PressError("golden", "on this device its results differ from the reference by " +
      `${maxError.toPrecision(2)} (${golden.metric}), and only ${golden.tolerance} is allowed`);
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
      const started = performance.now();
      try {
        const outputs = await this.#executable.run(arrays);
        this.timings.runs.push(performance.now() - started);
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
      throw new PressError("disposed", "run(): the model is disposed; load() it again.");
    });
    this.#tail = turn.catch(() => {});
    return turn;
  }
}

/** @param {import("./types.js").Manifest} manifest @returns {import("./types.js").FileEntry[]} */
function publishedFiles({ weights, targets }) {
  return [...weights.shards, ...Object.values(targets).flatMap(({ files }) => Object.values(files))];
}
