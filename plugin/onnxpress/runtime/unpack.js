/** A shard as it was published -> its part of the weights' stream; compression.py packs it. */
import { PressError } from "./errors.js";

const MAX_BYTES = 64 << 20; // of one unpacked shard; builds cut the stream every 8 MiB
const PLANES = [1, 2, 4];
const SLICE = 64 << 10; // written at a time: what it inflates to waits in memory until it is read

/** @param {import("./types.js").Shard[]} shards @throws {PressError} "browser" */
export function requireUnpacking(shards) {
  const packed = shards.find((entry) => entry.packed);
  if (!packed || globalThis.DecompressionStream) return;
  throw new PressError("browser", "This browser is too old to unpack the model's weights; Chrome " +
    "80, Firefox 113, Safari 16.4 and later ones can.", { file: packed.url });
}

/**
 * @param {import("./types.js").Shard} entry
 * @param {ArrayBuffer} content verified; it may be what is returned, so neither is written to
 * @returns {Promise<Uint8Array>}
 * @throws {PressError} "manifest", where the manifest does not describe the content
 */
export async function unpack({ url, packed }, content) {
  if (!packed) return new Uint8Array(content);
  const { bytes, planes } = packed;
  const wrong = () => new PressError("manifest", `${url}: it does not unpack to the ${bytes} ` +
    "bytes that the manifest promises. The site needs to build its pack again.", { file: url });
  if (!PLANES.includes(planes) || !(bytes > 0 && bytes <= MAX_BYTES) || bytes % planes) {
    throw wrong();
  }
  const out = new Uint8Array(bytes);
  let length = 0;
  try {
    for await (const chunk of inflated(content)) {
      if (length + chunk.length > bytes) throw wrong();
      spread(chunk, out, length, planes);
      length += chunk.length;
    }
  } catch (error) {
    throw error instanceof TypeError ? wrong() : error;
  }
  if (length < bytes) throw wrong();
  return out;
}

/** @param {ArrayBuffer} content @returns {AsyncGenerator<Uint8Array>} @throws {TypeError} */
async function* inflated(content) {
  const { writable, readable } = new DecompressionStream("deflate");
  feed(writable.getWriter(), content).catch(() => {}); // what fails here fails where it is read, too
  const reader = readable.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** @param {WritableStreamDefaultWriter} writer @param {ArrayBuffer} content */
async function feed(writer, content) {
  for (let at = 0; at < content.byteLength; at += SLICE) {
    await writer.write(new Uint8Array(content, at, Math.min(SLICE, content.byteLength - at)));
  }
  await writer.close();
}

/**
 * Puts bytes `start`... of the planes, which follow each other, where they belong: the p-th byte of
 * value i is at i * planes + p.
 * @param {Uint8Array} chunk @param {Uint8Array} out @param {number} start @param {number} planes
 */
function spread(chunk, out, start, planes) {
  if (planes === 1) return out.set(chunk, start);
  const rows = out.length / planes;
  let plane = Math.floor(start / rows);
  let at = (start % rows) * planes + plane;
  for (let i = 0; i < chunk.length; i++) {
    out[at] = chunk[i];
    at += planes;
    if (at >= out.length) at = ++plane;
  }
}
