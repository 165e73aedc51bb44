/** Stored weights -> Float32Array in canonical (C) order. */

/** The value of float32 bits that were a half's, moved up, lacks the difference of the biases. */
const HALF_SCALE = 2 ** (127 - 15);

/** @param {Uint16Array} half IEEE 754 binary16 @returns {Float32Array} */
export function decodeHalf(half) {
  const out = new Float32Array(half.length);
  const bits = new Uint32Array(out.buffer);
  for (let i = 0; i < half.length; i++) {
    const h = half[i];
    bits[i] = (h & 0x7fff) << 13;
    if ((h & 0x7c00) === 0x7c00) bits[i] |= 0x7f800000;
    else out[i] *= HALF_SCALE;
    bits[i] |= (h & 0x8000) << 16;
  }
  return out;
}

/** @param {Int8Array} q @param {Float32Array} scale one per index of the last axis */
export function decodeInt8(q, scale) {
  const out = new Float32Array(q.length);
  const n = scale.length;
  for (let i = 0; i < q.length; i += n) {
    for (let c = 0; c < n; c++) out[i + c] = q[i + c] * scale[c];
  }
  return out;
}

/**
 * @param {Uint8Array} packed two values a byte, the first in the low bits
 * @param {Uint16Array} scale one half per `group` rows and column
 * @param {number[]} shape rows are all axes but the last
 * @param {number} group
 */
export function decodeInt4(packed, scale, shape, group) {
  const columns = shape.at(-1);
  const out = new Float32Array(shape.reduce((product, n) => product * n, 1));
  const scales = decodeHalf(scale);
  for (let i = 0, row = 0; i < out.length; row++) {
    const first = Math.floor(row / group) * columns;
    for (let c = 0; c < columns; c++, i++) {
      const nibble = i & 1 ? packed[i >> 1] >> 4 : packed[i >> 1] & 15;
      out[i] = ((nibble ^ 8) - 8) * scales[first + c];
    }
  }
  return out;
}

const as = (type, { buffer, byteOffset, byteLength }) =>
  new type(buffer, byteOffset, byteLength / type.BYTES_PER_ELEMENT);

/** The encoding that changes nothing. */
export const PLAIN = "f32";

/**
 * By the names of weights/encodings.py. `scales`: the encoding of the scales, where there are any.
 * @type {Object<string, {bits: number, scales?: string,
 *   decode: (bytes: Uint8Array, scale?: Uint8Array, shape?: number[], group?: number) =>
 *     Float32Array}>}
 */
export const ENCODINGS = {
  [PLAIN]: { bits: 32, decode: (bytes) => as(Float32Array, bytes) },
  f16: { bits: 16, decode: (bytes) => decodeHalf(as(Uint16Array, bytes)) },
  int8: {
    bits: 8, scales: PLAIN,
    decode: (bytes, scale) => decodeInt8(as(Int8Array, bytes), as(Float32Array, scale)),
  },
  int4: {
    bits: 4, scales: "f16",
    decode: (bytes, scale, shape, group) =>
      decodeInt4(bytes, as(Uint16Array, scale), shape, group),
  },
};

/**
 * @param {keyof typeof ENCODINGS} encoding
 * @param {Uint8Array} bytes the values, 16-byte aligned
 * @param {Uint8Array} [scale] of an encoding with scales
 * @param {number[]} [shape] of the tensor, where groups of rows share a scale
 * @param {number} [group] rows that share a scale
 * @returns {Float32Array} for f32 a view of `bytes`
 */
export function decode(encoding, bytes, scale, shape, group) {
  return ENCODINGS[encoding].decode(bytes, scale, shape, group);
}
