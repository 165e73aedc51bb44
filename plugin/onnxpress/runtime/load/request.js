/** One file from the server, with the patience that networks ask for. */
import { place } from "./carried.js";
import { PressError, factsOf } from "../errors.js";

const WAITS = [1000, 4000]; // ms before the second and the third try
const SILENCE = 20_000; // ms in which no download gets a byte
const SILENT = `the server sent nothing for ${SILENCE / 1000} seconds`;
const TAIL = 1000; // ms that a connection has to end after the last byte
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]); // statuses that another try may cure

/** When the latest byte of any download came (performance.now()): parallel downloads take turns. */
let pulse = 0;

/**
 * @typedef {(part: Uint8Array, at: number) => void} OnPart  gets the content as it comes; a part
 *   begins at byte `at` of the file, and a further try begins at byte 0 again
 *
 * @typedef {Object} Wish
 * @property {string} name  the file's, for messages and for `file` of errors
 * @property {number} [bytes]  the file's length; bytes that the server sends beyond are not read
 * @property {RequestCache} [cache]
 * @property {AbortSignal} [signal]
 */

/**
 * A file's content. A connection that breaks or falls silent is tried again, three times in all.
 * @param {string} url absolute
 * @param {Wish & {waits?: number[], onBytes?: (bytes: number) => void, onPart?: OnPart}} options
 *   `waits`: ms before each further try; `onBytes`: negative where a try has failed
 * @returns {Promise<ArrayBuffer>}
 * @throws {PressError} "download"; AbortError
 */
export async function request(url, { waits = WAITS, ...options }) {
  const { signal, onBytes = () => {}, onPart = () => {} } = options;
  for (let tries = 0; ; tries++) {
    let got = 0;
    /** @param {Uint8Array} part */
    const take = (part) => {
      onPart(part, got);
      got += part.length;
      onBytes(part.length);
    };
    try {
      return await once(place(url), { ...options, take });
    } catch (error) {
      onBytes(-got);
      signal?.throwIfAborted();
      if (factsOf(error).final || tries === waits.length) throw error;
    }
    await unlessAborted(pause(waits[tries]), signal);
  }
}

/**
 * One try.
 * @param {string} url
 * @param {Wish & {take: (part: Uint8Array) => void}} options
 * @returns {Promise<ArrayBuffer>}
 */
async function once(url, { name, bytes, cache, signal, take }) {
  signal?.throwIfAborted();
  const stop = new AbortController();
  const follow = () => stop.abort();
  signal?.addEventListener("abort", follow);
  const watch = watchSilence(follow);
  let got = 0;
  let response;
  try {
    response = await fetch(url, { cache, signal: stop.signal });
    if (!response.ok) throw refused(name, response.status);
    return await receive(response, bytes, (part) => {
      got += part.length;
      take(part);
    });
  } catch (error) {
    if (error instanceof PressError) throw error;
    if (url.startsWith("file:")) throw onDisk(name);
    const broken = `the connection broke after ${got}${bytes ? ` of ${bytes}` : ""} bytes`;
    const what = watch.silent ? SILENT : response ? broken : unreachable(url);
    throw failed(name, what, error);
  } finally {
    watch.end();
    signal?.removeEventListener("abort", follow);
    stop.abort();
  }
}

/** @param {string} name @param {string} what @param {unknown} [cause] */
function failed(name, what, cause) {
  return new PressError("download", `${name}: ${what}. Check the network and try again.`,
    { cause, file: name });
}

/** @param {string} name */
function onDisk(name) {
  return new PressError("download", `${name}: a page that was opened from a disk may not load ` +
    "other files. Open it from a server, or use a page of onnxpress export.",
    { file: name, final: true });
}

/** @param {string} name @param {number} status of HTTP */
function refused(name, status) {
  const advice = PASSING.has(status) ? "Try again in a while."
    : "Reload the page, which may be older than its files; else the site lacks this file.";
  return new PressError("download", `${name}: the server answered ${status}. ${advice}`,
    { file: name, final: !PASSING.has(status) });
}

/** @param {string} url @returns {string} why a request may have had no answer */
function unreachable(url) {
  if (navigator.onLine === false) return "this device is offline";
  const { origin, host } = new URL(url);
  return origin === location.origin ? "the server cannot be reached"
    : `${host} cannot be reached, or it does not let other sites have its files (CORS)`;
}

/** @param {() => void} onSilence  called when no download got a byte for SILENCE */
function watchSilence(onSilence) {
  const started = performance.now();
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  let timer;
  const watch = { silent: false, end: () => clearTimeout(timer) };
  const look = () => {
    const left = Math.max(started, pulse) + SILENCE - performance.now();
    if (left > 0) {
      timer = setTimeout(look, left);
    } else {
      watch.silent = true;
      onSilence();
    }
  };
  look();
  return watch;
}

/**
 * The body, decoded if it travelled compressed.
 * @param {Response} response
 * @param {number|undefined} bytes  the file's length, where it is known
 * @param {(part: Uint8Array) => void} take
 * @returns {Promise<ArrayBuffer>}
 */
async function receive({ body }, bytes, take) {
  if (!body) throw new TypeError("no content");
  const reader = body.getReader();
  let out = new Uint8Array(bytes ?? 1 << 16);
  let length = 0;
  while (length !== bytes) {
    const { done, value } = await reader.read();
    if (done) break;
    pulse = performance.now();
    const part = value.subarray(0, (bytes ?? Infinity) - length);
    if (part.length === bytes && part.buffer.byteLength === bytes) {
      out = part; // a file from memory comes in one piece
    } else {
      if (length + part.length > out.length) out = grow(out, length + part.length);
      out.set(part, length);
    }
    length += part.length;
    take(part);
  }
  // A complete answer goes into the browser's cache and leaves the connection to the next request;
  // a wrong Content-Length keeps it open for ever.
  if (length === bytes) await Promise.race([reader.read().catch(() => {}), pause(TAIL)]);
  return length === out.length ? out.buffer : out.buffer.slice(0, length);
}

/** @param {Uint8Array<ArrayBuffer>} out @param {number} length that is needed at least */
function grow(out, length) {
  const larger = new Uint8Array(Math.max(2 * out.length, length));
  larger.set(out);
  return larger;
}

/**
 * Waits for the browser's own download, whose bytes nobody can watch.
 * @template T
 * @param {Promise<T>} promise
 * @param {string} name  the file's
 * @returns {Promise<T>}
 * @throws {PressError} "download": it takes three times the longest silence
 */
export async function inTime(promise, name) {
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  let timer;
  /** @type {Promise<never>} */
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(failed(name, SILENT)), 3 * SILENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** @param {number} ms @returns {Promise<void>} */
export function pause(ms) {
  return new Promise((resolve) => { setTimeout(resolve, ms); });
}

/**
 * `promise`, or the signal's reason where the abort comes first.
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal} [signal]
 * @returns {Promise<T>}
 */
export function unlessAborted(promise, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal?.reason);
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
    promise.then(resolve, reject).finally(() => signal?.removeEventListener("abort", stop));
  });
}

/**
 * @param {ArrayBuffer} bytes
 * @returns {boolean} whether a host sent a web page in place of a file
 */
export function looksLikeHtml(bytes) {
  const head = new TextDecoder("latin1").decode(bytes.slice(0, 64)).trimStart().toLowerCase();
  return head.startsWith("<!doctype") || head.startsWith("<html") || head.startsWith("<head");
}
