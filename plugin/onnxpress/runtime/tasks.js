/** The tasks: one row each, under the names of the modules in plugin/onnxpress/tasks/. */
/**
 * @type {{[task in import("./types.js").Demo["task"]["name"]]:
 *   () => Promise<import("./tasks/contract.d.ts").TaskModule>}}
 */
export const TASKS = {
  "image-classification": () => import("./tasks/image-classification.js"),
  "image-to-image": () => import("./tasks/image-to-image.js"),
  segmentation: () => import("./tasks/segmentation.js"),
  tensor: () => import("./tasks/tensor.js"),
};

/**
 * @param {import("./types.js").Demo["task"]["name"]} name  as in a manifest
 * @returns {Promise<import("./tasks/contract.d.ts").TaskModule>}
 */
export const loadTask = (name) => TASKS[name]();

/** The task of a pack that was compiled without a spec: its numbers are the show. */
export const PLAIN = "tensor";

/** @type {import("./targets/contract.d.ts").PlanFrames} */
export async function planFrames(demo, outputs) {
  const task = await loadTask(demo.task.name);
  return demo.given && task.planFrames ? task.planFrames(demo.task, demo.given, outputs) : null;
}
