/** Whether the parts of a manifest fit each other; says the same as manifest/sense.py. */
import { sizeOf } from "../tensors.js";
import { ENCODINGS } from "./decode.js";

/**
 * @typedef {import("../types.js").Manifest} Manifest
 * @typedef {import("../types.js").Golden} Golden
 * @typedef {import("../types.js").Port} Port
 * @typedef {Omit<import("../types.js").JsTarget, "files"> & {pages?: number}} Linear
 * @typedef {import("./check.js").Fault} Fault
 */

const PAGE_ELEMENTS = 65536 / 4; // f32 elements of a page of WebAssembly's memory
const MOST_PAGES = 65536; // pages that 32 bits can address
const MOST_ELEMENTS = MOST_PAGES * PAGE_ELEMENTS;
const MOST_SEED = 2 ** 32 - 1; // xorshift32's state has 32 bits

/** @param {Manifest} manifest @returns {Fault|null} the first part that fits no other */
export function misfitOf(manifest) {
  for (const fault of misfits(manifest)) return fault;
  return null;
}

/** @param {Manifest} manifest @returns {Generator<Fault>} */
function* misfits(manifest) {
  const { inputs, outputs, weights, targets: { wasm, js } } = manifest;
  yield* named(inputs, "inputs");
  yield* named(outputs, "outputs");
  for (const [i, tensor] of weights.tensors.entries()) {
    yield* tensorMisfits(tensor, `weights.tensors[${i}]`);
  }
  if (js) yield* linearMisfits(js, manifest, "targets.js");
  if (wasm) {
    yield* linearMisfits(wasm, manifest, "targets.wasm");
    for (const [name, own] of Object.entries(wasm.arithmetic ?? {})) {
      yield* linearMisfits(own, manifest, `targets.wasm.arithmetic.${name}`);
      if (own.golden) {
        yield* goldenMisfits(own.golden, manifest, `targets.wasm.arithmetic.${name}.golden`);
      }
    }
  }
  yield* goldenMisfits(manifest.golden, manifest, "golden");
  yield* demoMisfits(manifest);
}

/** @param {Port[]} ports @param {string} place @returns {Generator<Fault>} */
function* named(ports, place) {
  yield* equal(new Set(ports.map(({ name }) => name)).size, ports.length, place);
  for (const [i, { shape }] of ports.entries()) {
    yield* atMost(sizeOf(shape), MOST_ELEMENTS, `${place}[${i}].shape`);
  }
}

/**
 * @param {import("../types.js").WeightTensor} tensor
 * @param {string} place
 * @returns {Generator<Fault>}
 */
function* tensorMisfits({ shape, encoding, bytes, scale, group = 0 }, place) {
  const { bits, scales } = ENCODINGS[encoding], size = sizeOf(shape);
  yield* equal(bytes, Math.ceil((size * bits) / 8), `${place}.bytes`);
  if (!scales || !size) return;
  const columns = shape.at(-1) ?? 1, rows = size / columns;
  const count = columns * (group ? Math.ceil(rows / group) : 1);
  yield* equal(scale?.bytes ?? 0, (count * ENCODINGS[scales].bits) / 8, `${place}.scale.bytes`);
}

/**
 * @param {Linear} about
 * @param {Manifest} manifest
 * @param {string} place
 * @returns {Generator<Fault>}
 */
function* linearMisfits(about, { inputs, outputs, weights }, place) {
  const { elements, staging, pages } = about;
  yield* atMost(elements, MOST_ELEMENTS, `${place}.elements`);
  if (pages !== undefined) {
    yield* atMost(pages, MOST_PAGES, `${place}.pages`);
    yield* atMost(elements, pages * PAGE_ELEMENTS, `${place}.elements`);
  }
  yield* atMost(staging, elements, `${place}.staging`);
  for (const [side, ports] of Object.entries({ inputs, outputs })) {
    const places = about[/** @type {"inputs"|"outputs"} */ (side)];
    yield* equal(places.length, ports.length, `${place}.${side}`);
    for (const [i, { length, offset }] of places.entries()) {
      yield* equal(length, sizeOf(ports[i].shape), `${place}.${side}[${i}].length`);
      yield* atMost(offset + length, elements, `${place}.${side}[${i}].offset`);
    }
  }
  const known = new Set(weights.tensors.map(({ name }) => name));
  for (const [i, { tensor, offset }] of about.weights.entries()) {
    yield* among(tensor, known, `${place}.weights[${i}].tensor`);
    yield* atMost(offset, elements, `${place}.weights[${i}].offset`);
  }
}

/**
 * @param {Golden} golden
 * @param {Manifest} manifest
 * @param {string} place
 * @returns {Generator<Fault>}
 */
function* goldenMisfits(golden, { inputs, outputs }, place) {
  yield* atMost(golden.seed, MOST_SEED, `${place}.seed`);
  yield* equal(golden.ranges.length, inputs.length, `${place}.ranges`);
  yield* equal(golden.outputs.length, outputs.length, `${place}.outputs`);
  for (const [k, { indices, values }] of golden.outputs.entries()) {
    yield* equal(values.length, indices.length, `${place}.outputs[${k}].values`);
    const most = Math.max(-1, ...indices);
    yield* atMost(most, sizeOf(outputs[k].shape) - 1, `${place}.outputs[${k}].indices`);
  }
}

/** @param {Manifest} manifest @returns {Generator<Fault>} */
function* demoMisfits({ demo, inputs, outputs }) {
  if (!demo) return;
  const given = new Map(inputs.map(({ name, shape }) => [name, sizeOf(shape)]));
  yield* among(demo.task.output, new Set(outputs.map(({ name }) => name)), "demo.task.output");
  if (demo.given) yield* among(demo.given.input, given, "demo.given.input");
  for (const [i, control] of (demo.controls ?? []).entries()) {
    const place = `demo.controls[${i}]`, size = given.get(control.input);
    yield* among(control.input, given, `${place}.input`);
    if (control.kind === "blend") {
      yield* equal(control.options.length, size, `${place}.options`);
      yield* atMost(control.initial ?? 0, control.options.length - 1, `${place}.initial`);
    } else if (control.kind === "constant" && control.values.length !== 1) {
      yield* equal(control.values.length, size, `${place}.values`);
    }
  }
}

/**
 * @param {number} found
 * @param {number|undefined} wanted
 * @param {string} place
 * @returns {Fault[]}
 */
const equal = (found, wanted, place) => (
  found === wanted ? [] : [{ place, what: `${wanted} is needed here, not ${found}` }]);

/** @param {number} found @param {number} limit @param {string} place @returns {Fault[]} */
const atMost = (found, limit, place) => (
  found <= limit ? [] : [{ place, what: `at most ${limit} is possible here, not ${found}` }]);

/**
 * @param {string} name
 * @param {Map<string, unknown>|Set<string>} known
 * @param {string} place
 * @returns {Fault[]}
 */
const among = (name, known, place) => (known.has(name) ? []
  : [{ place, what: `nothing here is named "${name}"` }]);
