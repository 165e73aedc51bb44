/** Puts constants where a WebAssembly program reads them; the program itself decodes and packs. */
import { ENCODINGS, PLAIN } from "../../load/decode.js";

const BYTES = Float32Array.BYTES_PER_ELEMENT;
const SLACK = 16; // free elements behind each slot and behind a staged constant (layout.py)

/** @typedef {import("../../load/weights.js").Stored} Stored */

/**
 * @param {import("../common/linear.js").LinearAbout} about
 * @param {import("../../load/instance.js").Functions} exports  of the program; emit/wasm/decode.py
 *   and packers.py describe them
 * @param {WebAssembly.Memory} memory
 * @returns {(constant: {name: string, stored: Stored}) => void}
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

  /** @param {Stored} constant @returns {number} the byte address behind the scales */
  function placeScales({ encoding, scale }) {
    const { scales: stored } = ENCODINGS[encoding];
    if (!scale || !stored) return scales;
    const count = (8 * scale.length) / ENCODINGS[stored].bits;
    decode({ encoding: stored, shape: [count], bytes: scale }, scales);
    return scales + BYTES * count;
  }

  /** @param {Stored} stored @param {number} target  a byte address */
  function decode({ encoding, shape, bytes, group = 0 }, target) {
    if (encoding === PLAIN) return heap.set(bytes, target);
    const count = shape.reduce((product, n) => product * n, 1);
    const source = target + BYTES * (count + SLACK) - bytes.length;
    heap.set(bytes, source);
    const columns = shape[shape.length - 1];
    exports[`decode_${encoding}`](source, target, count / columns, columns, scales, group);
  }
}
