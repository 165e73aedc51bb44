/** onnxpress in a page: `load` for programs, `<onnx-demo>` for people. */
import { PressError } from "./errors.js";
import { manifestUrl } from "./load/manifest.js";
import { firstVisit } from "./load/store.js";
import { watchAttempts } from "./model/attempts.js";
import { openModel } from "./model/model.js";
import { openInWorker } from "./model/remote.js";
import { OnnxDemo } from "./page/element.js";
import { planFrames } from "./tasks.js";

export { OnnxDemo, PressError };

/** See api.d.ts. @type {typeof import("./api.d.ts").load} */
export async function load(url, options = {}) {
  if (Object(options) !== options) {
    throw new PressError("options", `load(): the options are ${options}; give an object, or ` +
      "leave them out.");
  }
  const href = manifestUrl(url);
  const asked = new URLSearchParams(location.search).get("target");
  const target = (options.target ?? "auto") === "auto" ? (asked ?? "auto") : options.target;
  const attempts = watchAttempts(href);
  /** @param {import("./types.js").Progress} progress */
  const onProgress = (progress) => {
    if (progress.target) attempts.mark(progress.target);
    options.onProgress?.(progress);
  };
  const open = options.worker ? openInWorker : openModel;
  try {
    const { avoid } = attempts;
    return await open(href, {
      ...options, target, avoid, first: firstVisit(), onProgress, planFrames });
  } finally {
    attempts.clear();
  }
}

OnnxDemo.load = load;
const elements = globalThis.customElements; // a worker has none
if (elements && !elements.get("onnx-demo")) elements.define("onnx-demo", OnnxDemo);
