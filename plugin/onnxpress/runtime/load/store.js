/** Verified files between visits, in the Cache API, else in memory; named by their content. */
import { pause } from "./request.js";

const CACHE = "onnxpress";
const MONTH = 30 * 24 * 3600 * 1000;

const BEGUN = "onnxpress:begun"; // in localStorage: this site's pages have downloaded before

const LATER = 500; // ms after which content is stored though the model still loads
const CROWD = 64e6; // bytes that may wait for it

/**
 * What the cache does not hold yet, or refused, until the load that needs it is complete:
 * sha256 -> content.
 */
const memory = new Map();

/** Loads under way: sha256 -> how many of them need the content. */
const wanted = new Map();

/** Contents that wait to be stored, one after the other. */
const queue = { bytes: 0, tail: Promise.resolve() };

/** The same on every page and in every version of a site. @param {string} sha256 */
const addressOf = (sha256) => new URL(`/onnxpress/sha256/${sha256}`, location.origin).href;

/**
 * Whether this browser cannot have kept anything yet: asking the cache takes longer than a small
 * file does. The next call, in any tab, says no.
 * @returns {boolean} false where that cannot be told
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

/** Takes the browser longer than a small file. @returns {Promise<Cache|null>} null where it cannot */
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
  #cache = null;
  /** Whether others cannot find here what this page puts in. */
  full = false;
  #complete = false;
  #left = false;
  #wake = () => {};
  #woken = new Promise((resolve) => { this.#wake = resolve; });
  #puts = [];

  /**
   * @param {string[]} needed sha256 of each file of the model: these never make room for others, and
   *   memory keeps what the cache refuses of them
   * @param {(text: string) => void} note
   * @param {Promise<Cache|null>|null} [cache]  null on a first visit: opened to store
   */
  constructor(needed, note, cache = openCache()) {
    this.#needed = [...new Set(needed)];
    this.#note = note;
    for (const sha256 of this.#needed) wanted.set(sha256, (wanted.get(sha256) ?? 0) + 1);
    if (cache) this.#use(cache);
  }

  /** Whether nothing can be here yet. */
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

  /** @param {string} sha256 @returns {Promise<ArrayBuffer|null>} to be verified */
  async get(sha256) {
    if (memory.has(sha256)) return memory.get(sha256);
    try {
      const cache = await this.#cache;
      const found = await cache?.match(addressOf(sha256));
      if (!found) return null;
      const bytes = await found.arrayBuffer();
      const age = Date.now() - Date.parse(found.headers.get("Date"));
      if (!(age < MONTH)) await this.#write(cache, sha256, bytes);
      return bytes;
    } catch {
      return null;
    }
  }

  /**
   * Into memory at once; into the cache when the model is complete or still waits for others, since
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

  async #put(sha256, bytes) {
    memory.set(sha256, bytes);
    queue.bytes += bytes.byteLength;
    if (this.crowded) this.#wake();
    await Promise.race([this.#woken, pause(LATER)]);
    queue.tail = queue.tail.then(() => this.#save(sha256, bytes));
    await queue.tail;
    queue.bytes -= bytes.byteLength;
  }

  /** Whether memory holds much that waits to be stored, and can be. */
  get crowded() {
    return !this.full && queue.bytes > CROWD;
  }

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
      this.#note("The browser's storage for this page is full; the files stay in memory this time.");
    }
    const mine = this.#needed.includes(sha256) && !this.#complete;
    if (!refused || !(mine || wanted.has(sha256))) memory.delete(sha256);
  }

  /**
   * Makes room where there is none: files of other models and of older versions go, those written
   * first before others. One in use is written anew once a month, so it is not among the first.
   */
  async #write(cache, sha256, bytes) {
    for (;;) {
      const headers = { Date: new Date().toUTCString() };
      try {
        return await cache.put(addressOf(sha256), new Response(bytes, { headers }));
      } catch (error) {
        if (error.name !== "QuotaExceededError" || !(await this.#dropOldest(cache))) throw error;
      }
    }
  }

  /** @returns {Promise<boolean>} whether there was one to drop */
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
      // A cache that cannot delete cannot be read either; the server's copy follows.
    }
  }

  /** Nothing else is waited for. @returns {Promise<void>} when all is stored, or cannot be */
  async settle() {
    this.#wake();
    await Promise.all(this.#puts);
  }

  /** The model is complete: memory need not hold copies, but for other loads. */
  release() {
    this.#complete = true;
    this.leave();
    for (const sha256 of this.#needed) if (!wanted.has(sha256)) memory.delete(sha256);
  }

  /** The load is over; what memory holds may serve the next try. */
  leave() {
    if (this.#left) return;
    this.#left = true;
    for (const sha256 of this.#needed) {
      const others = wanted.get(sha256) - 1;
      if (others) wanted.set(sha256, others);
      else wanted.delete(sha256);
    }
  }
}
