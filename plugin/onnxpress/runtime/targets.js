/** The targets, best first: one row each, under the names of plugin/onnxpress/targets.py. */
import { open as openWasm } from "./targets/wasm.js";
import { probeWasm } from "./targets/wasm/detect.js";
import { threadsHere } from "./targets/wasm/threads.js";
import { probeWebgpu } from "./targets/webgpu/detect.js";

/**
 * @typedef {import("./types.js").Manifest["targets"][string]} Built  a target in a manifest
 *
 * @typedef {{build: string, reason: string, after?: string, spare?: string} | {refusal: string}}
 *   Verdict  `after`: why every other target comes first; `spare`: the build that comes next
 *
 * @typedef {Object} Target
 * @property {string} label  the name that visitors see
 * @property {(about: Built, choosing: boolean) => Verdict|Verdict[]|Promise<Verdict|Verdict[]>}
 *   probe  whether it runs here, and in which build; `choosing`: other targets are there too
 * @property {() => Promise<{open: Function}>} load  its module
 * @property {boolean} [checkedLater]  the golden check may follow the first result
 * @property {typeof threadsHere} [threads]  how many threads run it here; without it one does
 * @property {(worker: {gpu: boolean}) => boolean} [pageOnly]  whether the page can run it and
 *   `worker`, as it describes itself, cannot
 */

/** @type {Object<string, Target>} */
export const TARGETS = {
  webgpu: {
    label: "WebGPU",
    probe: probeWebgpu,
    load: () => import("./targets/webgpu.js"),
    pageOnly: ({ gpu }) => Boolean(navigator.gpu) && !gpu,
  },
  wasm: {
    label: "WebAssembly",
    probe: probeWasm,
    load: async () => ({ open: openWasm }),
    // The build has run the program itself, and WebAssembly's specification leaves no choice. The
    // programs of other targets run here for the first time.
    checkedLater: true,
    threads: threadsHere,
  },
  js: {
    label: "JavaScript",
    probe: () => ({ build: "module", reason: "which runs everywhere" }),
    load: () => import("./targets/js.js"),
  },
};
