/**
 * The parts that the js and wasm targets share. Both run on one heap of f32 elements that the build
 * has laid out; all offsets and lengths count elements.
 *
 * @typedef {Omit<import("../../types.js").JsTarget, "files">} LinearAbout
 * @typedef {import("../../load/weights.js").Constant} Constant
 *
 * @typedef {Object} Program  A compiled model with its heap, or with several heaps.
 * @property {(constant: Constant) => void|Promise<void>} place  puts a constant where it is read
 * @property {(inputs: Float32Array[]) => Promise<Float32Array[]>} run  in the model's order
 * @property {(inputs: Float32Array[]) => Promise<number[]>} profile  milliseconds of each step
 * @property {() => void} [end]  ends its threads
 */
import { PressError, gone, isAbort } from "../../errors.js";

/**
 * Places the constants in the order of their arrival.
 * @param {LinearAbout} about
 * @param {Promise<Program>} compiling  may still be under way while the first weights arrive
 * @param {AsyncIterable<Constant>} weights
 * @returns {Promise<Program>}
 * @throws {PressError} "prepare": a constant does not arrive, or the program cannot take it
 */
export async function placeWeights(about, compiling, weights) {
  // A failure is reported below, where the promise is awaited.
  compiling.catch(() => {});
  const waiting = new Set(about.weights.map((slot) => slot.tensor));
  for await (const constant of weights) {
    const program = await compiling;
    try {
      await program.place(constant);
    } catch (error) {
      if (error instanceof PressError || isAbort(error)) throw error;
      throw new PressError("prepare", `the program cannot take the constant "${constant.name}": ` +
        "it and its manifest are of different builds", { cause: error });
    }
    waiting.delete(constant.name);
  }
  for (const name of waiting) {
    throw new PressError("prepare", `the constant "${name}" is not among the downloaded weights`);
  }
  return compiling;
}

/**
 * @param {LinearAbout} about
 * @param {Float32Array} heap
 * @param {Float32Array[]} arrays of all inputs
 */
export function writeInputs({ inputs }, heap, arrays) {
  inputs.forEach(({ offset }, i) => heap.set(arrays[i], offset));
}

/** @param {LinearAbout} about @param {Float32Array} heap @returns {Float32Array[]} */
export function readOutputs({ outputs }, heap) {
  return outputs.map(({ offset, length }) => heap.slice(offset, offset + length));
}

/**
 * A program with one heap.
 * @template {Program["place"]} Place
 * @param {LinearAbout} about
 * @param {Float32Array} heap
 * @param {{place: Place, run: () => unknown,
 *   profile: (steps: number) => number[]|Promise<number[]>, end?: () => void}} functions  that work
 *   on the heap
 * @returns {Program & {place: Place}}
 */
export function onHeap(about, heap, { place, run, profile, end }) {
  return {
    place,
    async run(inputs) {
      writeInputs(about, heap, inputs);
      await run();
      return readOutputs(about, heap);
    },
    async profile(inputs) {
      writeInputs(about, heap, inputs);
      return profile(about.steps.length);
    },
    end,
  };
}

/**
 * @param {number} steps
 * @param {(index: number) => void} step
 * @returns {number[]} milliseconds of each step
 */
export function timeSteps(steps, step) {
  return Array.from({ length: steps }, (_, i) => {
    const started = performance.now();
    step(i);
    return performance.now() - started;
  });
}

/**
 * The executable that a target's `open` returns.
 * @param {LinearAbout} about
 * @param {Program} program
 * @returns {import("../contract.d.ts").Executable}
 */
export function executable(about, program) {
  /** @type {Program|null} */
  let held = program; // until it is disposed: then its memory can be freed
  const live = () => {
    if (held) return held;
    throw gone();
  };
  return {
    run: async (inputs) => live().run(inputs),

    async profile(inputs) {
      const times = await live().profile(inputs);
      return about.steps.map(([label], i) => ({ label, ms: times[i] }));
    },

    dispose() {
      held?.end?.();
      held = null;
    },
  };
}
