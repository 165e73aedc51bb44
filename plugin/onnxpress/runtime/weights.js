/** The model's constants as they arrive. */
import { decode } from "./decode.js";

/** @typedef {{shard: number, offset: number, bytes: number}} Part  of the stream that shards cut */

/**
 * Decoded tensors, each as soon as its shards are there: a backend packs one while the next load.
 * @param {import("./types.js").Manifest} manifest
 * @param {import("./fetch.js").Downloads} downloads
 * @returns {AsyncGenerator<{name: string, data: Float32Array}>}
 */
export async function* streamWeights(manifest, downloads) {
  const { shards, tensors } = manifest.weights;
  const loading = new Map(shards.map((entry, shard) => [
    shard, downloads.file(entry).then((bytes) => ({ shard, bytes })),
  ]));
  // One failure ends the stream; the others' are the same news.
  for (const promise of loading.values()) promise.catch(() => {});
  const here = new Map();
  let waiting = tensors.map((tensor) => ({ tensor, needs: shardsOf(tensor, shards) }));
  while (loading.size) {
    const { shard, bytes } = await Promise.race(loading.values());
    loading.delete(shard);
    here.set(shard, bytes);
    const ready = waiting.filter(({ needs }) => needs.every((need) => here.has(need)));
    waiting = waiting.filter((one) => !ready.includes(one));
    for (const { tensor } of ready) {
      const scale = tensor.scale && locate(tensor.scale, here);
      yield { name: tensor.name, data: decode(tensor.encoding, locate(tensor, here), scale) };
    }
    for (const old of here.keys()) {
      if (!waiting.some(({ needs }) => needs.includes(old))) here.delete(old);
    }
  }
}

/** @returns {number[]} the shards that hold the tensor and its scale */
function shardsOf(tensor, shards) {
  const found = new Set();
  for (const part of [tensor, tensor.scale ?? tensor]) {
    let left = part.offset + part.bytes;
    for (let i = part.shard; left > 0 && i < shards.length; i++) {
      found.add(i);
      left -= shards[i].bytes;
    }
  }
  return [...found];
}

/**
 * @param {Part} part
 * @param {Map<number, ArrayBuffer>} here
 * @returns {Uint8Array} a view where the part lies in one shard, else a copy
 */
function locate({ shard, offset, bytes }, here) {
  const first = here.get(shard);
  if (offset + bytes <= first.byteLength) return new Uint8Array(first, offset, bytes);
  const out = new Uint8Array(bytes);
  for (let at = 0; at < bytes; shard++, offset = 0) {
    const piece = new Uint8Array(here.get(shard), offset).subarray(0, bytes - at);
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}
