/**
 * Targets whose preparation took the page down with it (phones end a page that takes too much
 * memory). A mark is set before a preparation and taken away after it; a mark that a new page finds
 * tells of a crash.
 */
import { targetNames } from "./detect.js";

/** @typedef {import("../targets/contract.d.ts").TargetName} TargetName */

const KEY = "onnxpress:preparing:";

/** A memory of this tab. Where the page may not store (sandboxed frames), it forgets. */
const memory = {
  /** @param {string} key */
  read(key) {
    try {
      return sessionStorage.getItem(key) ?? "";
    } catch {
      return "";
    }
  },
  /** @param {string} key @param {string} value */
  write(key, value) {
    try {
      if (value) sessionStorage.setItem(key, value);
      else sessionStorage.removeItem(key);
    } catch {
      // Forgetting costs one more try of a target after a crash.
    }
  },
};

/**
 * By manifest: the targets that took an earlier page down, and the targets in preparation on this
 * one.
 * @type {Map<string, {crashed: TargetName[], preparing: string[]}>}
 */
const known = new Map();

/** @param {string} key @returns {{crashed: TargetName[], preparing: string[]}} */
function recall(key) {
  const marks = memory.read(key).split(" ");
  return { crashed: targetNames().filter((target) => marks.includes(target)), preparing: [] };
}

/**
 * @param {string} url  the manifest's
 * @returns {{avoid: {[name in TargetName]?: string}, mark: (target: string) => void,
 *   clear: () => void}} `avoid`: target -> why, for openModel
 */
export function watchAttempts(url) {
  const key = KEY + url;
  const attempts = known.get(key) ?? recall(key);
  known.set(key, attempts);
  const { crashed, preparing } = attempts;
  /** @type {string|undefined} */
  let marked;
  /** @param {string|undefined} target */
  const set = (target) => {
    if (marked) preparing.splice(preparing.indexOf(marked), 1);
    if (target) preparing.push(target);
    marked = target;
    memory.write(key, [...new Set([...crashed, ...preparing])].join(" "));
  };
  const clear = () => {
    removeEventListener("pagehide", clear);
    set(undefined);
  };
  /** @param {string} target */
  const mark = (target) => {
    if (target === marked) return;
    addEventListener("pagehide", clear);
    set(target);
  };
  const why = "the page broke off while preparing it last time";
  return { avoid: Object.fromEntries(crashed.map((target) => [target, why])), mark, clear };
}
