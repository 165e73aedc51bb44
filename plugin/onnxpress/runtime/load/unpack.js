/** A published shard -> its part of the stream of weights; weights/compression.py packs it. */
import { PressError } from "../errors.js";
import { SLICE, join } from "./join.js";

const MAX_BYTES = 64 << 20; // of one unpacked shard; builds cut the stream every 8 MiB
const WRITE = 64 << 10; // bytes inflated at a time: the result waits in memory until it is read

/** @param {import("../types.js").Shard[]} shards @throws {PressError} "browser": too old */
export function requireUnpacking(shards) {
  const packed = shards.find((entry) => entry.packed);
  if (!packed || globalThis.DecompressionStream) return;
  throw new PressError("browser", "This browser is too old to unpack the model's weights; Chrome " +
    "80, Firefox 113, Safari 16.4 and later ones can.", { file: packed.url });
}

/**
 * @param {import("../types.js").Shard} entry
 * @param {ArrayBuffer} content  verified
 * @param {(bytes: Uint8Array, start: number) => void} take  gets the unpacked bytes run by run; a
 *   run begins at byte `start` of the unpacked shard. It must copy the bytes that it keeps
 * @throws {PressError} "manifest": the manifest does not describe the content
 */
export async function unpack({ url, packed }, content, take) {
  if (!packed) return take(new Uint8Array(content), 0);
  const { bytes, planes, raw } = packed;
  const wrong = () => new PressError("manifest", `${url}: it does not unpack to the ${bytes} ` +
    "bytes that the manifest promises. The site needs to build its pack again.", { file: url });
  const size = bytes / planes;
  if (![1, 2, 4].includes(planes) || !(bytes > 0 && bytes <= MAX_BYTES) || bytes % planes ||
      !(Number.isInteger(raw) && raw >= 0 && raw < planes && raw * size <= content.byteLength)) {
    throw wrong();
  }
  // The last plane is joined with the others as it arrives.
  const others = Array.from({ length: planes - 1 }, (_, p) => (
    p < raw ? new Uint8Array(content, p * size, size) : new Uint8Array(size)));
  let plane = raw, at = 0;
  try {
    for await (const chunk of inflated(content, raw * size)) {
      for (let used = 0; used < chunk.length;) {
        if (plane === planes) throw wrong();
        const part = chunk.subarray(used, used + Math.min(SLICE, size - at));
        const end = at + part.length;
        if (plane < others.length) others[plane].set(part, at);
        else take(join([...others.map((other) => other.subarray(at, end)), part]), at * planes);
        used += part.length;
        at = end % size;
        if (end === size) plane++;
      }
    }
  } catch (error) {
    throw error instanceof TypeError ? wrong() : error;
  }
  if (plane < planes) throw wrong();
}

/**
 * @param {ArrayBuffer} content
 * @param {number} start  the byte where the deflated part begins
 * @returns {AsyncGenerator<Uint8Array>}
 * @throws {TypeError} the part is damaged
 */
async function* inflated(content, start) {
  const { writable, readable } = new DecompressionStream("deflate");
  // A failure shows where the result is read, too.
  feed(writable.getWriter(), content, start).catch(() => {});
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

/**
 * Writes the content from byte `start` on; the stream takes each piece as soon as it is free.
 * @param {WritableStreamDefaultWriter} writer
 * @param {ArrayBuffer} content
 * @param {number} start
 */
function feed(writer, content, start) {
  const writes = [];
  for (let at = start; at < content.byteLength; at += WRITE) {
    const length = Math.min(WRITE, content.byteLength - at);
    writes.push(writer.write(new Uint8Array(content, at, length)));
  }
  return Promise.all([...writes, writer.close()]);
}
