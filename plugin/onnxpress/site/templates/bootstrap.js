/**
 * Opens a page of `onnxpress export`: every file that the page carries becomes a blob: URL, then
 * its runtime starts; see runtime/load/carried.js. Modules in blobs cannot name each other by
 * relative URLs. So the export wrote "carried:NAME" there, and put every file after the files that
 * it imports. Files that are loaded later are in onnxpressCarried.runtime by then.
 *
 * The same script begins the worker: from file:// a worker may neither be a module nor load the
 * page's blob: URLs, so it gets the blobs and makes URLs of its own.
 *
 * @typedef {Object} Carried
 * @property {Object<string, Blob>} files  by absolute URL
 * @property {Object<string, string>} runtime  texts by name
 * @property {string} script  this one
 */

/** @param {HTMLElement} script  holds base64, of a gzip where it says so */
async function unpack({ textContent, dataset }) {
  const { body } = await fetch(`data:;base64,${textContent}`);
  const plain = "gzip" in dataset ? body?.pipeThrough(new DecompressionStream("gzip")) : body;
  return new Response(plain, { headers: { "Content-Type": dataset.type ?? "" } });
}

/** @returns {Promise<Carried>} */
async function readPage() {
  /** @type {NodeListOf<HTMLElement>} */
  const scripts = document.querySelectorAll("script[data-url]");
  const [runtime, ...files] = scripts;
  return {
    runtime: await (await unpack(runtime)).json(),
    files: Object.fromEntries(await Promise.all(files.map(async (file) => [
      new URL(file.dataset.url ?? "", document.baseURI).href, await (await unpack(file)).blob(),
    ]))),
    script: document.querySelector("script[type='module']")?.textContent ?? "",
  };
}

/** @param {string} text @param {string} name */
function blobUrl(text, name = "script.js") {
  const type = name.endsWith(".css") ? "text/css" : "text/javascript";
  return URL.createObjectURL(new Blob([text], { type }));
}

/** @param {Carried} carried @param {string} entry  the module to run */
async function start(carried, entry) {
  const { files, runtime, script } = carried;
  /** @type {Object<string, string>} */
  const urls = {};
  globalThis.onnxpressCarried = {
    runtime: urls,
    files: Object.fromEntries(
      Object.entries(files).map(([url, blob]) => [url, URL.createObjectURL(blob)])),
    startWorker(name) {
      const worker = new Worker(blobUrl(script));
      worker.postMessage({ ...carried, entry: name });
      return worker;
    },
  };
  for (const [name, text] of Object.entries(runtime)) {
    const linked = text.replace(/"carried:([^"]+)"/g, (_, other) => JSON.stringify(urls[other]));
    urls[name] = blobUrl(linked, name);
  }
  await import(urls[entry]);
}

/** @param {unknown} error */
function explain(error) {
  const text = `This browser cannot open what this page carries; use a newer one. (${error})`;
  const line = Object.assign(document.createElement("p"), { textContent: text });
  line.setAttribute("role", "alert");
  document.querySelector("onnx-demo")?.before(line);
}

if (globalThis.document) {
  readPage().then((carried) => start(carried, "onnxpress.js")).catch(explain);
} else {
  addEventListener("message", ({ data }) => start(data, data.entry).catch(reportError),
    { once: true });
}
