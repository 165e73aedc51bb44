/** Verified files between visits, in the Cache API, else in memory. */

const CACHE = "onnxpress";

/** Where verified files stay between visits; names carry hashes, so an entry never goes stale. */
export class Store {
  #opening = null;
  #memory = new Map();

  /** @param {(text: string) => void} note */
  constructor(note) {
    this.note = note;
  }

  get #cache() {
    return (this.#opening ??= this.#open());
  }

  async #open() {
    try {
      return await caches.open(CACHE);
    } catch {
      this.note("This browser keeps no files for this page; the next visit downloads them again.");
      return null;
    }
  }

  /** @param {string} url @returns {Promise<ArrayBuffer|null>} */
  async get(url) {
    if (this.#memory.has(url)) return this.#memory.get(url);
    try {
      const found = await (await this.#cache)?.match(url);
      return found ? await found.arrayBuffer() : null;
    } catch {
      return null;
    }
  }

  /** @param {string} url @param {ArrayBuffer} bytes kept in memory where the cache refuses them */
  async put(url, bytes) {
    try {
      const cache = await this.#cache;
      if (cache) return await cache.put(url, new Response(bytes));
    } catch {
      this.note("The browser's storage for this page is full; the files stay in memory this time.");
    }
    this.#memory.set(url, bytes);
  }

  /** @param {string} url */
  async drop(url) {
    this.#memory.delete(url);
    try {
      await (await this.#cache)?.delete(url);
    } catch {
      // A cache that cannot delete cannot be read either; the server's copy follows.
    }
  }

  /** Nothing more will be asked for: memory need not hold copies. */
  release() {
    this.#memory.clear();
  }
}
