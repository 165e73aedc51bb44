/** Verified files between visits, in the Cache API, else in memory; named by their content. */
import { factsOf } from "../errors.js";
import { pause } from "./request.js";

const CACHE = "onnxpress";
const MONTH = 30 * 24 * 3600 * 1000;

const BEGUN = "onnxpress:begun"; // in localStorage: this site's pages have downloaded before

const LATER = 500; // ms after which content is stored though the model still loads
const CROWD = 64e6; // bytes that may wait to be stored

/**
 * sha256 -> content that the cache does not hold yet, or refused. It stays until the load that
 * needs it is complete.
 * @type {Map<string, ArrayBuffer>}
 */
const memory = new Map();

/** sha256 -> how many of the loads under way need the content. @type {Map<string, number>} */
const wanted = new Map();

/** Contents that wait to be stored, one after the other. */
const queue = { bytes: 0, tail: Promise.resolve() };

/** The cache's key, equal on all pages and in all versions of a site. @param {string} sha256 */
const addressOf = (sha256) => new URL(`/onnxpress/sha256/${sha256}`, location.origin).href;

/**
 * Whether this browser cannot have kept anything yet. Asking the cache would take longer than a
 * small file does. The next call, in any tab, says no.
 * @returns {boolean} false where nobody can tell
 */
export function firstVisit() {
  try {
    if (!globalThis.caches || localStorage.getItem(BEGUN)) return false;
    localStorage.setItem(BEGUN, "1");
    return true;
  } catch {
    return false;
  }
}

/**
 * It takes longer than a small download.
 * @returns {Promise<Cache|null>} null where there is none
 */
export async function openCache() {
  try {
    return await caches.open(CACHE);
  } catch {
    return null;
  }
}

export class Store {
  #needed;
  #note;
  /** @type {Promise<Cache|null>|null} */
  #cache = null;
  /** Whether the cache takes no more, so that other tabs cannot find this page's files. */
  full = false;
  #complete = false;
  #left = false;
  #wake = () => {};
  /** @type {Promise<void>} */
  #woken = new Promise((resolve) => { this.#wake = resolve; });
  /** @type {Promise<void>[]} */
  #puts = [];

  /**
   * @param {string[]} needed sha256 of each file of the model. These never make room for others,
   *   and memory keeps the files that the cache refuses
   * @param {(text: string) => void} note
   * @param {Promise<Cache|null>|null} [cache]  null on a first visit: then it is
   *   opened when there is something to store
   */
  constructor(needed, note, cache = openCache()) {
    this.#needed = [...new Set(needed)];
    this.#note = note;
    for (const sha256 of this.#needed) wanted.set(sha256, (wanted.get(sha256) ?? 0) + 1);
    if (cache) this.#use(cache);
  }

  /** Whether nothing is kept yet and nothing stored. */
  get first() {
    return !this.#cache;
  }

  /** @param {Promise<Cache|null>} cache */
  async #use(cache) {
    this.#cache = cache;
    if (await cache) return;
    this.full = true;
    this.#note("This browser keeps no files for this page; the next visit downloads them again.");
  }

  /** @param {string} sha256 @returns {Promise<ArrayBuffer|null>} not verified yet */
  async get(sha256) {
    const held = memory.get(sha256);
    if (held) return held;
    try {
      const cache = await this.#cache;
      const found = await cache?.match(addressOf(sha256));
      if (!cache || !found) return null;
      const bytes = await found.arrayBuffer();
      const age = Date.now() - Date.parse(found.headers.get("Date") ?? "");
      if (!(age < MONTH)) await this.#write(cache, sha256, bytes);
      return bytes;
    } catch {
      return null;
    }
  }

  /**
   * Puts content into memory at once, and into the cache when the model is complete, or LATER:
   * storing can take longer than a download.
   * @param {string} sha256
   * @param {ArrayBuffer} bytes
   * @returns {Promise<void>} when it is there, or cannot be
   */
  put(sha256, bytes) {
    const put = this.#put(sha256, bytes);
    this.#puts.push(put);
    return put;
  }

  /** @param {string} sha256 @param {ArrayBuffer} bytes */
  async #put(sha256, bytes) {
    memory.set(sha256, bytes);
    queue.bytes += bytes.byteLength;
    if (this.crowded) this.#wake();
    await Promise.race([this.#woken, pause(LATER)]);
    queue.tail = queue.tail.then(() => this.#save(sha256, bytes));
    await queue.tail;
    queue.bytes -= bytes.byteLength;
  }

  /** Whether much content waits in memory to be stored, and the cache may take it. */
  get crowded() {
    return !this.full && queue.bytes > CROWD;
  }

  /** @param {string} sha256 @param {ArrayBuffer} bytes */
  async #save(sha256, bytes) {
    let refused = true;
    try {
      if (!this.#cache) this.#use(openCache());
      const cache = this.full ? null : await this.#cache;
      if (cache) {
        await this.#write(cache, sha256, bytes);
        refused = false;
      }
    } catch {
      this.full = true;
      this.#note("The browser's storage for this page is full; the files stay in memory this " +
        "time.");
    }
    const mine = this.#needed.includes(sha256) && !this.#complete;
    if (!refused || !(mine || wanted.has(sha256))) memory.delete(sha256);
  }

  /**
   * Writes a file, and makes room where there is none: files of other models and of older versions
   * go, the oldest first. A file in use is written anew once a month, so it is not among the
   * oldest.
   * @param {Cache} cache
   * @param {string} sha256
   * @param {ArrayBuffer} bytes
   */
  async #write(cache, sha256, bytes) {
    for (;;) {
      const headers = { Date: new Date().toUTCString() };
      try {
        return await cache.put(addressOf(sha256), new Response(bytes, { headers }));
      } catch (error) {
        const crowded = factsOf(error).name === "QuotaExceededError";
        if (!crowded || !(await this.#dropOldest(cache))) throw error;
      }
    }
  }

  /** @param {Cache} cache @returns {Promise<boolean>} whether there was a file to drop */
  async #dropOldest(cache) {
    const needed = new Set(this.#needed.map(addressOf));
    const oldest = (await cache.keys()).find(({ url }) => !needed.has(url));
    if (oldest) await cache.delete(oldest);
    return Boolean(oldest);
  }

  /** @param {string} sha256 */
  async drop(sha256) {
    memory.delete(sha256);
    try {
      await (await this.#cache)?.delete(addressOf(sha256));
    } catch {
      // A cache that cannot delete cannot be read either; the server's file comes in its place.
    }
  }

  /** Stores all content now. @returns {Promise<void>} when all is stored, or cannot be */
  async settle() {
    this.#wake();
    await Promise.all(this.#puts);
  }

  /** The model is complete: memory drops the copies that no other load needs. */
  release() {
    this.#complete = true;
    this.leave();
    for (const sha256 of this.#needed) if (!wanted.has(sha256)) memory.delete(sha256);
  }

  /** The load is over; the copies in memory may serve the next try. */
  leave() {
    if (this.#left) return;
    this.#left = true;
    for (const sha256 of this.#needed) {
      const others = (wanted.get(sha256) ?? 1) - 1;
      if (others) wanted.set(sha256, others);
      else wanted.delete(sha256);
    }
  }
}
