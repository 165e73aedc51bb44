/** Which targets run here, best first, and why the others do not. */
import { PressError } from "../errors.js";
import { threadsHere } from "../targets/wasm/threads.js";

export const LABELS = { webgpu: "WebGPU", wasm: "WebAssembly", js: "JavaScript" };
const ALONE = { threads: 1 };
const ORDER = ["webgpu", "wasm", "js"];
const WORTH = 1e9; // multiply-adds: for fewer, finding out what is faster costs several runs

// (module (func (result v128) (i32x4.splat (i32.const 0))))
const SIMD = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0,
  10, 8, 1, 6, 0, 65, 0, 253, 17, 11,
];
// (module (func (result v128) (f32x4.relaxed_madd x x x))), x as above
const RELAXED = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0,
  10, 19, 1, 17, 0, 65, 0, 253, 17, 65, 0, 253, 17, 65, 0, 253, 17, 253, 133, 2, 11,
];

/**
 * @typedef {{build: string, reason: string, after?: string, spare?: string} | {refusal: string}}
 *   Verdict  `after`: why every other target comes first; `spare`: the build that comes next
 * @typedef {import("../types.js").Manifest["targets"][string]} Target
 */

/**
 * @param {Target} target
 * @param {boolean} choosing between targets
 * @returns {Promise<Verdict>}
 */
async function probeWebgpu({ files }, choosing) {
  if (!globalThis.navigator?.gpu) return { refusal: "this browser does not offer WebGPU here" };
  const { probe } = await import("../targets/webgpu.js");
  const { ok, reason, software, kind, features } = await probe();
  if (!ok) return { refusal: reason };
  let after = software && "the processor only emulates a graphics device here";
  if (!after && choosing) {
    const race = import("../targets/webgpu/probe.js");
    after = await race.then(({ whyLast }) => whyLast()).catch(() => "");
  }
  if (after) return { build: kind, reason: `though ${after}`, after };
  const half = `${kind}-f16`; // Float16Array rounds weights that are stored in f32
  if (half in files && features.includes("shader-f16") && globalThis.Float16Array) {
    return { build: half, spare: kind, reason: "the graphics processor is the fastest way, in f16" };
  }
  return { build: kind, reason: "the graphics processor is the fastest way" };
}

/** The build in f32, before it one of whole numbers where that is faster. @param {Target} target */
async function probeWasm(target) {
  const plain = probeFloats(target.files);
  if (plain.refusal || !target.arithmetic || target.work.f32 < WORTH) return plain;
  // What cannot be timed is not taken; f32 runs in any case.
  const found = await import("../targets/wasm/probe.js")
    .then(({ fastestBuild }) => fastestBuild(target, plain.build)).catch(() => null);
  if (!found) return plain;
  const speed = found.speed.toFixed(1);
  const reason = `with products of whole numbers, about ${speed} times as fast here as in f32`;
  return [{ build: found.build, reason }, plain];
}

/** The facts on a build: its target's, and those of its arithmetic where that is not f32. */
export function aboutBuild(target, build) {
  return { ...target, ...target.arithmetic?.[build.split("-")[0]] };
}

/** @param {Object<string, unknown>} files @returns {Verdict} */
function probeFloats(files) {
  if (typeof WebAssembly !== "object") {
    return { refusal: "this browser has WebAssembly switched off" };
  }
  try {
    // A content security policy without 'wasm-unsafe-eval' shows only when a module is made.
    new WebAssembly.Module(new Uint8Array(SIMD.slice(0, 8)));
  } catch {
    return { refusal: "the page's content security policy does not allow it" };
  }
  if (files.relaxed && WebAssembly.validate(new Uint8Array(RELAXED))) {
    return { build: "relaxed", reason: "with fused vector arithmetic (relaxed SIMD)" };
  }
  if (files.simd128 && WebAssembly.validate(new Uint8Array(SIMD))) {
    return { build: "simd128", reason: "with vector arithmetic (SIMD)" };
  }
  return { refusal: "this browser's WebAssembly has no vector arithmetic (SIMD)" };
}

const PROBES = {
  webgpu: probeWebgpu,
  wasm: probeWasm,
  js: () => ({ build: "module", reason: "which runs everywhere" }),
};

/**
 * @param {import("../types.js").Manifest} manifest
 * @param {string} target "auto" or the one target to use
 * @param {Object<string, string>} [avoid] target -> why "auto" skips it
 * @param {"auto"|number} [threads] of WebAssembly
 * @returns {Promise<{candidates: import("../types.js").Candidate[],
 *   refused: {target: string, reason: string}[], notes: string[]}>} at least one candidate
 * @throws {PressError} "target": nothing can run, or not what was asked for
 */
export async function detect(manifest, target, avoid = {}, threads = "auto") {
  const built = ORDER.filter((name) => name in manifest.targets);
  const auto = target === "auto";
  if (!auto && !built.includes(target)) {
    const choice = ["auto", ...built].join(", ");
    throw new PressError("target",
      `"${target}" is no target of this model; use one of: ${choice}.`);
  }
  const first = [], last = [], refused = [], notes = [];
  for (const name of auto ? built : [target]) {
    if (auto && avoid[name]) {
      refused.push({ target: name, reason: avoid[name] });
      continue;
    }
    const about = manifest.targets[name];
    for (const verdict of [await PROBES[name](about, auto && built.length > 1)].flat()) {
      const { refusal, after, spare, ...found } = verdict;
      if (refusal || after) refused.push({ target: name, reason: refusal ?? after });
      if (refusal) continue;
      const several = name === "wasm" ? threadsHere(threads, aboutBuild(about, found.build)) : ALONE;
      if (several.refusal && !notes.includes(several.refusal)) notes.push(several.refusal);
      // Where several threads fail, one is next.
      for (const count of new Set([several.threads, 1])) {
        (after ? last : first).push({ target: name, threads: count, ...found });
      }
      if (spare) {
        const reason = "the graphics processor, in f32";
        first.push({ target: name, threads: 1, build: spare, reason });
      }
    }
  }
  if (!first.length && !last.length) throw nothingRuns(refused);
  return { candidates: [...first, ...last], refused, notes };
}

/** @param {{target: string, reason: string}[]} refused */
function nothingRuns(refused) {
  const why = refused.map(({ target, reason }) => `${LABELS[target]}: ${reason}`).join("; ");
  return new PressError("target",
    `The model cannot run in this browser (${why}). Try another browser.`);
}

/** @param {import("../types.js").Candidate} candidate @returns {string} for a person */
export function nameOf({ target, threads }) {
  return threads > 1 ? `${LABELS[target]} on ${threads} threads` : LABELS[target];
}

/**
 * @param {import("../types.js").Candidate} candidate
 * @param {{target: string, reason: string}[]} refused
 * @returns {string} why this target, for a person
 */
export function explain({ target, threads, reason }, refused) {
  const others = refused.filter((other) => other.target !== target)
    .map((other) => `${LABELS[other.target]} is not used: ${other.reason}.`);
  return [`${nameOf({ target, threads })}, ${reason}.`, ...others].join(" ");
}
