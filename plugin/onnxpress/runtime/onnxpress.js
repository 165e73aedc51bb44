/** onnxpress in a page: `load` for programs, `<onnx-demo>` for people. */
import { watchAttempts } from "./model/attempts.js";
import { OnnxDemo } from "./page/element.js";
import { openModel } from "./model/model.js";
import { openInWorker } from "./model/remote.js";
import { firstVisit } from "./load/store.js";

export { PressError } from "./errors.js";
export { OnnxDemo };

/**
 * @param {string|URL} url of a manifest.json, relative to the page
 * @param {import("./types.js").LoadOptions} [options] `target` "auto" obeys ?target=... in the
 *   page's address
 * @returns {Promise<import("./types.js").Model>}
 * @throws {PressError} with a sentence for a person; AbortError where `signal` says so
 */
export async function load(url, options = {}) {
  const href = new URL(url, document.baseURI).href;
  const asked = new URLSearchParams(location.search).get("target");
  const target = (options.target ?? "auto") === "auto" ? (asked ?? "auto") : options.target;
  const attempts = watchAttempts(href);
  const onProgress = (progress) => {
    if (progress.target) attempts.mark(progress.target);
    options.onProgress?.(progress);
  };
  const open = options.worker ? openInWorker : openModel;
  try {
    const { avoid } = attempts;
    return await open(href, { ...options, target, avoid, first: firstVisit(), onProgress });
  } finally {
    attempts.clear();
  }
}

OnnxDemo.load = load;
const elements = globalThis.customElements; // a worker has none
if (elements && !elements.get("onnx-demo")) elements.define("onnx-demo", OnnxDemo);
