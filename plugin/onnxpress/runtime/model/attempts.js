/**
 * Targets whose preparation took the page down with it (phones end a page that takes too much
 * memory). A mark is set before and taken away after; one found on arrival tells of a crash.
 */
import { TARGETS } from "../targets.js";

const KEY = "onnxpress:preparing:";

/** A memory of this tab; where the page may not store (sandboxed frames) it forgets. */
const memory = {
  read(key) {
    try {
      return sessionStorage.getItem(key) ?? "";
    } catch {
      return "";
    }
  },
  write(key, value) {
    try {
      if (value) sessionStorage.setItem(key, value);
      else sessionStorage.removeItem(key);
    } catch {
      // Forgetting costs one more try of a target after a crash.
    }
  },
};

/** Of this page, by manifest: targets that took an earlier one down, and those in preparation. */
const known = new Map();

/**
 * @param {string} url the manifest's
 * @returns {{avoid: Object<string, string>, mark: (target: string) => void, clear: () => void}}
 *   `avoid`: target -> why, for openModel
 */
export function watchAttempts(url) {
  const key = KEY + url;
  if (!known.has(key)) {
    const crashed = memory.read(key).split(" ").filter((target) => target in TARGETS);
    known.set(key, { crashed, preparing: [] });
  }
  const { crashed, preparing } = known.get(key);
  let marked;
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
  const mark = (target) => {
    if (target === marked) return;
    addEventListener("pagehide", clear);
    set(target);
  };
  const why = "the page broke off while preparing it last time";
  return { avoid: Object.fromEntries(crashed.map((target) => [target, why])), mark, clear };
}
