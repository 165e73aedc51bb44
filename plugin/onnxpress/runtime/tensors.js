/** Typed arrays of the ONNX types <-> the Float32Arrays that programs run on. */
import { PressError } from "./errors.js";

/** @typedef {import("./api.d.ts").TypedArray} TypedArray */

const NUMBERS = {
  f32: Float32Array, f16: Float32Array, f64: Float64Array, bool: Uint8Array,
  i8: Int8Array, u8: Uint8Array, i16: Int16Array, u16: Uint16Array, i32: Int32Array,
  u32: Uint32Array,
};
const ARRAYS = { ...NUMBERS, i64: BigInt64Array, u64: BigUint64Array };

const EXACT = 2 ** 24; // integers up to here are exact in f32

/**
 * Converting a BigInt costs a call.
 * @param {TypedArray} values
 * @returns {values is BigInt64Array|BigUint64Array}
 */
const isBig = (values) => values.constructor.name.startsWith("Big");

/** @type {Object<string, [low: bigint, high: bigint]>} the ends of the types of 64 bits */
const BIG = { i64: [-(2n ** 63n), 2n ** 63n - 1n], u64: [0n, 2n ** 64n - 1n] };

/**
 * The f32 nearest to the largest integer of a type lies beyond it, so numbers stop at the ends.
 * @param {number} low
 * @param {number} high
 * @returns {(value: number) => number}
 */
const within = (low, high) => (value) => Math.min(Math.max(value, low), high);

/**
 * @param {"i64"|"u64"} dtype
 * @returns {(value: number) => bigint} NaN becomes 0, as in all typed arrays
 */
const toBig = (dtype) => {
  const [low, high] = BIG[dtype], first = Number(low), last = Number(high);
  return (value) => value >= last ? high : value <= first ? low : BigInt(Math.round(value) || 0);
};

/** @param {number[]} shape @returns {number} elements */
export const sizeOf = (shape) => shape.reduce((a, b) => a * b, 1);

/** @param {import("./types.js").Port} port */
function wanted({ shape, dtype }) {
  return `a ${ARRAYS[dtype].name} of ${shape.join("×") || "1"} = ${sizeOf(shape)} values`;
}

/**
 * @param {unknown} value
 * @param {import("./types.js").Port} port
 * @returns {asserts value is TypedArray}
 * @throws {PressError} "input": the array is missing, or its type or length is wrong
 */
function requireArray(value, port) {
  const where = `run(): input "${port.name}"`;
  if (value === undefined) {
    throw new PressError("input", `${where} is missing; give ${wanted(port)}.`);
  }
  const { constructor, length } = Object(value);
  const kind = constructor?.name ?? typeof value;
  if (kind !== ARRAYS[port.dtype].name) {
    throw new PressError("input", `${where} is of type ${kind}; give ${wanted(port)}.`);
  }
  if (length !== sizeOf(port.shape)) {
    throw new PressError("input", `${where} has ${length} values; give ${wanted(port)}.`);
  }
}

/**
 * Programs compute in f32, which would round a larger integer without a word.
 * @param {TypedArray} values
 * @param {import("./types.js").Port} port
 * @throws {PressError} "input": an integer is not exact in f32
 */
function requireExact(values, { name, dtype }) {
  if (!["i32", "u32", "i64", "u64"].includes(dtype)) return;
  for (let i = 0; i < values.length; i++) {
    if (values[i] <= EXACT && values[i] >= -EXACT) continue;
    throw new PressError("input", `run(): input "${name}" holds ${values[i]} at place ${i}; `
      + `give integers from -${EXACT} to ${EXACT}, which this model computes with exactly.`);
  }
}

/**
 * @param {import("./types.js").Port[]} ports
 * @param {Object<string, TypedArray>} inputs
 * @param {Float32Array[]|null} [spare] an earlier result that nobody reads any more: new memory
 *   costs more than a copy
 * @returns {Float32Array[]} copies, in the order of the ports
 * @throws {PressError} "input": a name is missing or unknown, an array of a wrong type or length,
 *   or an integer is too large
 */
export function readInputs(ports, inputs, spare) {
  for (const name of Object.keys(inputs ?? {})) {
    if (ports.some((port) => port.name === name)) continue;
    const names = ports.map((port) => `"${port.name}"`).join(", ");
    throw new PressError("input",
      `run(): the model has no input "${name}"; its inputs are ${names}.`);
  }
  return ports.map((port, i) => {
    /** @type {unknown} */
    const value = inputs?.[port.name];
    requireArray(value, port);
    requireExact(value, port);
    if (isBig(value)) return Float32Array.from(value, Number);
    const copy = spare?.[i] ?? new Float32Array(value.length);
    copy.set(value);
    return copy;
  });
}

/**
 * @param {import("./types.js").Port[]} ports
 * @param {Float32Array[]} outputs
 * @returns {Object<string, TypedArray>}
 */
export function writeOutputs(ports, outputs) {
  return Object.fromEntries(ports.map(({ name, dtype }, i) => {
    const values = outputs[i];
    if (dtype === "i64") return [name, BigInt64Array.from(values, toBig(dtype))];
    if (dtype === "u64") return [name, BigUint64Array.from(values, toBig(dtype))];
    if (dtype === "i32") return [name, Int32Array.from(values, within(-(2 ** 31), 2 ** 31 - 1))];
    if (dtype === "u32") return [name, Uint32Array.from(values, within(0, 2 ** 32 - 1))];
    const kind = NUMBERS[dtype];
    return [name, kind === Float32Array ? values : new kind(values)];
  }));
}
