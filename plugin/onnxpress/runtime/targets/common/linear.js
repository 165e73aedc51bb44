/**
 * What the js and wasm targets share: one heap of f32 elements, laid out at build time.
 * All offsets and lengths in `about` count elements.
 *
 * @typedef {Object} LinearAbout
 * @property {number} elements  the heap's length
 * @property {number} staging  where a constant waits for its packer; free until the first run
 * @property {{tensor: string, offset: number, pack: string, args: number[]}[]} weights
 * @property {{name: string, offset: number, length: number}[]} inputs
 * @property {{name: string, offset: number, length: number}[]} outputs
 * @property {[label: string, flops: number][]} steps
 *
 * @typedef {Object} Program  The compiled model on its heap, or on several.
 * @property {(constant: import("../../load/weights.js").Constant) => void|Promise<void>} place
 * @property {(inputs: Float32Array[]) => Promise<Float32Array[]>} run  in the model's order
 * @property {(inputs: Float32Array[]) => Promise<number[]>} profile  milliseconds of each step
 * @property {() => void} [end]  of its threads
 */
import { PressError } from "../../errors.js";

/**
 * Fills the heap's constants, in whatever order they arrive.
 * @param {LinearAbout} about
 * @param {Promise<Program>} compiling  may still be under way while the first weights arrive
 * @param {AsyncIterable<import("../../load/weights.js").Constant>} weights
 * @returns {Promise<Program>}
 * @throws {PressError} "prepare", where a constant does not arrive
 */
export async function placeWeights(about, compiling, weights) {
  // A failure is reported where it is awaited, below.
  compiling.catch(() => {});
  const waiting = new Set(about.weights.map((slot) => slot.tensor));
  for await (const constant of weights) {
    await (await compiling).place(constant);
    waiting.delete(constant.name);
  }
  for (const name of waiting) {
    throw new PressError("prepare", `the constant "${name}" is not among the downloaded weights`);
  }
  return compiling;
}

/** @param {LinearAbout} about @param {Float32Array} heap @param {Float32Array[]} arrays */
export function writeInputs({ inputs }, heap, arrays) {
  inputs.forEach(({ offset }, i) => heap.set(arrays[i], offset));
}

/** @param {LinearAbout} about @param {Float32Array} heap @returns {Float32Array[]} */
export function readOutputs({ outputs }, heap) {
  return outputs.map(({ offset, length }) => heap.slice(offset, offset + length));
}

/**
 * The program whose functions work on `heap`.
 * @param {LinearAbout} about
 * @param {Float32Array} heap
 * @param {{place: Program["place"], run: () => void|Promise<void>,
 *   profile: (steps: number) => number[]|Promise<number[]>, end?: () => void}} functions
 * @returns {Program}
 */
export function onHeap(about, heap, { place, run, profile, end }) {
  return {
    place,
    async run(inputs) {
      writeInputs(about, heap, inputs);
      await run();
      return readOutputs(about, heap);
    },
    profile(inputs) {
      writeInputs(about, heap, inputs);
      return profile(about.steps.length);
    },
    end,
  };
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
  return {
    /** @param {Float32Array[]} inputs @returns {Promise<Float32Array[]>} in the model's order */
    run: (inputs) => program.run(inputs),

    /** @param {Float32Array[]} inputs @returns {Promise<{label: string, ms: number}[]>} */
    async profile(inputs) {
      const times = await program.profile(inputs);
      return about.steps.map(([label], i) => ({ label, ms: times[i] }));
    },

    dispose() {
      program?.end?.();
      program = null;
    },
  };
}
