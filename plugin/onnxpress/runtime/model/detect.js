/** Which targets run here, best first, and why the others do not. */
import { PressError } from "../errors.js";
import { TARGETS } from "../targets.js";
import { aboutBuild } from "../targets/common/builds.js";

/**
 * @typedef {import("../targets/contract.d.ts").TargetName} TargetName
 * @typedef {import("../targets/contract.d.ts").Candidate} Candidate
 * @typedef {{target: TargetName, reason: string}} Refused  `reason`: the end of a sentence
 */

/** @type {{threads: number, refusal?: string}} */
const ALONE = { threads: 1 };

/** Best first. @returns {TargetName[]} */
export const targetNames = () => /** @type {TargetName[]} */ (Object.keys(TARGETS));

/**
 * @param {import("../types.js").Manifest} manifest
 * @param {string} target  "auto" or the only target to use
 * @param {{[name in TargetName]?: string}} [avoid]  target -> why "auto" skips it
 * @param {"auto"|number} [threads]  of WebAssembly
 * @returns {Promise<{candidates: Candidate[], refused: Refused[], notes: string[]}>} at least one
 *   candidate
 * @throws {PressError} "target": nothing can run, or the asked target cannot
 */
export async function detect(manifest, target, avoid = {}, threads = "auto") {
  const built = targetNames().filter((name) => name in manifest.targets);
  const auto = target === "auto";
  const tried = auto ? built : built.filter((name) => name === target);
  if (!auto && !tried.length) {
    const choice = ["auto", ...built].join(", ");
    throw new PressError("target",
      `"${target}" is no target of this model; use one of: ${choice}.`);
  }
  /** @type {Candidate[]} */
  const first = [];
  /** @type {Candidate[]} */
  const last = [];
  /** @type {Refused[]} */
  const refused = [];
  /** @type {string[]} */
  const notes = [];
  for (const name of tried) {
    const about = manifest.targets[name], why = avoid[name];
    if (!about) continue;
    if (auto && why) {
      refused.push({ target: name, reason: why });
      continue;
    }
    for (const verdict of await TARGETS[name].probe(about, auto && built.length > 1)) {
      if ("refusal" in verdict) {
        refused.push({ target: name, reason: verdict.refusal });
        continue;
      }
      const { after, ...found } = verdict;
      if (after) refused.push({ target: name, reason: after });
      const several = TARGETS[name].threads?.(threads, aboutBuild(about, found.build)) ?? ALONE;
      if (several.refusal && !notes.includes(several.refusal)) notes.push(several.refusal);
      // Where several threads fail, one is next.
      for (const count of new Set([several.threads, 1])) {
        (after ? last : first).push({ target: name, threads: count, ...found });
      }
    }
  }
  if (!first.length && !last.length) throw nothingRuns(refused);
  return { candidates: [...first, ...last], refused, notes };
}

/** @param {Refused[]} refused */
function nothingRuns(refused) {
  const why = refused.map(({ target, reason }) => `${TARGETS[target].label}: ${reason}`).join("; ");
  return new PressError("target",
    `The model cannot run in this browser (${why}). Try another browser.`);
}

/**
 * @param {{target: TargetName, threads: number}} candidate
 * @returns {string} for a person
 */
export function nameOf({ target, threads }) {
  return threads > 1 ? `${TARGETS[target].label} on ${threads} threads` : TARGETS[target].label;
}

/**
 * @param {Candidate} candidate
 * @param {Refused[]} refused
 * @returns {string} why this target, for a person
 */
export function explain({ target, threads, reason }, refused) {
  const others = refused.filter((other) => other.target !== target)
    .map((other) => `${TARGETS[other.target].label} is not used: ${other.reason}.`);
  return [`${nameOf({ target, threads })}, ${reason}.`, ...others].join(" ");
}
