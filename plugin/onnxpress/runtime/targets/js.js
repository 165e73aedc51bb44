/** Runs a generated ES module on a Float32Array: where WebAssembly is not allowed. */
import { executable, onHeap, placeWeights, timeSteps } from "./common/linear.js";

/**
 * @param {import("./common/linear.js").LinearAbout & {files: Object}} about
 * @param {unknown} fetchFile  unused: a module can only be imported
 * @param {AsyncIterable<{name: string, data: Float32Array}>} weights
 * @param {{loadModule: (entry: Object) => Promise<Object>}} options
 */
export async function open(about, fetchFile, weights, { loadModule }) {
  const compiling = loadModule(about.files.module).then((module) => bind(module, about));
  return executable(about, await placeWeights(about, compiling, weights));
}

function bind(module, about) {
  const heap = new Float32Array(about.elements);
  return onHeap(about, heap, {
    run: () => module.run(heap),
    profile: (steps) => timeSteps(steps, (index) => module.step(heap, index)),
    place: (constant) => place(module, about, heap, constant),
  });
}

/** Puts a constant wherever the program reads it. */
function place(module, { weights, staging }, heap, constant) {
  for (const { tensor, offset, pack, args } of weights) {
    if (tensor !== constant.name) continue;
    heap.set(constant.data, pack === "raw" ? offset : staging);
    if (pack !== "raw") module[`pack_${pack}`](heap, staging, offset, ...args);
  }
}
