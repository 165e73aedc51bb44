/**
 * "Download this demo": the file that `onnxpress export` writes, put together here. The site
 * publishes the page as a list of parts: texts, and files whose base64 stands between them
 * (site/export.py).
 */
import { announce } from "../dom/announce.js";
import { h } from "../dom/elements.js";
import { PressError, isAbort, sentence } from "../errors.js";
import { Downloads } from "../load/fetch.js";
import { formatBytes } from "../dom/format.js";

const KEPT = 60_000; // ms until a saved page's memory is freed; browsers begin to write it at once
const AHEAD = 4; // files that are on their way before they are needed

/** @typedef {import("../types.js").OneFile} OneFile */

/** The button with its progress. */
export class Save {
  #name;
  #oneFile;
  #url;
  /** @type {AbortController|null} */
  #going = null;

  /**
   * @param {string} name  of the demo
   * @param {OneFile} oneFile
   * @param {string} url  the manifest's
   */
  constructor(name, oneFile, url) {
    this.#name = name;
    this.#oneFile = oneFile;
    this.#url = url;
    this.button = h("button", { type: "button", className: "quiet",
      onclick: () => (this.#going ? this.stop() : this.#start()) });
    this.words = h("span", { id: "save-words" });
    this.button.setAttribute("aria-describedby", "save-words");
    this.meter = h("progress", { max: 1, ariaLabel: "Download of this demo", hidden: true });
    this.element = h("div", { className: "save", part: "save" },
      this.button, this.words, this.meter);
    this.#rest(`${formatBytes(oneFile.total)}, one HTML file that works offline`);
  }

  stop() {
    this.#going?.abort();
  }

  /** @param {string} words */
  #rest(words) {
    this.#going = null;
    this.button.textContent = "Download this demo";
    this.words.textContent = words;
    this.meter.hidden = true;
  }

  async #start() {
    const file = `${this.#name}.html`;
    const { signal } = (this.#going = new AbortController());
    this.button.textContent = "Cancel";
    this.meter.hidden = false;
    this.#show(0);
    announce("Downloading this demo.");
    try {
      const page = await joinPage(this.#oneFile, this.#url, signal, (n) => this.#show(n));
      saveAs(page, file);
      this.#rest(`${file}, ${formatBytes(page.size)}, is among your downloads.`);
    } catch (error) {
      this.stop(); // other files may still be on their way
      this.#rest(isAbort(error) ? "Cancelled; nothing was saved." : sentence(error));
    }
    announce(this.words.textContent);
  }

  /** @param {number} share  0..1 of the bytes to download */
  #show(share) {
    if (!Number.isFinite(share)) return;
    this.meter.value = share;
    this.words.textContent = `Downloading, ${Math.floor(100 * share)} %`;
  }
}

/**
 * @typedef {import("../types.js").FileEntry} FileEntry
 *
 * @param {OneFile} entry
 * @param {string} base  the manifest's absolute URL
 * @param {AbortSignal} signal
 * @param {(share: number) => void} onProgress
 * @returns {Promise<Blob>} the page. Memory holds AHEAD files at most, as the browser keeps blobs
 * @throws {PressError} "download", "integrity"; AbortError
 */
async function joinPage(entry, base, signal, onProgress) {
  let loaded = 0;
  let total = Infinity;
  /** @param {number} bytes */
  const onBytes = (bytes) => {
    loaded += bytes;
    if (!signal.aborted) onProgress(loaded / total);
  };
  /** @param {FileEntry[]} files */
  const open = (files) => new Downloads(base, files, { signal, onBytes, note: () => {} });
  const list = await open([entry]).file(entry);
  /** @type {(string|FileEntry)[]} */
  const parts = JSON.parse(new TextDecoder().decode(list));
  const files = parts.filter((part) => typeof part !== "string");
  total = files.reduce((sum, { bytes }) => sum + bytes, loaded);
  const downloads = open([entry, ...files]);
  /** @type {Promise<ArrayBuffer>[]} */
  const coming = [];
  /** @param {FileEntry} file */
  const ask = (file) => {
    const bytes = downloads.file(file);
    bytes.catch(() => {}); // whoever awaits it gets the failure
    coming.push(bytes);
  };
  const next = () => /** @type {Promise<ArrayBuffer>} */ (coming.shift());
  const blobs = [];
  try {
    files.splice(0, AHEAD).forEach(ask);
    for (const part of parts) {
      const text = typeof part === "string" ? part : await base64(await next());
      files.splice(0, AHEAD - coming.length).forEach(ask);
      blobs.push(new Blob([text]));
      signal.throwIfAborted();
    }
  } finally {
    downloads.release();
  }
  const page = new Blob(blobs, { type: "text/html" });
  if (page.size === entry.total) return page;
  throw new PressError("integrity", `The file would have ${page.size} bytes where ${entry.total} ` +
    "were published. Reload the page and try again.");
}

/** @param {ArrayBuffer} bytes @returns {Promise<string>} */
async function base64(bytes) {
  const reader = new FileReader();
  const done = new Promise((resolve, reject) => {
    reader.onload = resolve;
    reader.onerror = () => reject(reader.error);
  });
  reader.readAsDataURL(new Blob([bytes]));
  await done;
  const url = String(reader.result);
  return url.slice(url.indexOf(",") + 1);
}

/** @param {Blob} page @param {string} name */
export function saveAs(page, name) {
  const href = URL.createObjectURL(page);
  h("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), KEPT);
}
