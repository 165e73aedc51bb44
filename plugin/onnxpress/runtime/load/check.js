/**
 * Whether a manifest is what the rest of the runtime relies on; says the same as pack/values.py.
 */
import { SHAPES } from "./shapes.js";

/**
 * @typedef {string | [string, ...any[]]} Shape  "text", "count", ..., the name of a record in
 *   SHAPES, or a list that begins with its kind; see onnxpress/manifest/checks.py
 */
/** @typedef {{place: string, what: string}} Fault  `place` as in "targets.wasm.files" */

const CLIPPED = 40; // characters of a wrong value that a message shows

/** @type {Object<string, [string, (value: any) => boolean]>} */
const PLAIN = {
  text: ["a text", (value) => typeof value === "string"],
  number: ["a number", (value) => Number.isFinite(value)],
  count: ["a whole number of at least 0", (value) => Number.isSafeInteger(value) && value >= 0],
  flag: ["true or false", (value) => typeof value === "boolean"],
  nothing: ["null", (value) => value === null],
};

/**
 * @param {Shape} shape
 * @param {any} value as JSON.parse gives it
 * @param {string} [place] where the value stands
 * @returns {Fault|null} the first thing that is wrong
 */
export function faultOf(shape, value, place = "") {
  const [kind, ...parts] = typeof shape === "string" ? [shape] : shape;
  const inside = (/** @type {string} */ key) => (place ? `${place}.${key}` : key);
  const wrong = () => ({ place, what: `it must be ${words(shape)}, not ${shown(value)}` });
  if (kind === "either") {
    const found = parts.map((option) => faultOf(option, value, place));
    if (found.includes(null)) return null;
    return found.find((fault) => fault?.place !== place) ?? wrong();
  }
  if (kind in PLAIN) return PLAIN[kind][1](value) ? null : wrong();
  if (kind === "word") return parts.includes(value) ? null : wrong();
  if (kind === "list" || kind === "tuple") {
    if (!Array.isArray(value)) return wrong();
    if (kind === "tuple" && value.length !== parts.length) return wrong();
    return first(value.entries(), ([i, part]) =>
      faultOf(parts[kind === "tuple" ? i : 0], part, `${place}[${i}]`));
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return wrong();
  if (kind === "table") {
    return first(Object.entries(value), ([key, part]) => faultOf(parts[0], part, inside(key)));
  }
  if (kind === "tagged") {
    const [tag, records] = parts;
    const known = typeof value[tag] === "string" && Object.hasOwn(records, value[tag]);
    const record = known && records[value[tag]];
    return record ? faultOf(record, value, place) : wrong();
  }
  return first(Object.entries(SHAPES[kind]), ([key, part]) => {
    const name = key.replace("?", "");
    if (Object.hasOwn(value, name)) return faultOf(part, value[name], inside(name));
    return key === name ? { place: inside(name), what: "it is missing" } : null;
  });
}

/**
 * @template T
 * @param {Iterable<T>} parts
 * @param {(part: T) => Fault|null} check
 * @returns {Fault|null}
 */
function first(parts, check) {
  for (const part of parts) {
    const fault = check(part);
    if (fault) return fault;
  }
  return null;
}

/** @param {Shape} shape @returns {string} */
function words(shape) {
  const [kind, ...parts] = typeof shape === "string" ? [shape] : shape;
  if (kind === "either") return parts.map(words).join(" or ");
  if (kind === "word") return parts.map((value) => JSON.stringify(value)).join(" or ");
  if (kind === "list") return "a list";
  if (kind === "tuple") return `a list of ${parts.length}`;
  if (kind === "tagged") {
    const tags = Object.keys(parts[1]).map((tag) => JSON.stringify(tag));
    return `an object whose ${parts[0]} is ${tags.join(" or ")}`;
  }
  return PLAIN[kind]?.[0] ?? "an object";
}

/** @param {any} value @returns {string} */
function shown(value) {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  const text = JSON.stringify(value);
  return text.length <= CLIPPED ? text : `${text.slice(0, CLIPPED)}…`;
}
