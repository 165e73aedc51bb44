/** The program that runs a model here: of the candidates, the first one that works. */
import { PressError, factsOf, gone, isAbort, sentence } from "../errors.js";
import { Downloads, fetchManifest } from "../load/fetch.js";
import { streamWeights } from "../load/weights.js";
import { TARGETS } from "../targets.js";
import { aboutBuild } from "../targets/common/builds.js";
import { explain, nameOf } from "./detect.js";
import { checkGolden } from "./golden.js";

const EARLY = 3; // shards that are asked for at once: a fourth connection is the program's

/**
 * @typedef {import("../types.js").Manifest} Manifest
 * @typedef {import("../targets/contract.d.ts").Candidate} Candidate
 * @typedef {import("../targets/contract.d.ts").Executable} Executable
 *
 * @typedef {Object} Options
 * @property {import("../load/progress.js").Meter} meter
 * @property {NonNullable<import("../types.js").LoadOptions["onFallback"]>} onFallback
 * @property {AbortSignal} [signal]
 * @property {import("../targets/contract.d.ts").PlanFrames} [planFrames]
 */

export class Program {
  /** @type {import("../types.js").Timings} */
  timings = { fetch: 0, prepare: 0, first: 0, runs: [] };
  /** @type {string[]} */
  notes = [];
  /** @type {import("../types.js").Check|null} */
  check = null;
  disposed = false;
  /** Null until a candidate is open, and after it has failed. @type {Executable|null} */
  executable = null;
  #url;
  #manifest;
  #options;
  /** @type {Candidate[]} */
  #candidates = [];
  /** @type {import("./detect.js").Refused[]} */
  #refused = [];
  #at = 0;
  /** @type {import("../targets/contract.d.ts").Frames|null} */
  #frames = null;

  /** @param {string} url of the manifest @param {Manifest} manifest @param {Options} options */
  constructor(url, manifest, options) {
    this.#url = url;
    this.#manifest = manifest;
    this.#options = options;
  }

  /** The candidate that is open, or will be next. @returns {Candidate} */
  get candidate() {
    return this.#candidates[this.#at];
  }

  /** @returns {string} why this candidate, for a person */
  get reason() {
    return explain(this.candidate, this.#refused);
  }

  /**
   * Finds the candidates. Weights are the same for all targets, so they come meanwhile.
   * @param {() => ReturnType<typeof import("./detect.js").detect>} detecting
   * @param {Promise<Cache|null>|null} [cache] see Downloads
   * @returns {Promise<Downloads>} for `open`
   */
  async find(detecting, cache) {
    const downloads = this.download(cache);
    downloads.begin(this.#manifest.weights.shards.slice(0, EARLY));
    try {
      const { candidates, refused, notes } = await detecting();
      this.#candidates = candidates;
      this.#refused = refused;
      notes.forEach((note) => this.note(note));
      return downloads;
    } catch (error) {
      downloads.stop();
      throw error;
    }
  }

  /** @param {Promise<Cache|null>|null} [cache] see Downloads */
  download(cache) {
    const { meter, signal } = this.#options;
    return new Downloads(this.#url, publishedFiles(this.#manifest), {
      cache, signal, note: (text) => this.note(text), onBytes: (bytes) => meter.add(bytes),
    });
  }

  /**
   * Opens the candidate, or the next one that works.
   * @param {Downloads} downloads
   * @param {(candidate: Candidate) => boolean} checks  whether it has to pass the check first
   * @throws {PressError} none works; AbortError
   */
  async open(downloads, checks) {
    for (;;) {
      try {
        await this.#prepare(this.candidate, downloads);
        if (checks(this.candidate)) await this.checkNow();
        return this.#options.signal?.throwIfAborted();
      } catch (error) {
        this.close();
        if (!isAbort(error)) await downloads.settle();
        await this.#checkAge(error);
        this.giveUp(error);
      }
    }
  }

  /** @param {Candidate} candidate @param {Downloads} downloads */
  async #prepare({ target, build, threads }, downloads) {
    const about = this.#facts(target);
    const started = performance.now();
    const files = [...this.#manifest.weights.shards, about.files[build]];
    this.#options.meter.begin(target, files.reduce((sum, { bytes }) => sum + bytes, 0));
    this.check = null;
    const { open } = await TARGETS[target].load();
    this.executable = await open(
      about, (entry, onPart) => downloads.file(entry, onPart),
      streamWeights(this.#manifest, downloads),
      { build, threads, loadModule: (entry) => downloads.module(entry) });
    const fetched = Math.max(downloads.last, started);
    this.timings = {
      fetch: fetched - downloads.started, prepare: performance.now() - fetched, first: 0, runs: [],
    };
    this.#options.meter.prepared();
  }

  /** @param {Candidate["target"]} target @returns {import("../types.js").Target} */
  #facts(target) {
    const facts = this.#manifest.targets[target];
    if (facts) return facts;
    throw new PressError("manifest", `the manifest has no target "${target}"`);
  }

  /** @throws {PressError} "golden" */
  async checkNow() {
    const { target, build } = this.candidate;
    const about = this.#facts(target);
    const golden = aboutBuild(about, build).golden ?? this.#manifest.golden;
    /** @type {Partial<import("../types.js").WebgpuTarget>} */
    const { checks } = about;
    /** @param {Float32Array[]} arrays */
    const run = async (arrays) => (await this.execute(arrays)).outputs;
    this.check = await checkGolden(run, { ...golden, ...checks?.[build] }, this.#manifest.inputs);
  }

  /**
   * @param {Float32Array[]} arrays of all inputs
   * @returns {Promise<{outputs: Float32Array[], ms: number}>}
   */
  async execute(arrays) {
    const started = performance.now();
    const outputs = await this.opened.run(arrays);
    const ms = performance.now() - started;
    this.timings.first ||= ms;
    return { outputs, ms };
  }

  /** @returns {Executable} @throws {PressError} "disposed": nothing is open */
  get opened() {
    if (this.executable) return this.executable;
    throw gone();
  }

  /**
   * @param {import("../targets/contract.d.ts").FrameCanvas} canvas
   * @throws {PressError} "frames": only WebGPU paints frames, and only answers that are pictures
   */
  async openFrames(canvas) {
    const { demo, outputs } = this.#manifest;
    const plan = demo && await this.#options.planFrames?.(demo, outputs);
    if (!this.opened.openFrames || !plan) {
      throw new PressError("frames", "openFrames(): only WebGPU paints frames, and only answers " +
        "that are pictures; use run().");
    }
    this.#frames = await this.opened.openFrames(canvas, plan);
  }

  /**
   * @param {import("../targets/contract.d.ts").Frame} frame
   * @param {Object<string, Float32Array>} changed
   * @throws {PressError} "frames": no canvas is open
   */
  async drawFrame(frame, changed) {
    if (!this.#frames) {
      throw new PressError("frames", "drawFrame(): no canvas; openFrames() first.");
    }
    await this.#frames.draw(frame, changed);
  }

  closeFrames() {
    this.#frames?.close();
    this.#frames = null;
  }

  close() {
    this.closeFrames();
    this.executable?.dispose();
    this.executable = null;
  }

  /**
   * @param {unknown} error
   * @throws {PressError} "outdated": files are gone because the site has newer ones
   */
  async #checkAge(error) {
    const { file, final } = factsOf(error);
    if (!file || !final) return;
    const { signal } = this.#options;
    const now = await fetchManifest(this.#url, { signal, fresh: true }).catch(() => null);
    if (!now || JSON.stringify(now) === JSON.stringify(this.#manifest)) return;
    throw new PressError("outdated", `${file}: the site has been published anew since this ` +
      "page was opened, and this file is gone. Reload the page.", { cause: error });
  }

  /**
   * Leaves the candidate for the next one, and notes why.
   * @param {unknown} error
   * @throws {unknown} no other candidate can help
   */
  giveUp(error) {
    const { file, code = "prepare" } = factsOf(error);
    const weights = this.#manifest.weights.shards.some(({ url }) => url === file);
    const unwanted = isAbort(error) || this.#options.signal?.aborted || this.disposed;
    if (unwanted || weights) throw error;
    const { target } = this.candidate;
    const reason = `${nameOf(this.candidate)} failed: ${sentence(error)}`;
    const next = this.#candidates[this.#at + 1];
    if (!next) throw new PressError(code, reason, { cause: error });
    this.note(reason);
    const short = sentence(error).replace(/\.$/, "");
    this.#refused.push({ target, reason: `it failed here (${short})` });
    this.#options.onFallback({ from: target, to: next.target, reason });
    this.#at++;
  }

  /** @param {string} text */
  note(text) {
    if (!this.notes.includes(text)) this.notes.push(text);
  }
}

/** @param {Manifest} manifest @returns {import("../types.js").FileEntry[]} */
function publishedFiles({ weights, targets }) {
  const programs = Object.values(targets).flatMap(({ files }) => Object.values(files));
  return [...weights.shards, ...programs];
}
