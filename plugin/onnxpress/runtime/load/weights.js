/** The model's constants as they arrive. */
import { PLAIN, decode } from "./decode.js";
import { PressError } from "../errors.js";
import { requireUnpacking, unpack } from "./unpack.js";

const AHEAD = 6; // shards that are here or under way while a target is busy with one

/**
 * @typedef {import("../types.js").Shard} Shard
 * @typedef {import("../types.js").WeightTensor} WeightTensor
 */

/**
 * @typedef {Object} Stored  A tensor as the pack stores it.
 * @property {import("./decode.js").EncodingName} encoding
 * @property {number[]} shape
 * @property {Uint8Array} bytes
 * @property {Uint8Array} [scale]  of int8 and int4
 * @property {number} [group]  of int4
 */

/**
 * @typedef {Object} Constant
 * @property {string} name
 * @property {Float32Array} data  decoded when it is read, each time
 * @property {Stored} stored
 */

/**
 * @typedef {(bytes: Uint8Array, at: number) => void} Write  copies a run of a tensor's bytes, which
 *   begins at byte `at` of the tensor and holds whole f32 values
 *
 * @typedef {(tensor: WeightTensor) => Write|null} Receive  says where the bytes of an f32 tensor go
 *   as they arrive, or null where the whole tensor is wanted
 *
 * @typedef {AsyncIterable<Constant> & {into?: (receive: Receive) => void}} WeightStream  Constants
 *   in the order of their arrival. After `into`, a tensor that `receive` has taken comes with its
 *   name only
 */

/**
 * @typedef {Object} Arriving  A tensor whose shards are on their way.
 * @property {WeightTensor} tensor
 * @property {number} missing  pieces that are yet to come
 * @property {Uint8Array} bytes
 * @property {Uint8Array} [scale]
 * @property {Write|null} write
 *
 * @typedef {Object} Piece  The part of a tensor that lies in one shard; all lengths in bytes.
 * @property {Arriving} arriving
 * @property {"bytes"|"scale"} role
 * @property {number} at  where it begins in the tensor
 * @property {number} offset  where it begins in the shard
 * @property {number} length
 * @property {number} whole  the tensor's length
 */

/**
 * Tensors, each as soon as its shards are there. A target packs one while the next ones load and
 * unpack, side by side where the browser has threads for that. Few shards are in memory at a time,
 * so memory holds the weights hardly more than once.
 * @param {import("../types.js").Manifest} manifest
 * @param {Files} downloads
 * @returns {WeightStream}
 *
 * @typedef {{file: (entry: import("../types.js").FileEntry) => Promise<ArrayBuffer>}} Files
 */
export function streamWeights(manifest, downloads) {
  /** @type {Receive} */
  let receive = () => null;
  const stream = generate(manifest, downloads, (tensor) => receive(tensor));
  /** @param {Receive} given */
  const into = (given) => { receive = given; };
  return Object.assign(stream, { into });
}

/**
 * @param {import("../types.js").Manifest} manifest
 * @param {Files} downloads
 * @param {Receive} receive
 * @returns {AsyncGenerator<Constant>}
 */
async function* generate(manifest, downloads, receive) {
  const { shards, tensors } = manifest.weights;
  requireUnpacking(shards);
  const { empty, pieces } = cut(shards, tensors, receive);
  yield* empty.map(constant);
  /** @type {Map<number, Promise<number>>} */
  const loading = new Map();
  for (let next = 0; ;) {
    while (next < shards.length && loading.size < AHEAD) {
      const shard = next++;
      const file = downloads.file(shards[shard])
        .then((content) => unpack(shards[shard], content, placer(pieces[shard])))
        .then(() => shard);
      file.catch(() => {}); // the first failure ends the stream; later ones are the same news
      loading.set(shard, file);
    }
    if (!loading.size) return;
    const shard = await Promise.race(loading.values());
    loading.delete(shard);
    for (const { arriving } of pieces[shard]) {
      if (--arriving.missing === 0) yield constant(arriving);
    }
    pieces[shard] = []; // else they would keep the tensors in memory
  }
}

/** @type {Piece["role"][]} */
const ROLES = ["bytes", "scale"];

/**
 * Cuts the tensors at the borders of the shards.
 * @param {Shard[]} shards
 * @param {WeightTensor[]} tensors
 * @param {Receive} receive
 * @returns {{pieces: Piece[][], empty: Arriving[]}} `pieces` of each shard, in its order; `empty`:
 *   tensors without bytes
 * @throws {PressError} "manifest": a tensor lies outside the shards
 */
function cut(shards, tensors, receive) {
  const whole = shards.map(({ packed }) => !packed || packed.planes === 4); // its runs are of f32
  const sizes = shards.map((entry) => entry.packed?.bytes ?? entry.bytes);
  /** @type {Piece[][]} */
  const pieces = shards.map(() => []);
  const all = tensors.map((tensor) => {
    /** @type {Arriving} */
    const arriving = { tensor, missing: 0, bytes: new Uint8Array(0), write: null };
    let direct = tensor.encoding === PLAIN && tensor.bytes > 0;
    for (const role of ROLES) {
      const part = role === "bytes" ? tensor : tensor.scale;
      if (!part) continue;
      let { shard, offset } = part;
      for (let at = 0; at < part.bytes; shard++, offset = 0) {
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
 * @param {Piece[]} pieces of a shard, in its order
 * @returns {(bytes: Uint8Array, start: number) => void} copies runs of the shard, one after the
 *   other, to the tensors; a run begins at byte `start` of the shard
 */
function placer(pieces) {
  let first = 0; // the first piece that is not complete
  /** @param {Piece} piece */
  const endOf = ({ offset, length }) => offset + length;
  return (bytes, start) => {
    const end = start + bytes.length;
    for (let i = first; i < pieces.length && pieces[i].offset < end; i++) {
      place(pieces[i], bytes, start);
    }
    while (first < pieces.length && endOf(pieces[first]) <= end) first++;
  };
}

/**
 * Copies the part of a piece that lies in a run of its shard.
 * @param {Piece} piece
 * @param {Uint8Array} bytes  the run
 * @param {number} start  the byte of the shard where the run begins
 */
function place({ arriving, role, at, offset, length, whole }, bytes, start) {
  const from = Math.max(offset, start), end = Math.min(offset + length, start + bytes.length);
  if (from >= end) return;
  const run = bytes.subarray(from - start, end - start), target = at + from - offset;
  if (arriving.write) return arriving.write(run, target);
  let array = arriving[role];
  if (array?.length !== whole) arriving[role] = array = new Uint8Array(whole);
  array.set(run, target);
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
