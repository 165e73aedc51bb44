/** A pack measured on one target: for the command in a browser and in Node, and for visitors. */
import { median } from "../page/format.js";
import { goldenInputs } from "../model/golden.js";
import { aboutBuild } from "../targets/common/builds.js";
import { writeOutputs } from "../tensors.js";
import { measurePeak } from "./peak.js";

const WARM = 1000; // ms of runs that are not counted: engines optimize what has run for a while

// ms: the clock of pages that are not isolated and of Chromium's timestamps, and Dawn's timestamps
// (2^16 ns). Such clocks are too coarse for a step; what they round away comes back in the mean of
// many measurements, and the median of some means leaves out those that were disturbed.
const TICKS = [0.1, 0.065536];
const MORE = 10; // times as many measurements
const MEANS = 10;

/**
 * @typedef {Object} Facts
 * @property {string} target
 * @property {string} build
 * @property {string} reason  a sentence: why this target
 * @property {{load_ms: number, first_ms: number, median_ms: number, min_ms: number,
 *   count: number}} run  `load_ms`: from the call of load() until the golden check's run, which is
 *   the first one; the others take arrays to arrays, after warm-up
 * @property {{gflops: number, what: string}} peak  of this machine
 * @property {{what: "best"|"median of means", count: number}} each  how a step's time comes from
 *   its measurements; means where clocks are coarse
 * @property {{label: string, ms: number, flops: number, bytes: number}[]} steps
 */

/**
 * @param {typeof import("../onnxpress.js").load} load
 * @param {string} url of the manifest
 * @param {import("../types.js").Manifest} manifest  the one at `url`
 * @param {import("../types.js").LoadOptions} options  by default one thread, as its peak is one's
 * @param {number} count of runs, and of measurements of each step
 * @param {number} [patience] ms after which no further one of either begins
 * @returns {Promise<Facts>}
 * @throws {PressError} or AbortError
 */
export async function measure(load, url, manifest, options, count, patience = Infinity) {
  const started = performance.now();
  const model = await load(url, { threads: 1, ...options, manifest });
  try {
    const ready = performance.now() - started - model.timings.first;
    const feeds = writeOutputs(model.inputs, goldenInputs(manifest.golden, model.inputs));
    const { signal } = options;
    const run = () => timed(() => model.run(feeds, { signal }));
    await run();
    await model.checked;
    const { target, build, reason, timings: { first } } = model;
    await repeat(run, Infinity, Math.min(WARM, patience), signal);
    const runs = await repeat(run, count, patience, signal);
    const profile = async () => (await model.profile(feeds)).map(({ ms }) => ms);
    const coarse = isCoarse(await profile());
    const profiles = await repeat(profile, coarse ? MORE * count : count, patience, signal);
    const typical = coarse ? medianOfMeans : (times) => Math.min(...times);
    return {
      target, build, reason,
      run: { load_ms: ready, first_ms: first, median_ms: median(runs),
        min_ms: Math.min(...runs), count: runs.length },
      peak: await measurePeak(target, build),
      each: { what: coarse ? "median of means" : "best", count: profiles.length },
      steps: aboutBuild(manifest.targets[target], build).steps.map(([label, flops, bytes = 0], i) => (
        { label, ms: typical(profiles.map((times) => times[i])), flops, bytes })),
    };
  } finally {
    model.dispose();
  }
}

/** Whether all times are whole ticks. @param {number[]} times */
function isCoarse(times) {
  const whole = (ms, tick) => Math.abs(ms / tick - Math.round(ms / tick)) < 1e-6;
  return TICKS.some((tick) => times.every((ms) => whole(ms, tick)));
}

/** @param {number[]} times  of one step, in the order measured */
function medianOfMeans(times) {
  const size = Math.ceil(times.length / MEANS);
  const means = [];
  for (let at = 0; at < times.length; at += size) means.push(mean(times.slice(at, at + size)));
  return median(means);
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
