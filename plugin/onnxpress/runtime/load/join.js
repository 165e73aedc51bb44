/** Bytes of equal significance -> the values that they are bytes of. */
import { embedded, memoryOf } from "./instance.js";

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
const PAGES = 8; // four slices and what they become
const VALUES = 16; // of a step

let joined; // (planes) => Uint8Array, made when it is first needed

/**
 * @param {Uint8Array[]} planes 1, 2 or 4 of equal length, up to SLICE; the lowest bytes first
 * @returns {Uint8Array} byte p of value i is byte i of plane p; the next call overwrites it
 */
export function join(planes) {
  if (planes.length === 1) return planes[0];
  joined ??= byVectors() ?? byBytes();
  return joined(planes);
}

/** Null where WebAssembly, its SIMD or the page's leave to use it is missing. */
function byVectors() {
  try {
    const module = new WebAssembly.Module(embedded(MODULE)), memory = memoryOf(PAGES);
    const { exports } = new WebAssembly.Instance(module, { "": { memory } });
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

function byBytes() {
  const values = { 2: new Uint16Array(SLICE), 4: new Uint32Array(SLICE) };
  const loops = {
    2([a, b], out) {
      for (let i = 0; i < a.length; i++) out[i] = a[i] | b[i] << 8;
    },
    4([a, b, c, d], out) {
      for (let i = 0; i < a.length; i++) out[i] = a[i] | b[i] << 8 | c[i] << 16 | d[i] << 24;
    },
  };
  return (planes) => {
    const out = values[planes.length];
    loops[planes.length](planes, out);
    return new Uint8Array(out.buffer, 0, planes[0].length * planes.length);
  };
}
