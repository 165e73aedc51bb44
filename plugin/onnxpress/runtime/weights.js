/** The model's constants as they arrive. */
import { decode } from "./decode.js";

/**
 * Decoded tensors, shard by shard in order of arrival: a backend packs one while the next load.
 * @param {import("./types.js").Manifest} manifest
 * @param {import("./fetch.js").Downloads} downloads
 * @returns {AsyncGenerator<{name: string, data: Float32Array}>}
 */
export async function* streamWeights(manifest, downloads) {
  const { shards, tensors } = manifest.weights;
  const pending = new Map(shards.map((entry, shard) => [
    shard, downloads.file(entry).then((bytes) => ({ shard, bytes })),
  ]));
  // One failure ends the stream; the others' are the same news.
  for (const promise of pending.values()) promise.catch(() => {});
  while (pending.size) {
    const { shard, bytes } = await Promise.race(pending.values());
    pending.delete(shard);
    for (const tensor of tensors) {
      if (tensor.shard === shard) yield { name: tensor.name, data: decode(tensor, bytes) };
    }
  }
}
