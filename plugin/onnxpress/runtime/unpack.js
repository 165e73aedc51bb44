/** A shard as it was published -> its part of the weights' stream; compression.py packs it. */
import { PressError } from "./errors.js";

const MAX_BYTES = 64 << 20; // of one unpacked shard; builds cut the stream every 8 MiB
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
  const { bytes, planes, raw } = packed;
  const wrong = () => new PressError("manifest", `${url}: it does not unpack to the ${bytes} ` +
    "bytes that the manifest promises. The site needs to build its pack again.", { file: url });
  const head = raw * bytes / planes;
  if (!Object.hasOwn(JOIN, planes) || !(bytes > 0 && bytes <= MAX_BYTES) || bytes % planes ||
      !(Number.isInteger(raw) && raw >= 0 && raw < planes && head <= content.byteLength)) {
    throw wrong();
  }
  const out = new Uint8Array(bytes);
  out.set(new Uint8Array(content, 0, head));
  let length = head;
  try {
    for await (const chunk of inflated(content, head)) {
      if (length + chunk.length > bytes) throw wrong();
      out.set(chunk, length);
      length += chunk.length;
    }
  } catch (error) {
    throw error instanceof TypeError ? wrong() : error;
  }
  if (length < bytes) throw wrong();
  return JOIN[planes](out);
}

/**
 * @param {ArrayBuffer} content
 * @param {number} start of what is deflated
 * @returns {AsyncGenerator<Uint8Array>}
 * @throws {TypeError}
 */
async function* inflated(content, start) {
  const { writable, readable } = new DecompressionStream("deflate");
  feed(writable.getWriter(), content, start).catch(() => {}); // what fails here fails where it is read, too
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
async function feed(writer, content, start) {
  for (let at = start; at < content.byteLength; at += SLICE) {
    await writer.write(new Uint8Array(content, at, Math.min(SLICE, content.byteLength - at)));
  }
  await writer.close();
}

/** Byte p of value i is byte i of plane p; the planes follow each other, the lowest byte first. */
const JOIN = {
  1: (planes) => planes,
  2(planes) {
    const n = planes.length / 2, out = new Uint16Array(n);
    for (let i = 0; i < n; i++) out[i] = planes[i] | planes[i + n] << 8;
    return new Uint8Array(out.buffer);
  },
  4(planes) {
    const n = planes.length / 4, out = new Uint32Array(n);
    for (let i = 0; i < n; i++) {
      out[i] = planes[i] | planes[i + n] << 8 | planes[i + 2 * n] << 16 | planes[i + 3 * n] << 24;
    }
    return new Uint8Array(out.buffer);
  },
};
