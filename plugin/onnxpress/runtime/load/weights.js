/** The model's constants as they arrive. */
import { PLAIN, decode } from "./decode.js";
import { PressError } from "../errors.js";
import { requireUnpacking, unpack } from "./unpack.js";

const AHEAD = 6; // shards that are here or under way while a backend is busy with one

/**
 * @typedef {Object} Stored  A tensor as it is stored.
 * @property {string} encoding
 * @property {number[]} shape
 * @property {Uint8Array} bytes
 * @property {Uint8Array} [scale]
 * @property {number} [group]
 */
/**
 * @typedef {Object} Constant
 * @property {string} name
 * @property {Float32Array} data  decoded when it is read, each time
 * @property {Stored} stored
 */
/**
 * @typedef {{tensor: import("../types.js").WeightTensor, missing: number, bytes: Uint8Array,
 *   scale?: Uint8Array, write: Write|null}} Arriving  `missing` pieces are yet to come
 */
/** @typedef {(bytes: Uint8Array, at: number) => void} Write  copies a run of a tensor's bytes, whole
 *   f32, from its byte `at` on */

/**
 * Tensors, each as soon as its shards are there: a backend packs one while the next load and unpack,
 * side by side where the browser has threads for that. Few do so at a time and a shard is let go
 * before the next, so that memory holds the weights hardly more than once.
 * @param {import("../types.js").Manifest} manifest
 * @param {import("./fetch.js").Downloads} downloads
 * @returns {AsyncGenerator<Constant> & {into: (receive: Receive) => void}} of a tensor that `receive`
 *   has taken, only the name comes
 *
 * @typedef {(tensor: import("../types.js").WeightTensor) => Write|null} Receive  takes a tensor in f32
 *   as it arrives, so that it is not put together first
 */
export function streamWeights(manifest, downloads) {
  let receive = () => null;
  const stream = generate(manifest, downloads, (tensor) => receive(tensor));
  return Object.assign(stream, { into(given) { receive = given; } });
}

async function* generate(manifest, downloads, receive) {
  const { shards, tensors } = manifest.weights;
  requireUnpacking(shards);
  const { empty, pieces } = cut(shards, tensors, receive);
  yield* empty.map(constant);
  const loading = new Map();
  for (let next = 0; ;) {
    while (next < shards.length && loading.size < AHEAD) {
      const shard = next++;
      const file = downloads.file(shards[shard])
        .then((content) => unpack(shards[shard], content, placer(pieces[shard])))
        .then(() => shard);
      file.catch(() => {}); // one failure ends the stream; the others' are the same news
      loading.set(shard, file);
    }
    if (!loading.size) return;
    const shard = await Promise.race(loading.values());
    loading.delete(shard);
    for (const { arriving } of pieces[shard]) {
      if (--arriving.missing === 0) yield constant(arriving);
    }
    pieces[shard] = null; // they hold on to the tensors
  }
}

/**
 * Which pieces of which tensors each shard holds.
 * @param {import("../types.js").Shard[]} shards
 * @param {import("../types.js").WeightTensor[]} tensors
 * @param {Receive} receive
 * @throws {PressError} "manifest", where a tensor lies outside the shards
 */
function cut(shards, tensors, receive) {
  const whole = shards.map(({ packed }) => !packed || packed.planes === 4); // runs of f32
  const sizes = shards.map((entry) => entry.packed?.bytes ?? entry.bytes);
  const pieces = shards.map(() => []);
  const all = tensors.map((tensor) => {
    /** @type {Arriving} */
    const arriving = { tensor, missing: 0, bytes: new Uint8Array(0), write: null };
    let direct = tensor.encoding === PLAIN && tensor.bytes > 0;
    for (const [role, part] of [["bytes", tensor], ["scale", tensor.scale]]) {
      let { shard, offset } = part ?? {};
      for (let at = 0; at < (part?.bytes ?? 0); shard++, offset = 0) {
        const length = Math.min(part.bytes - at, sizes[shard] - offset);
        if (!(length > 0)) {
          throw new PressError("manifest", `The manifest places the weights "${tensor.name}" ` +
            "outside its files. The site needs to build its pack again.", { file: shards[0]?.url });
        }
        pieces[shard].push({ arriving, role, at, offset, length, whole: part.bytes });
        arriving.missing++;
        direct &&= whole[shard];
        at += length;
      }
    }
    if (direct) arriving.write = receive(tensor);
    return arriving;
  });
  for (const list of pieces) list.sort((a, b) => a.offset - b.offset);
  return { pieces, empty: all.filter(({ missing }) => !missing) };
}

/**
 * @param {Object[]} pieces of a shard, as they lie in it
 * @returns {(bytes: Uint8Array, start: number) => void} copies runs of the shard, one after the
 *   other, to the tensors
 */
function placer(pieces) {
  let first = 0; // that is not complete
  const endOf = ({ offset, length }) => offset + length;
  return (bytes, start) => {
    const end = start + bytes.length;
    for (let i = first; i < pieces.length && pieces[i].offset < end; i++) {
      place(pieces[i], bytes, start);
    }
    while (first < pieces.length && endOf(pieces[first]) <= end) first++;
  };
}

/** Copies what a run of a shard, from its byte `start` on, holds of a piece. */
function place({ arriving, role, at, offset, length, whole }, bytes, start) {
  const from = Math.max(offset, start), end = Math.min(offset + length, start + bytes.length);
  if (from >= end) return;
  const run = bytes.subarray(from - start, end - start), target = at + from - offset;
  if (arriving.write) return arriving.write(run, target);
  if (arriving[role]?.length !== whole) arriving[role] = new Uint8Array(whole);
  arriving[role].set(run, target);
}

/** @param {Arriving} arriving @returns {Constant} */
function constant({ tensor: { name, encoding, shape, group }, bytes, scale }) {
  return {
    name,
    stored: { encoding, shape, bytes, scale, group },
    get data() {
      return decode(encoding, bytes, scale, shape, group);
    },
  };
}
