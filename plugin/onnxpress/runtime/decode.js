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
 * @param {import("./types.js").WeightTensor} tensor
 * @param {ArrayBuffer} shard
 * @returns {Float32Array} for f32 a view of the shard
 */
export function decode(tensor, shard) {
  const { encoding, offset, bytes, scale } = tensor;
  if (encoding === "f32") return new Float32Array(shard, offset, bytes / 4);
  if (encoding === "f16") return decodeHalf(new Uint16Array(shard, offset, bytes / 2));
  return decodeInt8(
    new Int8Array(shard, offset, bytes), new Float32Array(shard, scale.offset, scale.bytes / 4));
}
