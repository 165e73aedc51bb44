/** The tasks: one row each, under the names of the modules in plugin/onnxpress/tasks/. */

/** @type {Object<string, () => Promise<import("./tasks/contract.d.ts").TaskModule>>} */
export const TASKS = {
  "image-classification": () => import("./tasks/image-classification.js"),
  "image-to-image": () => import("./tasks/image-to-image.js"),
  segmentation: () => import("./tasks/segmentation.js"),
  tensor: () => import("./tasks/tensor.js"),
};

/** The task of a pack that was compiled without a spec: its numbers are the show. */
export const PLAIN = "tensor";
