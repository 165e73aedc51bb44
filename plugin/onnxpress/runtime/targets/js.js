/** Runs a generated ES module on a Float32Array: where WebAssembly is not allowed. */
import { executable, onHeap, placeWeights, timeSteps } from "./common/linear.js";

/**
 * @typedef {import("../types.js").JsTarget} JsTarget
 *
 * @typedef {Object} Exports  A program's functions; each takes the heap first.
 * @property {(heap: Float32Array) => void} run
 * @property {(heap: Float32Array, index: number) => void} step
 *
 * @typedef {(heap: Float32Array, source: number, target: number, ...args: number[]) => void} Packer
 *   a program's function `pack_NAME`: packs a constant that waits at `source`; offsets in elements
 */

/**
 * @param {JsTarget} about
 * @param {unknown} fetchFile  unused: a module can only be imported
 * @param {AsyncIterable<import("../load/weights.js").Constant>} weights
 * @param {Pick<import("./contract.d.ts").OpenOptions, "loadModule">} options
 * @returns {Promise<import("./contract.d.ts").Executable>}
 */
export async function open(about, fetchFile, weights, { loadModule }) {
  const compiling = loadModule(about.files.module).then((module) => bind(module, about));
  return executable(about, await placeWeights(about, compiling, weights));
}

/**
 * @param {Object<string, unknown>} module
 * @param {JsTarget} about
 * @returns {import("./common/linear.js").Program}
 */
function bind(module, about) {
  const heap = new Float32Array(about.elements);
  const { run, step } = /** @type {Exports} */ (module);
  const packers = /** @type {Object<string, Packer>} */ (module);
  return onHeap(about, heap, {
    run: () => run(heap),
    profile: (steps) => timeSteps(steps, (index) => step(heap, index)),
    place: (constant) => place(packers, about, heap, constant),
  });
}

/**
 * Puts a constant wherever the program reads it.
 * @param {Object<string, Packer>} packers
 * @param {JsTarget} about
 * @param {Float32Array} heap
 * @param {import("../load/weights.js").Constant} constant
 */
function place(packers, { weights, staging }, heap, constant) {
  for (const { tensor, offset, pack, args } of weights) {
    if (tensor !== constant.name) continue;
    heap.set(constant.data, pack === "raw" ? offset : staging);
    if (pack !== "raw") packers[`pack_${pack}`](heap, staging, offset, ...args);
  }
}
