/** A pack measured on one target: for the command in a browser and in Node, and for visitors. */
import { median } from "../dom/format.js";
import { goldenInputs } from "../model/golden.js";
import { aboutBuild } from "../targets/common/builds.js";
import { writeOutputs } from "../tensors.js";
import { measurePeak } from "./peak.js";

const WARM = 1000; // ms of runs that do not count: engines optimize code that has run for a while

// ms: the clock of pages that are not isolated and of Chromium's timestamps; Dawn's timestamps
// (2^16 ns). Such clocks are too coarse for a step. The mean of many measurements makes up for
// their rounding, and the median of several means leaves out disturbed ones.
const TICKS = [0.1, 0.065536];
const MORE = 10; // times as many measurements with such a clock
const MEANS = 10;

/**
 * @typedef {Object} Facts
 * @property {import("../api.d.ts").TargetName} target
 * @property {string} build
 * @property {string} reason  a sentence: why this target
 * @property {RunTimes} run
 * @property {import("./peak.js").Peak} peak  of this machine
 * @property {{what: "best"|"median of means", count: number}} each  how a step's time comes from
 *   its measurements
 * @property {{label: string, ms: number, flops: number, bytes: number}[]} steps  `flops`:
 *   floating-point operations; `bytes`: that the step reads and writes
 *
 * @typedef {Object} RunTimes
 * @property {number} load_ms  from the call of load() until the first run
 * @property {number} first_ms  of the first run: the golden check's, or the first of ours
 * @property {number} median_ms  of the runs after warm-up, from arrays to arrays
 * @property {number} min_ms  the fastest of these runs
 * @property {number} count  of these runs
 */

/**
 * @param {typeof import("../api.d.ts").load} load
 * @param {string} url  of the manifest
 * @param {import("../types.js").Manifest} manifest  the manifest at `url`
 * @param {import("../types.js").LoadOptions} options  by default one thread: `peak` is one thread's
 * @param {number} count  of runs, and of measurements of each step
 * @param {number} [patience]  ms; then no further run and no further measurement begins
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
    const typical = coarse ? medianOfMeans : best;
    const about = manifest.targets[target];
    const steps = about ? aboutBuild(about, build).steps : [];
    return {
      target, build, reason,
      run: { load_ms: ready, first_ms: first, median_ms: median(runs),
        min_ms: Math.min(...runs), count: runs.length },
      peak: await measurePeak(target, build),
      each: { what: coarse ? "median of means" : "best", count: profiles.length },
      steps: steps.map(([label, flops, bytes = 0], i) => (
        { label, ms: typical(profiles.map((times) => times[i])), flops, bytes })),
    };
  } finally {
    model.dispose();
  }
}

/** Whether all times are whole ticks. @param {number[]} times */
function isCoarse(times) {
  /** @param {number} ms @param {number} tick */
  const whole = (ms, tick) => Math.abs(ms / tick - Math.round(ms / tick)) < 1e-6;
  return TICKS.some((tick) => times.every((ms) => whole(ms, tick)));
}

/** @param {number[]} times */
const best = (times) => Math.min(...times);

/** @param {number[]} times  of one step, in the order measured */
function medianOfMeans(times) {
  const size = Math.ceil(times.length / MEANS);
  const means = [];
  for (let at = 0; at < times.length; at += size) means.push(mean(times.slice(at, at + size)));
  return median(means);
}

/** @param {number[]} values */
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/**
 * Repeats a job `count` times, or as often as it can begin within `patience` ms, but at least once.
 * @template T
 * @param {() => Promise<T>} job
 * @param {number} count
 * @param {number} patience
 * @param {AbortSignal} [signal]
 * @returns {Promise<T[]>} the job's answers
 */
async function repeat(job, count, patience, signal) {
  const found = [];
  const end = performance.now() + patience;
  do {
    signal?.throwIfAborted();
    found.push(await job());
  } while (found.length < count && performance.now() < end);
  return found;
}

/** @param {() => Promise<unknown>} job @returns {Promise<number>} milliseconds */
async function timed(job) {
  const started = performance.now();
  await job();
  return performance.now() - started;
}
