/** Planes (all first bytes, all second bytes, ...) -> values, whose bytes lie side by side. */
import { embedded, functionsOf, memoryOf } from "./instance.js";

// Exports join2 and join4; `python -m onnxpress.emit.wasm.join` writes it.
const MODULE =
  "AGFzbQEAAAABBQFgAX8AAg8BAAZtZW1vcnkCAQiAgAQDAwIAAAcRAgVqb2luMgAABWpvaW40AAEKqQMCdgICfwR7" +
  "A0AgAf0AAAAhAyAB/QAAgIAEIQQgAyAE/Q0AEAERAhIDEwQUBRUGFgcXIQUgAyAE/Q0IGAkZChoLGwwcDR0OHg8f" +
  "IQYgAiAF/QsAgIAQIAIgBv0LAJCAECABQRBqIQEgAkEgaiECIABBf2oiAA0ACwuvAgICfwx7A0AgAf0AAAAhAyAB" +
  "/QAAgIAEIQQgAf0AAICACCEFIAH9AACAgAwhBiADIAT9DQAQARECEgMTBBQFFQYWBxchByADIAT9DQgYCRkKGgsb" +
  "DBwNHQ4eDx8hCCAFIAb9DQAQARECEgMTBBQFFQYWBxchCSAFIAb9DQgYCRkKGgsbDBwNHQ4eDx8hCiAHIAn9DQAB" +
  "EBECAxITBAUUFQYHFhchCyAHIAn9DQgJGBkKCxobDA0cHQ4PHh8hDCAIIAr9DQABEBECAxITBAUUFQYHFhchDSAI" +
  "IAr9DQgJGBkKCxobDA0cHQ4PHh8hDiACIAv9CwCAgBAgAiAM/QsAkIAQIAIgDf0LAKCAECACIA79CwCwgBAgAUEQ" +
  "aiEBIAJBwABqIQIgAEF/aiIADQALCw==";
export const SLICE = 1 << 16; // bytes of a plane at a time, as in emit/wasm/join.py
const PAGES = 8; // of 64 KiB: four slices and the values made of them
const VALUES = 16; // per step of the module's loop

/** @typedef {(planes: Uint8Array[]) => Uint8Array} Join */

/** @type {Join|undefined} */
let joined; // made when it is first needed

/**
 * @param {Uint8Array[]} planes  1, 2 or 4 of equal length, up to SLICE bytes; the lowest bytes
 *   first
 * @returns {Uint8Array} byte p of value i is byte i of plane p; the next call overwrites it
 */
export function join(planes) {
  if (planes.length === 1) return planes[0];
  joined ??= byVectors() ?? byBytes();
  return joined(planes);
}

/**
 * @returns {Join|null} null where WebAssembly or its SIMD is missing, or the page may not use it
 */
function byVectors() {
  try {
    const module = new WebAssembly.Module(embedded(MODULE)), memory = memoryOf(PAGES);
    const exports = functionsOf(new WebAssembly.Instance(module, { "": { memory } }));
    const heap = new Uint8Array(memory.buffer);
    return (planes) => {
      const [{ length }] = planes;
      planes.forEach((plane, p) => heap.set(plane, p * SLICE));
      exports[`join${planes.length}`](Math.ceil(length / VALUES));
      return heap.subarray(4 * SLICE, 4 * SLICE + length * planes.length);
    };
  } catch {
    return null;
  }
}

/** @returns {Join} */
function byBytes() {
  const two = new Uint16Array(SLICE), four = new Uint32Array(SLICE);
  return ([a, b, c, d]) => {
    const { length } = a;
    if (!c) {
      for (let i = 0; i < length; i++) two[i] = a[i] | b[i] << 8;
      return new Uint8Array(two.buffer, 0, 2 * length);
    }
    for (let i = 0; i < length; i++) four[i] = a[i] | b[i] << 8 | c[i] << 16 | d[i] << 24;
    return new Uint8Array(four.buffer, 0, 4 * length);
  };
}
