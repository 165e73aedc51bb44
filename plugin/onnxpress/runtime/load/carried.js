/**
 * Where files are: beside the runtime, or, with `onnxpress export`, in the page itself. There
 * site/templates/bootstrap.js sets `onnxpressCarried`, on the page and in the worker, before anything of
 * the runtime loads.
 * @type {{files: Object<string, string>, runtime: Object<string, string>,
 *   startWorker: (script: string) => Worker}|undefined}
 *   `files`: absolute URL -> blob: URL; `runtime`: name -> blob: URL
 */
const carried = globalThis.onnxpressCarried;

export const IN_PAGE = Boolean(carried);

/** @param {string} url absolute @returns {string} the one to load the file from */
export const place = (url) => carried?.files[url] ?? url;

/** @returns {Worker} that runs worker.js */
export function startWorker() {
  if (carried) return carried.startWorker("worker.js");
  return new Worker(new URL("../worker.js", import.meta.url), { type: "module" });
}

/** @returns {Worker} that runs targets/wasm/thread.js */
export function startThread() {
  if (carried) return carried.startWorker("targets/wasm/thread.js");
  return new Worker(new URL("../targets/wasm/thread.js", import.meta.url), { type: "module" });
}

/** @returns {Worker} that runs targets/wasm/peer.js */
export function startPeer() {
  if (carried) return carried.startWorker("targets/wasm/peer.js");
  return new Worker(new URL("../targets/wasm/peer.js", import.meta.url), { type: "module" });
}
