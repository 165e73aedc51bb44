/** The tasks: one row each, under the names of the modules in plugin/onnxpress/tasks/. */
import { PressError } from "./errors.js";

/**
 * @type {{[task in import("./types.js").Demo["task"]]:
 *   () => Promise<import("./tasks/contract.d.ts").TaskModule>}}
 */
export const TASKS = {
  "image-classification": () => import("./tasks/image-classification.js"),
  "image-to-image": () => import("./tasks/image-to-image.js"),
  segmentation: () => import("./tasks/segmentation.js"),
  tensor: () => import("./tasks/tensor.js"),
};

/**
 * @param {import("./types.js").Demo["task"]} name  as in a manifest
 * @returns {Promise<import("./tasks/contract.d.ts").TaskModule>}
 * @throws {PressError} "manifest": there is no such task
 */
export async function loadTask(name) {
  if (Object.hasOwn(TASKS, name)) return TASKS[name]();
  throw new PressError("manifest", `The manifest's task is "${name}", and this page's scripts ` +
    `know ${Object.keys(TASKS).join(", ")}. The site needs to be built again.`);
}

/** The task of a pack that was compiled without a spec: its numbers are the show. */
export const PLAIN = "tensor";

/** @type {import("./targets/contract.d.ts").PlanFrames} */
export async function planFrames(demo, outputs) {
  const task = await loadTask(demo.task);
  return task.planFrames?.(demo, outputs) ?? null;
}
