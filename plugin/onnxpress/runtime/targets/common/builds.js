/** The builds of a target. */

/**
 * The facts on a build: its target's, and the facts on its arithmetic where that is not f32.
 * @param {import("../../types.js").Manifest["targets"][string]} target
 * @param {string} build such as "int8-relaxed"
 */
export function aboutBuild(target, build) {
  return { ...target, ...target.arithmetic?.[build.split("-")[0]] };
}
