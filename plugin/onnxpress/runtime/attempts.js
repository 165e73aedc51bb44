/**
 * Targets whose preparation took the page down with it (phones end a page that takes too much
 * memory). A mark is set before and taken away after; one found on arrival tells of a crash.
 */
import { LABELS } from "./detect.js";

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

/**
 * @param {string} url the manifest's
 * @returns {{avoid: Object<string, string>, mark: (target: string) => void, clear: () => void}}
 *   `avoid`: target -> why, for openModel
 */
export function watchAttempts(url) {
  const key = KEY + url;
  const crashed = memory.read(key).split(" ").filter((target) => target in LABELS);
  const why = "the page broke off while preparing it last time";
  let marked;
  const clear = () => {
    removeEventListener("pagehide", clear);
    memory.write(key, crashed.join(" "));
    marked = undefined;
  };
  const mark = (target) => {
    if (target === marked) return;
    addEventListener("pagehide", clear);
    memory.write(key, [...new Set([...crashed, target])].join(" "));
    marked = target;
  };
  return { avoid: Object.fromEntries(crashed.map((target) => [target, why])), mark, clear };
}
