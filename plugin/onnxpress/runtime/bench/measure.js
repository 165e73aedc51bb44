/** A pack measured on one target: for the command in a browser and in Node, and for visitors. */
import { goldenInputs } from "../golden.js";
import { median } from "../format.js";
import { writeOutputs } from "../tensors.js";
import { measurePeak } from "./peak.js";

const WARM = 1000; // ms at most that runs are not counted

/**
 * @typedef {Object} Facts
 * @property {string} target
 * @property {string} build
 * @property {string} reason  a sentence: why this target
 * @property {{load_ms: number, first_ms: number, median_ms: number, min_ms: number,
 *   count: number}} run  `load_ms`: from the call of load() until the golden check's run, which is
 *   the first one; the others take arrays to arrays, after warm-up
 * @property {{gflops: number, what: string}} peak  of this machine
 * @property {{label: string, ms: number, flops: number, bytes: number}[]} steps  the best of
 *   `count` measurements each
 */

/**
 * @param {typeof import("../onnxpress.js").load} load
 * @param {string} url of the manifest
 * @param {import("../types.js").Manifest} manifest  the one at `url`
 * @param {number} count of runs, and of measurements of each step
 * @param {import("../types.js").LoadOptions} options
 * @returns {Promise<Facts>}
 * @throws {PressError} or AbortError
 */
export async function measure(load, url, manifest, count, options) {
  const started = performance.now();
  const model = await load(url, { ...options, manifest });
  try {
    const ready = performance.now() - started;
    const { target, build, reason, timings: { first } } = model;
    const feeds = writeOutputs(model.inputs, goldenInputs(manifest.golden, model.inputs));
    await timeRuns(model, feeds, count, performance.now() + WARM);
    const runs = await timeRuns(model, feeds, count);
    const profiles = [];
    for (let i = 0; i < count; i++) profiles.push(await model.profile(feeds));
    options.signal?.throwIfAborted();
    return {
      target, build, reason,
      run: { load_ms: ready - first, first_ms: first, median_ms: median(runs),
        min_ms: Math.min(...runs), count },
      peak: await measurePeak(build),
      steps: manifest.targets[target].steps.map(([label, flops, bytes], i) => (
        { label, ms: Math.min(...profiles.map((steps) => steps[i].ms)), flops, bytes })),
    };
  } finally {
    model.dispose();
  }
}

/** Milliseconds of each of `count` runs, or of those begun before `end`. */
async function timeRuns(model, feeds, count, end = Infinity) {
  const times = [];
  while (times.length < count && performance.now() < end) {
    const started = performance.now();
    await model.run(feeds);
    times.push(performance.now() - started);
  }
  return times;
}
