/** Puts constants where a WebAssembly program reads them; the program itself decodes and packs. */
import { ENCODINGS, PLAIN } from "../../load/decode.js";

const BYTES = Float32Array.BYTES_PER_ELEMENT;
const SLACK = 16; // elements that are free past each slot and past what is staged, as in layout.py

/**
 * @param {import("../common/linear.js").LinearAbout} about
 * @param {Object<string, Function>} exports  of the program; emit/wasm/decode.py and wasm_packs.py
 *   tell how what stands here calls them
 * @param {WebAssembly.Memory} memory
 * @returns {import("../common/linear.js").Program["place"]}
 */
export function placer({ weights, staging }, exports, memory) {
  const heap = new Uint8Array(memory.buffer);
  const scales = BYTES * staging;

  return ({ name, stored }) => {
    for (const { tensor, offset, pack, args } of weights) {
      if (tensor !== name) continue;
      const source = placeScales(stored), target = BYTES * offset;
      const decoding = pack.startsWith("dot_") ? pack : `${pack}_${stored.encoding}`;
      if (`pack_${decoding}` in exports) {
        heap.set(stored.bytes, source);
        exports[`pack_${decoding}`](source, target, ...args, scales);
      } else if (pack === "raw") {
        decode(stored, target);
      } else {
        decode(stored, source);
        exports[`pack_${pack}`](source, target, ...args);
      }
    }
  };

  /** @param {import("../../load/weights.js").Stored} stored @returns {number} the address that follows */
  function placeScales({ encoding, scale }) {
    if (!scale) return scales;
    const { scales: stored } = ENCODINGS[encoding];
    const count = (8 * scale.length) / ENCODINGS[stored].bits;
    decode({ encoding: stored, shape: [count], bytes: scale }, scales);
    return scales + BYTES * count;
  }

  /** @param {import("../../load/weights.js").Stored} stored @param {number} target */
  function decode({ encoding, shape, bytes, group }, target) {
    if (encoding === PLAIN) return heap.set(bytes, target);
    const count = shape.reduce((product, n) => product * n, 1);
    const source = target + BYTES * (count + SLACK) - bytes.length;
    heap.set(bytes, source);
    const columns = shape.at(-1);
    exports[`decode_${encoding}`](source, target, count / columns, columns, scales, group);
  }
}
