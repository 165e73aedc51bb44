/** A pack measured on one target: for the command in a browser and in Node, and for visitors. */
import { median } from "../format.js";
import { goldenInputs } from "../golden.js";
import { writeOutputs } from "../tensors.js";
import { measurePeak } from "./peak.js";

const WARM = 1000; // ms at most of runs that are not counted

/**
 * Pages that are not isolated have clocks of 0.1 ms, too coarse for a step; what they round away
 * comes back in the mean of many measurements.
 */
const COARSE = globalThis.crossOriginIsolated === false;
const MORE = 10; // times as many

/**
 * @typedef {Object} Facts
 * @property {string} target
 * @property {string} build
 * @property {string} reason  a sentence: why this target
 * @property {{load_ms: number, first_ms: number, median_ms: number, min_ms: number,
 *   count: number}} run  `load_ms`: from the call of load() until the golden check's run, which is
 *   the first one; the others take arrays to arrays, after warm-up
 * @property {{gflops: number, what: string}} peak  of this machine
 * @property {{label: string, ms: number, flops: number, bytes: number}[]} steps  the best
 *   measurement of each; their mean where clocks are coarse
 */

/**
 * @param {typeof import("../onnxpress.js").load} load
 * @param {string} url of the manifest
 * @param {import("../types.js").Manifest} manifest  the one at `url`
 * @param {import("../types.js").LoadOptions} options
 * @param {number} count of runs, and of measurements of each step
 * @param {number} [patience] ms after which no further one of either begins
 * @returns {Promise<Facts>}
 * @throws {PressError} or AbortError
 */
export async function measure(load, url, manifest, options, count, patience = Infinity) {
  const started = performance.now();
  const model = await load(url, { ...options, manifest });
  try {
    const ready = performance.now() - started;
    const { target, build, reason, timings: { first } } = model;
    const feeds = writeOutputs(model.inputs, goldenInputs(manifest.golden, model.inputs));
    const { signal } = options;
    const run = () => timed(() => model.run(feeds, { signal }));
    await repeat(run, count, Math.min(WARM, patience), signal);
    const runs = await repeat(run, count, patience, signal);
    const profiles = await repeat(
      () => model.profile(feeds), COARSE ? MORE * count : count, patience, signal);
    const typical = COARSE ? mean : (times) => Math.min(...times);
    return {
      target, build, reason,
      run: { load_ms: ready - first, first_ms: first, median_ms: median(runs),
        min_ms: Math.min(...runs), count: runs.length },
      peak: await measurePeak(target, build),
      steps: manifest.targets[target].steps.map(([label, flops, bytes = 0], i) => (
        { label, ms: typical(profiles.map((steps) => steps[i].ms)), flops, bytes })),
    };
  } finally {
    model.dispose();
  }
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** What `job` gives each time: `count` times, or as often as it begins within `patience` ms. */
async function repeat(job, count, patience, signal) {
  const found = [];
  const end = performance.now() + patience;
  do {
    signal?.throwIfAborted();
    found.push(await job());
  } while (found.length < count && performance.now() < end);
  return found;
}

/** Milliseconds. */
async function timed(job) {
  const started = performance.now();
  await job();
  return performance.now() - started;
}
