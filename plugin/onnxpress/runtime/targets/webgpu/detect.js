/** Whether WebGPU runs here, and in which build. */

/**
 * @param {import("../../types.js").WebgpuTarget} target
 * @param {boolean} choosing  whether the model has other targets, too
 * @returns {Promise<import("../contract.d.ts").Verdict[]>}
 */
export async function probeWebgpu({ files }, choosing) {
  if (!globalThis.navigator?.gpu) return [{ refusal: "this browser does not offer WebGPU here" }];
  const { probe } = await import("../webgpu.js");
  const { ok, reason, software, kind, features } = await probe();
  if (!ok) return [{ refusal: reason }];
  let after = software ? "the processor only emulates a graphics device here" : "";
  if (!after && choosing) {
    const race = import("./probe.js");
    after = await race.then(({ whyLast }) => whyLast()).catch(() => "");
  }
  if (after) return [{ build: kind, reason: `though ${after}`, after }];
  const half = `${kind}-f16`; // Float16Array rounds weights that are stored in f32
  if (half in files && features.includes("shader-f16") && globalThis.Float16Array) {
    return [{ build: half, reason: "the graphics processor is the fastest way, in f16" },
      { build: kind, reason: "the graphics processor, in f32" }];
  }
  return [{ build: kind, reason: "the graphics processor is the fastest way" }];
}
