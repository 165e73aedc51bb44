/** Runs a generated WebAssembly module, which holds its own memory of fixed size. */
import { executable, placeWeights } from "./linear.js";

const BYTES = Float32Array.BYTES_PER_ELEMENT;

/**
 * @param {import("./linear.js").LinearAbout & {files: Object}} about
 * @param {(entry: Object) => Promise<ArrayBuffer>} fetchFile
 * @param {AsyncIterable<{name: string, data: Float32Array}>} weights
 * @param {{build: "relaxed"|"simd128"}} options
 */
export async function open(about, fetchFile, weights, { build }) {
  const compiling = fetchFile(about.files[build])
    .then((bytes) => WebAssembly.compile(bytes))
    .then((module) => WebAssembly.instantiate(module))
    .then((instance) => bind(instance.exports, about));
  return executable(about, await placeWeights(about, compiling, weights));
}

function bind(exports, { elements }) {
  return {
    heap: new Float32Array(exports.memory.buffer, 0, elements),
    run: () => exports.run(),
    step: (index) => exports.step(index),
    pack: (kind, source, target, args) =>
      exports[`pack_${kind}`](source * BYTES, target * BYTES, ...args),
  };
}
