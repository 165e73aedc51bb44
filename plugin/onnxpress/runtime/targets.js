/** The targets, best first: one row each, under the names of plugin/onnxpress/targets.py. */
import { open as openWasm } from "./targets/wasm.js";
import { probeWasm } from "./targets/wasm/detect.js";
import { threadsHere } from "./targets/wasm/threads.js";
import { probeWebgpu } from "./targets/webgpu/detect.js";

/** @type {{[name in import("./api.d.ts").TargetName]: import("./targets/contract.d.ts").Target}} */
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
    // The build has run the program itself, and WebAssembly's specification leaves no choice about
    // the results. The programs of other targets run here for the first time.
    checkedLater: true,
    threads: threadsHere,
  },
  js: {
    label: "JavaScript",
    probe: () => [{ build: "module", reason: "which runs everywhere" }],
    load: () => import("./targets/js.js"),
  },
};
