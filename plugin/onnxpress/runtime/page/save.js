/**
 * "Download this demo": the file that `onnxpress export` writes, put together here. The site
 * publishes the page as a list of parts: text, and files whose base64 stands between (export.py).
 */
import { announce } from "./announce.js";
import { h } from "./dom.js";
import { PressError, isAbort, sentence } from "../errors.js";
import { Downloads } from "../load/fetch.js";
import { formatBytes } from "./format.js";

const KEPT = 60_000; // ms until a saved page's memory goes; browsers begin to write it at once
const AHEAD = 4; // files on their way before they are needed

/** The button with its progress. */
export class Save {
  #manifest;
  #url;
  #going = null;

  /** @param {import("../types.js").Manifest} manifest with `oneFile` @param {string} url its own */
  constructor(manifest, url) {
    this.#manifest = manifest;
    this.#url = url;
    this.button = h("button", { type: "button", className: "quiet",
      onclick: () => (this.#going ? this.stop() : this.#start()) });
    this.words = h("span", { id: "save-words" });
    this.button.setAttribute("aria-describedby", "save-words");
    this.meter = h("progress", { max: 1, ariaLabel: "Download of this demo", hidden: true });
    this.element = h("div", { className: "save", part: "save" },
      this.button, this.words, this.meter);
    this.#rest(`${formatBytes(manifest.oneFile.total)}, one HTML file that works offline`);
  }

  stop() {
    this.#going?.abort();
  }

  #rest(words) {
    this.#going = null;
    this.button.textContent = "Download this demo";
    this.words.textContent = words;
    this.meter.hidden = true;
  }

  async #start() {
    const { name, oneFile } = this.#manifest;
    const file = `${name}.html`;
    this.#going = new AbortController();
    this.button.textContent = "Cancel";
    this.meter.hidden = false;
    this.#show(0);
    announce("Downloading this demo.");
    try {
      const page = await joinPage(oneFile, this.#url, this.#going.signal, (n) => this.#show(n));
      saveAs(page, file);
      this.#rest(`${file}, ${formatBytes(page.size)}, is among your downloads.`);
    } catch (error) {
      this.stop(); // the other files on their way
      this.#rest(isAbort(error) ? "Cancelled; nothing was saved." : sentence(error));
    }
    announce(this.words.textContent);
  }

  /** @param {number} share of what there is to download */
  #show(share) {
    this.meter.value = share;
    this.words.textContent = `Downloading, ${Math.floor(100 * share)} %`;
  }
}

/**
 * @param {import("../types.js").OneFile} entry
 * @param {string} base the manifest's absolute URL
 * @param {AbortSignal} signal
 * @param {(share: number) => void} onProgress
 * @returns {Promise<Blob>} the page. Memory holds AHEAD files at most; blobs are the browser's
 * @throws {PressError} or AbortError
 */
async function joinPage(entry, base, signal, onProgress) {
  let loaded = 0;
  let total = Infinity;
  const onBytes = (bytes) => {
    loaded += bytes;
    if (!signal.aborted) onProgress(loaded / total);
  };
  const open = (files) => new Downloads(base, files, { signal, onBytes, note: () => {} });
  const list = await open([entry]).file(entry);
  const parts = JSON.parse(new TextDecoder().decode(list));
  const files = parts.filter((part) => typeof part !== "string");
  total = files.reduce((sum, { bytes }) => sum + bytes, loaded);
  const downloads = open([entry, ...files]);
  const coming = [];
  const ask = (file) => {
    const bytes = downloads.file(file);
    bytes.catch(() => {}); // whoever awaits it hears of it
    coming.push(bytes);
  };
  const blobs = [];
  try {
    files.splice(0, AHEAD).forEach(ask);
    for (const part of parts) {
      const text = typeof part === "string" ? part : await base64(await coming.shift());
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
  return reader.result.slice(reader.result.indexOf(",") + 1);
}

/** @param {Blob} page @param {string} name */
export function saveAs(page, name) {
  const href = URL.createObjectURL(page);
  h("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), KEPT);
}
