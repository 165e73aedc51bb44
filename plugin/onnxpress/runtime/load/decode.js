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

/**
 * @param {"f32"|"f16"|"int8"|"int4"} encoding
 * @param {Uint8Array} bytes the values, 16-byte aligned
 * @param {Uint8Array} [scale] of int8 and int4
 * @param {number[]} [shape] of int4
 * @param {number} [group] of int4
 * @returns {Float32Array} for f32 a view of `bytes`
 */
export function decode(encoding, bytes, scale, shape, group) {
  const as = (type, { buffer, byteOffset, byteLength }) =>
    new type(buffer, byteOffset, byteLength / type.BYTES_PER_ELEMENT);
  if (encoding === "f32") return as(Float32Array, bytes);
  if (encoding === "f16") return decodeHalf(as(Uint16Array, bytes));
  if (encoding === "int4") return decodeInt4(bytes, as(Uint16Array, scale), shape, group);
  return decodeInt8(as(Int8Array, bytes), as(Float32Array, scale));
}
