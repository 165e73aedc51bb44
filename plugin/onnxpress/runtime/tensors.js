/** Typed arrays of the ONNX types <-> the Float32Arrays that programs run on. */
import { PressError } from "./errors.js";

const ARRAYS = {
  f32: Float32Array, f16: Float32Array, f64: Float64Array, bool: Uint8Array,
  i8: Int8Array, u8: Uint8Array, i16: Int16Array, u16: Uint16Array, i32: Int32Array,
  u32: Uint32Array, i64: BigInt64Array, u64: BigUint64Array,
};

/** Whether elements are BigInts, whose conversion costs a call per value. */
const isBig = (dtype) => dtype === "i64" || dtype === "u64";

/** @param {number[]} shape */
export const sizeOf = (shape) => shape.reduce((a, b) => a * b, 1);

/** @param {import("./types.js").Port} port */
function wanted({ shape, dtype }) {
  return `a ${ARRAYS[dtype].name} of ${shape.join("×") || "1"} = ${sizeOf(shape)} values`;
}

/**
 * @param {import("./types.js").Port[]} ports
 * @param {Object<string, ArrayBufferView>} inputs
 * @param {Float32Array[]|null} [spare] an earlier result that nobody reads any more: new memory costs
 *   more than a copy
 * @returns {Float32Array[]} copies, in the order of the ports
 * @throws {PressError} "input": a name is missing or unknown, an array of a wrong type or length
 */
export function readInputs(ports, inputs, spare) {
  for (const name of Object.keys(inputs ?? {})) {
    if (ports.some((port) => port.name === name)) continue;
    const names = ports.map((port) => `"${port.name}"`).join(", ");
    throw new PressError("input",
      `run(): the model has no input "${name}"; its inputs are ${names}.`);
  }
  return ports.map((port, i) => {
    const value = inputs?.[port.name];
    const where = `run(): input "${port.name}"`;
    if (value === undefined) {
      throw new PressError("input", `${where} is missing; give ${wanted(port)}.`);
    }
    const kind = value?.constructor?.name ?? typeof value;
    if (kind !== ARRAYS[port.dtype].name) {
      throw new PressError("input", `${where} is of type ${kind}; give ${wanted(port)}.`);
    }
    if (value.length !== sizeOf(port.shape)) {
      throw new PressError("input", `${where} has ${value.length} values; give ${wanted(port)}.`);
    }
    if (isBig(port.dtype)) return Float32Array.from(value, Number);
    const copy = spare?.[i] ?? new Float32Array(value.length);
    copy.set(value);
    return copy;
  });
}

/**
 * @param {import("./types.js").Port[]} ports
 * @param {Float32Array[]} outputs
 * @returns {Object<string, ArrayBufferView>}
 */
export function writeOutputs(ports, outputs) {
  return Object.fromEntries(ports.map(({ name, dtype }, i) => {
    const kind = ARRAYS[dtype];
    if (kind === Float32Array) return [name, outputs[i]];
    const big = () => kind.from(outputs[i], (v) => BigInt(Math.round(v)));
    return [name, isBig(dtype) ? big() : new kind(outputs[i])];
  }));
}
