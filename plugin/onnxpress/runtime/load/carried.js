/**
 * Where files are: beside the runtime, or, in a page of `onnxpress export`, in the page itself.
 * There site/templates/bootstrap.js sets `onnxpressCarried`, on the page and in each worker, before
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

/** A page's policy for scripts; null where it has none, or allows none of this name. */
let policy = null;
try {
  const { trustedTypes } = /** @type {any} */ (globalThis);
  policy = trustedTypes?.createPolicy("onnxpress", {
    createScriptURL: (/** @type {string} */ url) => url }) ?? null;
} catch {
  // A worker is refused then.
}

/** @param {URL} url  of a script of the runtime @returns {Worker} */
export const startModule = (url) =>
  new Worker(policy?.createScriptURL(url.href) ?? url, { type: "module" });

/**
 * Starts a worker.
 * @param {string} script  its file, below the runtime's folder
 * @param {() => Worker} start  starts the same file where it lies beside the runtime
 */
export const startScript = (script, start) => carried?.startWorker(script) ?? start();
