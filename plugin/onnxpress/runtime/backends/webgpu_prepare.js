/** From a program's text to buffers, pipelines and bind groups, all made once. */
import { PressError } from "../errors.js";
import { guarded } from "./webgpu_device.js";

/** @typedef {[buffer: number, offset: number, bytes: number]} Binding */
/**
 * @typedef {Object} Program  emit/webgpu.py writes it.
 * @property {{code: string, reads: number, writes: number}[]} shaders
 * @property {{step: number, shader: number, bind: Binding[], groups: [number, number]}[]} dispatches
 * @property {number[]} submits  where each command buffer ends
 * @property {{buffer: number, offset: number, data: number[]}[]} tables
 */
/** @typedef {{name: string, buffer: number, offset: number, length: number}} Port */
/**
 * @typedef {Object} Commands  Ready to be encoded.
 * @property {{step: number, groups: [number, number], pipeline: GPUComputePipeline,
 *   group: GPUBindGroup}[]} list
 * @property {number[]} submits
 */

/** @param {GPUDevice} device @param {number[]} sizes in bytes @returns {Promise<GPUBuffer[]>} */
export function makeBuffers(device, sizes) {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  return guarded(device, "validation", "webgpu-limits", "The GPU refuses a buffer",
    () => guarded(device, "out-of-memory", "webgpu-memory", "The GPU's memory does not suffice",
      () => sizes.map((size) => device.createBuffer({ size, usage }))));
}

/** @param {GPUDevice} device @param {Port[]} outputs @returns {{buffer: GPUBuffer, at: number[]}} */
export function makeStaging(device, outputs) {
  let size = 0;
  const at = outputs.map(({ length }) => {
    const start = size;
    size += Math.ceil(length / 2) * 8; // a mapped range begins at a multiple of 8
    return start;
  });
  const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
  return { buffer: device.createBuffer({ size: Math.max(size, 8), usage }), at };
}

/** Writes each constant as it arrives. @param {Gpu} gpu */
export async function upload({ device }, places, weights, buffers) {
  const waiting = new Map();
  for (const place of places) {
    waiting.set(place.tensor, [...(waiting.get(place.tensor) ?? []), place]);
  }
  for await (const { name, data } of weights) {
    for (const { start, length, buffer, offset } of waiting.get(name) ?? []) {
      device.queue.writeBuffer(
        buffers[buffer], offset, data.buffer, data.byteOffset + 4 * start, 4 * length);
    }
    waiting.delete(name);
  }
  const [missing] = waiting.keys();
  if (missing) throw new PressError("webgpu-weights", `The weights lack the tensor "${missing}".`);
}

/** Pipelines and bind groups of a program. @param {Gpu} gpu @param {ArrayBuffer} bytes */
export async function prepare({ device }, bytes, buffers) {
  /** @type {Program} */
  const { shaders, dispatches, submits, tables } = JSON.parse(new TextDecoder().decode(bytes));
  for (const { buffer, offset, data } of tables) {
    device.queue.writeBuffer(buffers[buffer], offset, new Float32Array(data));
  }
  const layouts = shaders.map(layoutMaker(device));
  const pipelines = await Promise.all(shaders.map((s, i) => compile(device, s.code, layouts[i])));
  const refused = "WebGPU refused a binding";
  const list = await guarded(device, "validation", "webgpu-validation", refused,
    () => dispatches.map(({ step, shader, bind, groups }) => ({
      step, groups, pipeline: pipelines[shader],
      group: device.createBindGroup({
        layout: layouts[shader],
        entries: bind.map(([buffer, offset, size], binding) => (
          { binding, resource: { buffer: buffers[buffer], offset, size } })),
      }),
    })));
  return { list, submits };
}

/** Bind group layouts by their number of read and written buffers. @param {GPUDevice} device */
function layoutMaker(device) {
  const made = new Map();
  return ({ reads, writes }) => {
    const key = `${reads} ${writes}`;
    if (!made.has(key)) {
      const entries = Array.from({ length: reads + writes }, (_, binding) => ({
        binding, visibility: GPUShaderStage.COMPUTE,
        buffer: { type: binding < reads ? "read-only-storage" : "storage" },
      }));
      made.set(key, device.createBindGroupLayout({ entries }));
    }
    return made.get(key);
  };
}

/** @param {GPUDevice} device @param {string} code @param {GPUBindGroupLayout} bindings */
async function compile(device, code, bindings) {
  device.pushErrorScope("validation"); // the pipeline's rejection tells of the same error
  const module = device.createShaderModule({ code });
  device.popErrorScope().catch(() => {});
  const layout = device.createPipelineLayout({ bindGroupLayouts: [bindings] });
  try {
    const compute = { module, entryPoint: "main" };
    return await device.createComputePipelineAsync({ layout, compute });
  } catch (error) {
    const { messages } = await module.getCompilationInfo();
    const worst = messages.find(({ type }) => type === "error");
    const why = worst ? `line ${worst.lineNum}: ${worst.message}` : error.message;
    const [title] = code.split("\n");
    throw new PressError("webgpu-compile", `The GPU's driver rejects a shader (${title}): ${why}`);
  }
}
