/** The builds of a target. */

/**
 * The facts of one build: the target's, with the facts of the build's arithmetic in their place
 * where that is not f32.
 * @template {import("../../types.js").Target} T
 * @param {T} target
 * @param {string} build  such as "int8-relaxed"
 * @returns {T & {golden?: import("../../types.js").Golden}}
 */
export function aboutBuild(target, build) {
  /** @type {Partial<import("../../types.js").WasmTarget>} */
  const { arithmetic } = target;
  return { ...target, ...arithmetic?.[build.split("-")[0]] };
}
