/** Which targets run here, best first, and why the others do not. */
import { PressError } from "../errors.js";
import { TARGETS } from "../targets.js";
import { aboutBuild } from "../targets/common/builds.js";

const ALONE = { threads: 1 };

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
  const built = Object.keys(TARGETS).filter((name) => name in manifest.targets);
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
    for (const verdict of [await TARGETS[name].probe(about, auto && built.length > 1)].flat()) {
      const { refusal, after, spare, ...found } = verdict;
      if (refusal || after) refused.push({ target: name, reason: refusal ?? after });
      if (refusal) continue;
      const several = TARGETS[name].threads?.(threads, aboutBuild(about, found.build)) ?? ALONE;
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
  const why = refused.map(({ target, reason }) => `${TARGETS[target].label}: ${reason}`).join("; ");
  return new PressError("target",
    `The model cannot run in this browser (${why}). Try another browser.`);
}

/** @param {import("../types.js").Candidate} candidate @returns {string} for a person */
export function nameOf({ target, threads }) {
  return threads > 1 ? `${TARGETS[target].label} on ${threads} threads` : TARGETS[target].label;
}

/**
 * @param {import("../types.js").Candidate} candidate
 * @param {{target: string, reason: string}[]} refused
 * @returns {string} why this target, for a person
 */
export function explain({ target, threads, reason }, refused) {
  const others = refused.filter((other) => other.target !== target)
    .map((other) => `${TARGETS[other.target].label} is not used: ${other.reason}.`);
  return [`${nameOf({ target, threads })}, ${reason}.`, ...others].join(" ");
}
