/** Published files, verified: from the browser's cache if they are there, else from the server. */
import { place } from "./carried.js";
import { PressError, isAbort } from "./errors.js";
import { Store } from "./store.js";

const PARALLEL = 4;

/** Downloads of one model. */
export class Downloads {
  /** When the latest byte came, as performance.now() tells it. */
  last = 0;
  #base;
  #signal;
  #onBytes;
  #store;
  #free = PARALLEL;
  #waiting = [];
  #active = new Map();

  /**
   * @param {string} base the manifest's absolute URL
   * @param {{signal?: AbortSignal, onBytes?: (bytes: number) => void,
   *   note: (text: string) => void}} options
   */
  constructor(base, { signal, onBytes = () => {}, note }) {
    this.#base = base;
    this.#signal = signal;
    this.#onBytes = onBytes;
    this.#store = new Store(note);
    this.hashes = Boolean(globalThis.crypto?.subtle);
    if (!this.hashes) {
      note("This page is not served over https, so the browser cannot verify downloaded files.");
    }
  }

  release() {
    this.#store.release();
  }

  /** @param {string} url @returns {string} */
  resolve(url) {
    return place(new URL(url, this.#base).href);
  }

  /**
   * @param {import("./types.js").FileEntry} entry
   * @returns {Promise<ArrayBuffer>} exactly the published bytes
   * @throws {PressError} "download" or "integrity"
   */
  file(entry) {
    const url = this.resolve(entry.url);
    if (!this.#active.has(url)) {
      const file = this.#get(entry, url).finally(() => this.#active.delete(url));
      this.#active.set(url, file);
    }
    return this.#active.get(url);
  }

  async #get(entry, url) {
    if (url.startsWith("blob:")) return this.#download(entry, url); // the page keeps it itself
    const kept = await this.#store.get(url);
    if (kept) {
      if (!(await this.#fault(entry, kept))) {
        this.#onBytes(entry.bytes);
        return kept;
      }
      await this.#store.drop(url);
    }
    await this.#acquire();
    try {
      const bytes = await this.#download(entry, url);
      await this.#store.put(url, bytes);
      return bytes;
    } finally {
      this.#free++;
      this.#waiting.shift()?.();
    }
  }

  async #acquire() {
    if (this.#free === 0) await new Promise((resolve) => this.#waiting.push(resolve));
    this.#free--;
  }

  /** Two tries: the second goes past every cache on the way. */
  async #download(entry, url) {
    const bytes = await this.#request(entry, url, "default").catch((error) => {
      if (isAbort(error) || error.final) throw error;
      return null;
    });
    if (bytes && !(await this.#fault(entry, bytes))) return bytes;
    const again = await this.#request(entry, url, "reload");
    const fault = await this.#fault(entry, again);
    if (!fault) return again;
    throw new PressError("integrity", `${entry.url}: ${fault}. Reload the page; if that does not ` +
      "help, the site needs to publish its files again.", { file: entry.url });
  }

  async #request(entry, url, cache) {
    const response = await request(url, entry.url, { cache, signal: this.#signal });
    const out = new Uint8Array(entry.bytes);
    let length = 0;
    try {
      for await (const chunk of chunks(response)) {
        const room = chunk.subarray(0, out.length - Math.min(length, out.length));
        out.set(room, Math.min(length, out.length));
        length += chunk.length;
        this.last = performance.now();
        this.#onBytes(room.length);
        if (length > out.length) break;
      }
    } catch (error) {
      if (isAbort(error)) throw error;
      throw new PressError("download", `${entry.url}: the connection broke after ${length} of ` +
        `${entry.bytes} bytes. Check the network and try again.`,
        { cause: error, file: entry.url });
    }
    if (length === out.length) return out.buffer;
    return length < out.length ? out.buffer.slice(0, length) : tooLong(out);
  }

  /** @returns {Promise<string>} what is wrong with the bytes; empty if nothing */
  async #fault(entry, bytes) {
    if (bytes.byteLength === entry.bytes && !this.hashes) return "";
    if (bytes.byteLength === entry.bytes && (await sha256(bytes)) === entry.sha256) return "";
    if (looksLikeHtml(bytes)) return "the server sent a web page in place of this file";
    if (bytes.byteLength === entry.bytes) return "the bytes are not the published ones (sha256)";
    const size = bytes.byteLength > entry.bytes ? "more" : `only ${bytes.byteLength}`;
    return `the server sent ${size} bytes where ${entry.bytes} were published`;
  }
}

/** One byte more than the file should have, so that the length tells. @param {Uint8Array} bytes */
function tooLong(bytes) {
  const out = new Uint8Array(bytes.length + 1);
  out.set(bytes);
  return out.buffer;
}

/**
 * @param {string} url @param {string} name for messages @param {RequestInit} init
 * @returns {Promise<Response>} with a status of success
 */
async function request(url, name, init) {
  let response;
  try {
    response = await fetch(place(url), init);
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new PressError("download",
      `${name}: the server cannot be reached. Check the network and try again.`,
      { cause: error, file: name });
  }
  if (response.ok) return response;
  throw new PressError("download", `${name}: the server answered ${response.status}. Reload the ` +
    "page, which may be older than its files; else the site lacks this file.",
    { file: name, final: true });
}

/** @param {Response} response its body, decoded if it travelled compressed */
async function* chunks(response) {
  const reader = response.body.getReader();
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

/** @param {ArrayBuffer} bytes */
function looksLikeHtml(bytes) {
  const head = new TextDecoder("latin1").decode(bytes.slice(0, 64)).trimStart().toLowerCase();
  return head.startsWith("<!doctype") || head.startsWith("<html") || head.startsWith("<head");
}

/** @param {ArrayBuffer} bytes @returns {Promise<string>} hexadecimal */
async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * @param {string} url absolute
 * @param {AbortSignal} [signal]
 * @returns {Promise<import("./types.js").Manifest>}
 * @throws {PressError} "download" or "manifest"
 */
export async function fetchManifest(url, signal) {
  const response = await request(url, url, { cache: "no-cache", signal });
  const text = await response.text();
  let manifest;
  try {
    manifest = JSON.parse(text);
  } catch {
    const what = text.trimStart().startsWith("<") ? "a web page" : "something that is not JSON";
    throw new PressError("manifest",
      `${url}: the server sent ${what}; give the URL of a manifest.json that onnxpress wrote.`);
  }
  if (manifest?.onnxpress === 1) return manifest;
  throw new PressError("manifest", `${url}: this is no onnxpress manifest of format 1; build the ` +
    "model and this page with the same version of onnxpress.");
}
