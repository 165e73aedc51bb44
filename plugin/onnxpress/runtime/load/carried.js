/**
 * Where files are: beside the runtime, or, in a page of `onnxpress export`, in the page itself. There
 * site/templates/bootstrap.js sets `onnxpressCarried`, on the page and in each worker, before
 * anything of the runtime loads.
 *
 * @typedef {Object} Carried
 * @property {Object<string, string>} files  absolute URL -> blob: URL
 * @property {Object<string, string>} runtime  the runtime's file -> blob: URL
 * @property {(script: string) => Worker} startWorker  runs the runtime's file of that name
 */
const carried = globalThis.onnxpressCarried;

export const IN_PAGE = Boolean(carried);

/** @param {string} url absolute @returns {string} the URL to load the file from */
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
