/**
 * What the js and wasm targets share: one heap of f32 elements, laid out at build time.
 * All offsets and lengths in `about` count elements.
 *
 * @typedef {Object} LinearAbout
 * @property {number} elements  the heap's length
 * @property {number} staging  where a constant waits for its packer; free until the first run
 * @property {{tensor: string, offset: number, pack: string, args: number[]}[]} weights  packers
 *   named dot_* take the bytes that are stored
 * @property {{name: string, offset: number, length: number}[]} inputs
 * @property {{name: string, offset: number, length: number}[]} outputs
 * @property {[label: string, flops: number][]} steps
 *
 * @typedef {Object} Program  The compiled model on its heap.
 * @property {Float32Array} heap
 * @property {() => void|Promise<void>} run
 * @property {(steps: number) => number[]|Promise<number[]>} profile  milliseconds of each step
 * @property {(kind: string, source: number, target: number, args: number[]) => void} pack
 * @property {() => void} [end]  of its threads
 */
import { PressError } from "../errors.js";

/**
 * Fills the heap's constants, in whatever order they arrive.
 * @param {LinearAbout} about
 * @param {Promise<Program>} compiling  may still be under way while the first weights arrive
 * @param {AsyncIterable<import("../weights.js").Constant>} weights
 * @returns {Promise<Program>}
 * @throws {PressError} "prepare", where a constant does not arrive
 */
export async function placeWeights(about, compiling, weights) {
  // A failure is reported where it is awaited, below.
  compiling.catch(() => {});
  const waiting = new Set(about.weights.map((slot) => slot.tensor));
  for await (const constant of weights) {
    const program = await compiling;
    for (const { tensor, offset, pack, args } of about.weights) {
      if (tensor !== constant.name) continue;
      if (pack === "raw") {
        program.heap.set(constant.data, offset);
        continue;
      }
      if (pack.startsWith("dot_")) {
        new Uint8Array(program.heap.buffer).set(constant.stored.bytes, 4 * about.staging);
      } else {
        program.heap.set(constant.data, about.staging);
      }
      program.pack(pack, about.staging, offset, args);
    }
    waiting.delete(constant.name);
  }
  for (const name of waiting) {
    throw new PressError("prepare", `the constant "${name}" is not among the downloaded weights`);
  }
  return compiling;
}

/** @param {number} steps @param {(index: number) => void} step */
export function timeSteps(steps, step) {
  return Array.from({ length: steps }, (_, i) => {
    const started = performance.now();
    step(i);
    return performance.now() - started;
  });
}

/**
 * The executable that a backend's `open` returns.
 * @param {LinearAbout} about
 * @param {Program} program
 */
export function executable(about, program) {
  const fill = (inputs) => about.inputs.forEach(({ offset }, i) => {
    program.heap.set(inputs[i], offset);
  });
  return {
    /** @param {Float32Array[]} inputs @returns {Promise<Float32Array[]>} in the model's order */
    async run(inputs) {
      fill(inputs);
      await program.run();
      return about.outputs.map(({ offset, length }) => program.heap.slice(offset, offset + length));
    },

    /** @param {Float32Array[]} inputs @returns {Promise<{label: string, ms: number}[]>} */
    async profile(inputs) {
      fill(inputs);
      const times = await program.profile(about.steps.length);
      return about.steps.map(([label], i) => ({ label, ms: times[i] }));
    },

    dispose() {
      program?.end?.();
      program = null;
    },
  };
}
