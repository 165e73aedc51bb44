/** Published files, verified: from the browser's cache if they are there, else from the server. */
import { place } from "./carried.js";
import { PressError, factsOf, isAbort } from "../errors.js";
import { alone } from "./locks.js";
import { manifestUrl, requireManifest } from "./manifest.js";
import { inTime, looksLikeHtml, request, unlessAborted } from "./request.js";
import { Store } from "./store.js";

/** @typedef {import("../types.js").FileEntry} FileEntry */
/** @typedef {import("./request.js").OnPart} OnPart */

/**
 * The files that this thread is fetching, for any of its models.
 * @type {Map<string, Promise<ArrayBuffer>>}
 */
const underway = new Map();

/** Where the browser may take a file from, at each try. @type {RequestCache[]} */
const CACHES = ["default", "reload"];

/**
 * How many more downloads may begin on this thread, and the callbacks of downloads that wait.
 * @type {{free: number, waiting: (() => void)[]}}
 */
const turns = { free: 4, waiting: [] };

/** Downloads of one model. */
export class Downloads {
  /** When they began (performance.now()). */
  started = performance.now();
  /** When the latest byte came (performance.now()). */
  last = 0;
  #base;
  #stop = new AbortController();
  /** By sha256: what `begin` has asked for. @type {Map<string, Promise<ArrayBuffer>>} */
  #begun = new Map();
  /** By sha256. @type {Map<string, OnPart|undefined>} */
  #parts = new Map();
  #onBytes;
  #store;
  #hashes = Boolean(globalThis.crypto?.subtle);

  /**
   * @param {string} base the manifest's absolute URL
   * @param {FileEntry[]} files  all that may be asked for; they stay in the cache or in memory
   *   until `release`
   * @param {{signal?: AbortSignal, onBytes?: (bytes: number) => void,
   *   note: (text: string) => void, cache?: Promise<Cache|null>|null}} options  `onBytes`: negative
   *   where a try has failed; `cache`: null on a first visit, see Store
   */
  constructor(base, files, { signal, onBytes = () => {}, note, cache }) {
    this.#base = base;
    this.#store = new Store(files.map(({ sha256 }) => sha256), note, cache);
    if (signal?.aborted) this.stop(signal.reason);
    signal?.addEventListener("abort", () => this.stop(signal.reason), { signal: this.#signal });
    /** @param {number} bytes */
    this.#onBytes = (bytes) => {
      if (this.#signal.aborted) return;
      this.last = performance.now();
      onBytes(bytes);
    };
    if (!this.#hashes) {
      note("This page is not served over https, so the browser cannot verify downloaded files.");
    }
  }

  get #signal() {
    return this.#stop.signal;
  }

  /** All that is under way fails. @param {Error} [reason]  an AbortError */
  stop(reason) {
    this.leave();
    this.#stop.abort(reason);
  }

  /** The load is over; what is under way goes on, for the next try. */
  leave() {
    this.#store.leave();
  }

  /** The model is complete. */
  release() {
    this.#store.release();
    return this.settle();
  }

  /** @returns {Promise<void>} when what has come is stored for the next try or visit */
  settle() {
    return this.#store.settle();
  }

  /** @param {string} url @returns {string} */
  #resolve(url) {
    return place(new URL(url, this.#base).href);
  }

  /** Begins downloads that `file` will be asked for. @param {FileEntry[]} entries */
  begin(entries) {
    for (const entry of entries) {
      const file = this.#file(entry);
      file.catch(() => {}); // `file` reports a failure
      this.#begun.set(entry.sha256, file);
    }
  }

  /**
   * @param {FileEntry} entry
   * @param {OnPart} [onPart]  called as the file comes from the server: its bytes are not verified
   *   yet
   * @returns {Promise<ArrayBuffer>} exactly the published bytes
   * @throws {PressError} "download" or "integrity"
   */
  file(entry, onPart) {
    this.#parts.set(entry.sha256, onPart);
    const begun = this.#begun.get(entry.sha256);
    this.#begun.delete(entry.sha256);
    return begun ?? this.#file(entry);
  }

  /** @param {FileEntry} entry @returns {Promise<ArrayBuffer>} */
  async #file(entry) {
    const url = this.#resolve(entry.url);
    const key = `${entry.sha256} ${url}`;
    const others = underway.get(key);
    if (!others) {
      const mine = this.#get(entry, url).finally(() => underway.delete(key));
      underway.set(key, mine);
      return mine;
    }
    try {
      const bytes = await unlessAborted(others, this.#signal);
      this.#onBytes(entry.bytes);
      return bytes;
    } catch (error) {
      this.#signal.throwIfAborted();
      if (!isAbort(error)) throw error;
      return this.#file(entry); // the model that asked first is no longer wanted
    }
  }

  /**
   * A script's exports. Scripts can only be imported, and the browser fetches them anew then: from
   * its HTTP cache, which now holds the verified bytes, unless the server forbids that.
   * @param {FileEntry} entry
   * @returns {Promise<Object<string, unknown>>}
   * @throws {PressError} "download" or "integrity"; what the import throws
   */
  async module(entry) {
    const url = this.#resolve(entry.url);
    await this.#inTurn(() => this.#download(entry, url));
    return inTime(import(url), entry.url);
  }

  /** @param {FileEntry} entry @param {string} url @returns {Promise<ArrayBuffer>} */
  async #get(entry, url) {
    if (url.startsWith("blob:")) return this.#download(entry, url); // the page keeps it itself
    /** @param {import("./locks.js").Until} [until] */
    const job = async (until) => (await this.#find(entry)) ?? this.#fetch(entry, url, until);
    return this.#inTurn(() => {
      const { full, first } = this.#store;
      return full ? job() : alone(`onnxpress ${entry.sha256}`, this.#signal, job, first);
    });
  }

  /** @param {FileEntry} entry @returns {Promise<ArrayBuffer|null>} null where nothing is kept */
  async #find(entry) {
    const kept = this.#hashes && (await this.#store.get(entry.sha256));
    if (!kept) return null;
    if (await this.#fault(entry, kept)) {
      await this.#store.drop(entry.sha256);
      return null;
    }
    this.#onBytes(entry.bytes);
    return kept;
  }

  /**
   * @param {FileEntry} entry
   * @param {string} url
   * @param {import("./locks.js").Until} [until]  keeps the lock until the file is stored
   */
  async #fetch(entry, url, until = () => {}) {
    const bytes = await this.#download(entry, url);
    if (this.#hashes) {
      const stored = this.#store.put(entry.sha256, bytes);
      until(stored);
      if (this.#store.crowded) await stored;
    }
    return bytes;
  }

  /**
   * @template T
   * @param {() => Promise<T>} job
   * @returns {Promise<T>}
   */
  async #inTurn(job) {
    if (turns.free === 0) {
      /** @type {Promise<void>} */
      const turn = new Promise((resolve) => { turns.waiting.push(resolve); });
      await turn;
    } else {
      turns.free--;
    }
    try {
      this.#signal.throwIfAborted();
      return await job();
    } finally {
      const next = turns.waiting.shift();
      if (next) next();
      else turns.free++;
    }
  }

  /**
   * Wrong bytes are fetched once more, past every cache on the way.
   * @param {FileEntry} entry
   * @param {string} url
   * @returns {Promise<ArrayBuffer>}
   */
  async #download(entry, url) {
    let fault;
    for (const cache of CACHES) {
      const bytes = await request(url, {
        name: entry.url, bytes: entry.bytes, cache, signal: this.#signal, onBytes: this.#onBytes,
        onPart: this.#parts.get(entry.sha256),
      });
      fault = await this.#fault(entry, bytes);
      if (!fault) return bytes;
      this.#onBytes(-bytes.byteLength);
    }
    throw new PressError("integrity", `${entry.url}: ${fault}. Reload the page; if that does not ` +
      "help, the site needs to publish its files again.", { file: entry.url, final: true });
  }

  /**
   * @param {FileEntry} entry
   * @param {ArrayBuffer} bytes
   * @returns {Promise<string>} what is wrong with the bytes; empty where nothing is
   */
  async #fault(entry, bytes) {
    const complete = bytes.byteLength === entry.bytes;
    if (complete && this.#hashes && (await sha256(bytes)) === entry.sha256) return "";
    if (looksLikeHtml(bytes)) return "the server sent a web page in place of this file";
    if (complete) return this.#hashes ? "the bytes are not the published ones (sha256)" : "";
    return `the server sent only ${bytes.byteLength} bytes where ${entry.bytes} were published`;
  }
}

/** @param {ArrayBuffer} bytes @returns {Promise<string>} hexadecimal */
async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * A manifest. An answer that is no manifest is asked for once more, past every cache. Where the
 * server cannot be reached, the browser's kept copy serves: the files may be here as well.
 * @param {string} url absolute
 * @param {{signal?: AbortSignal, fresh?: boolean}} [options] `fresh`: never from a cache
 * @returns {Promise<import("../types.js").Manifest>}
 * @throws {PressError} "download" or "manifest"
 */
export async function fetchManifest(url, { signal, fresh = false } = {}) {
  manifestUrl(url);
  /** @param {RequestCache} cache @param {number[]} [waits] */
  const read = async (cache, waits) => (
    parse(await request(url, { name: url, cache, waits, signal }), url));
  try {
    return await read(fresh ? "reload" : "no-cache");
  } catch (error) {
    const { code, final } = factsOf(error);
    if (fresh || isAbort(error) || final) throw error;
    if (code === "manifest") return read("reload");
    return read("force-cache", []).catch(() => { throw error; });
  }
}

/**
 * @param {ArrayBuffer} bytes
 * @param {string} url
 * @returns {import("../types.js").Manifest}
 * @throws {PressError} "manifest"
 */
function parse(bytes, url) {
  let manifest;
  try {
    manifest = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    const what = looksLikeHtml(bytes) ? "a web page" : "something that is not JSON";
    throw new PressError("manifest",
      `${url}: the server sent ${what}; give the URL of a manifest.json that onnxpress wrote.`);
  }
  return requireManifest(manifest, url);
}
