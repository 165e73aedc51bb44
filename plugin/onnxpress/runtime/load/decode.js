/** Stored weights -> Float32Array in canonical (C) order. */

/** Exponents are stored with a bias: 127 in f32, 15 in f16. */
const HALF_SCALE = 2 ** (127 - 15);

/** @param {Uint16Array} half  IEEE 754 binary16 @returns {Float32Array} */
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

/** @param {Int8Array} q @param {Float32Array} scale  one value per index of the last axis */
export function decodeInt8(q, scale) {
  const out = new Float32Array(q.length);
  const n = scale.length;
  for (let i = 0; i < q.length; i += n) {
    for (let c = 0; c < n; c++) out[i + c] = q[i + c] * scale[c];
  }
  return out;
}

/**
 * @param {Uint8Array} packed  two values a byte, the first in the low bits
 * @param {Uint16Array} scale  scale[rows / group, columns] as f16
 * @param {number[]} shape  columns are the last axis, rows all others
 * @param {number} group  rows that share a scale
 * @returns {Float32Array}
 */
export function decodeInt4(packed, scale, shape, group) {
  const columns = shape[shape.length - 1];
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

/** @param {Uint8Array} bytes @returns {Float32Array} a view */
const floats = ({ buffer, byteOffset, length }) => new Float32Array(buffer, byteOffset, length / 4);

/** @param {Uint8Array} bytes @returns {Uint16Array} a view */
const halves = ({ buffer, byteOffset, length }) => new Uint16Array(buffer, byteOffset, length / 2);

/** @param {Uint8Array} bytes @returns {Int8Array} a view */
const signed = ({ buffer, byteOffset, length }) => new Int8Array(buffer, byteOffset, length);

/** The encoding that changes nothing. */
export const PLAIN = "f32";

/**
 * @typedef {import("../types.js").WeightTensor["encoding"]} EncodingName
 *
 * @typedef {Object} Encoding
 * @property {number} bits  of a value
 * @property {EncodingName} [scales]  the encoding of the scales, where there are any
 * @property {(bytes: Uint8Array, scale: Uint8Array, shape: number[], group: number) =>
 *   Float32Array} decode
 */

/** By the names of weights/encodings.py. @type {{[name in EncodingName]: Encoding}} */
export const ENCODINGS = {
  [PLAIN]: { bits: 32, decode: floats },
  f16: { bits: 16, decode: (bytes) => decodeHalf(halves(bytes)) },
  int8: {
    bits: 8, scales: PLAIN,
    decode: (bytes, scale) => decodeInt8(signed(bytes), floats(scale)),
  },
  int4: {
    bits: 4, scales: "f16",
    decode: (bytes, scale, shape, group) => decodeInt4(bytes, halves(scale), shape, group),
  },
};

const NOTHING = new Uint8Array(0);

/**
 * @param {EncodingName} encoding
 * @param {Uint8Array} bytes  the values, which begin at a multiple of 4 bytes
 * @param {Uint8Array} [scale]  of an encoding with scales
 * @param {number[]} [shape]  of the tensor, where groups of rows share a scale
 * @param {number} [group]  rows that share a scale
 * @returns {Float32Array} for f32 a view of `bytes`
 * @throws {TypeError} the scales are missing
 */
export function decode(encoding, bytes, scale, shape = [0], group = 1) {
  const { scales, decode: one } = ENCODINGS[encoding];
  if (scales && !scale) throw new TypeError(`${encoding} weights lack their scales`);
  return one(bytes, scale ?? NOTHING, shape, group);
}
