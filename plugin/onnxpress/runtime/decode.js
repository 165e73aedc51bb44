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
 * @param {"f32"|"f16"|"int8"} encoding
 * @param {Uint8Array} bytes the values, 16-byte aligned
 * @param {Uint8Array} [scale] of int8
 * @returns {Float32Array} for f32 a view of `bytes`
 */
export function decode(encoding, bytes, scale) {
  const as = (type, { buffer, byteOffset, byteLength }) =>
    new type(buffer, byteOffset, byteLength / type.BYTES_PER_ELEMENT);
  if (encoding === "f32") return as(Float32Array, bytes);
  if (encoding === "f16") return decodeHalf(as(Uint16Array, bytes));
  return decodeInt8(as(Int8Array, bytes), as(Float32Array, scale));
}
