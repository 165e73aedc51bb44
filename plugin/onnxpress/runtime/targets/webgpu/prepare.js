/** From a program's text to buffers, pipelines and bind groups, all made once. */
import { ENCODINGS, PLAIN, decode } from "../../load/decode.js";
import { PressError } from "../../errors.js";
import { encode } from "./commands.js";
import { guarded } from "./device.js";

/** @typedef {[buffer: number, offset: number, bytes: number]} Binding */
/**
 * @typedef {{tensor: string, kind: "f32"|"f16"|"int8"|"int4"|"scale", start: number,
 *   bytes: number, runs?: number, pitch?: number, buffer: number, offset: number}} Upload  all in
 *   bytes; several `runs` lie `pitch` apart
 */
/**
 * @typedef {{step: number, shader: number, numbers: number[], bind: Binding[],
 *   groups: [number, number]}} Run
 */
/**
 * @typedef {Object} Program  programs/webgpu/build.py writes it.
 * @property {number[]} buffers  bytes
 * @property {Upload[]} weights
 * @property {Port[]} inputs
 * @property {Port[]} outputs
 * @property {{code: string, reads: number, writes: number, numbers: number}[]} shaders  `numbers`:
 *   u32 in a uniform binding after the others; none where 0; `//+` in `code` begins a line for
 *   subgroups
 * @property {Run[]} setup  once, after the weights are there
 * @property {number[]} spent  buffers that nothing reads after `setup`
 * @property {Run[]} dispatches
 * @property {number[]} submits  where each command buffer ends
 * @property {{buffer: number, offset: number, data: number[]}[]} tables
 */
/** @typedef {{name: string, buffer: number, offset: number, length: number}} Port */
/**
 * @typedef {{step: number, groups: [number, number], pipeline: GPUComputePipeline,
 *   group: GPUBindGroup}} Command
 */
/**
 * @typedef {Object} Commands  Ready to be encoded.
 * @property {Command[]} setup
 * @property {Command[]} list
 * @property {number[]} submits
 * @property {GPUBuffer} numbers  that shaders read
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
  const write = ({ buffer, offset }, bytes, at = 0) =>
    device.queue.writeBuffer(buffers[buffer], offset + at, bytes);
  const waiting = new Map();
  for (const place of places) {
    waiting.set(place.tensor, [...(waiting.get(place.tensor) ?? []), place]);
  }
  weights.into?.(({ name, bytes }) => {
    const [place, other] = waiting.get(name) ?? [];
    if (!place || other || place.kind !== PLAIN || place.runs > 1 || place.bytes !== bytes) return null;
    waiting.set(name, []);
    return (run, at) => write(place, run, at);
  });
  for await (const constant of weights) {
    const made = {};
    for (const place of waiting.get(constant.name) ?? []) {
      const data = made[place.kind] ??= inMemory(constant, place.kind);
      write(place, spread(data, place));
    }
    waiting.delete(constant.name);
  }
  const [missing] = waiting.keys();
  if (missing) throw new PressError("webgpu-weights", `The weights lack the tensor "${missing}".`);
}

/** @param {import("../../load/weights.js").Constant} constant @returns {ArrayBufferView} */
function inMemory(constant, kind) {
  if (kind === PLAIN) return constant.data;
  const { bytes, scale, encoding } = constant.stored;
  if (kind === "f16" && encoding === PLAIN) return new Float16Array(constant.data);
  if (kind !== "scale") return bytes;
  return decode(ENCODINGS[encoding].scales, scale);
}

/** @param {ArrayBuffer} bytes of its file @returns {Program} */
export function readProgram(bytes) {
  return JSON.parse(new TextDecoder().decode(bytes));
}

/** @param {ArrayBufferView} data @param {Upload} place @returns {Uint8Array} */
function spread(data, { start, bytes, runs = 1, pitch = bytes }) {
  const part = new Uint8Array(data.buffer, data.byteOffset + start, runs * bytes);
  if (pitch === bytes) return part;
  const out = new Uint8Array(runs * pitch);
  for (let i = 0; i < runs; i++) out.set(part.subarray(i * bytes, (i + 1) * bytes), i * pitch);
  return out;
}

/** Pipelines and bind groups of a program. @param {Gpu} gpu @param {Program} program */
export async function prepare({ device }, program, buffers) {
  const { shaders, setup, dispatches, submits } = program;
  for (const { buffer, offset, data } of program.tables) {
    device.queue.writeBuffer(buffers[buffer], offset, new Float32Array(data));
  }
  const layouts = shaders.map(layoutMaker(device));
  const runs = [...setup, ...dispatches];
  const numbers = writeNumbers(device, runs);
  const pipelines = [];
  // Drivers work on a few at a time, so those that take longest, which have most text, go first.
  const order = [...shaders.keys()].sort((a, b) => shaders[b].code.length - shaders[a].code.length);
  await Promise.all(order.map(async (i) => {
    pipelines[i] = await build(device, shaders[i].code, layouts[i]);
  }));
  const refused = "WebGPU refused a binding";
  const list = await guarded(device, "validation", "webgpu-validation", refused,
    () => runs.map(({ step, shader, bind, groups }, i) => {
      const resources = bind.map(([buffer, offset, size]) => (
        { buffer: buffers[buffer], offset, size }));
      if (shaders[shader].numbers) resources.push({ buffer: numbers.buffer, ...numbers.at[i] });
      const entries = resources.map((resource, binding) => ({ binding, resource }));
      const group = device.createBindGroup({ layout: layouts[shader], entries });
      return { step, groups, pipeline: pipelines[shader], group };
    }));
  const first = setup.length;
  return {
    setup: list.slice(0, first), list: list.slice(first), submits, numbers: numbers.buffer,
  };
}

/**
 * What is made of the uploaded weights once.
 * @param {Gpu} gpu @param {Program} program @param {Commands} commands @param {GPUBuffer[]} buffers
 */
export async function setUp({ device }, { spent }, { setup }, buffers) {
  if (!setup.length) return;
  const refused = "WebGPU refused to transform the weights";
  await guarded(device, "validation", "webgpu-validation", refused, () => {
    const encoder = device.createCommandEncoder();
    encode(encoder.beginComputePass(), setup);
    device.queue.submit([encoder.finish()]);
  });
  for (const buffer of spent) buffers[buffer].destroy();
}

/** Bind group layouts by their buffers' kinds. @param {GPUDevice} device */
function layoutMaker(device) {
  const made = new Map();
  return ({ reads, writes, numbers }) => {
    const types = [...Array(reads).fill("read-only-storage"), ...Array(writes).fill("storage")];
    if (numbers) types.push("uniform");
    const key = types.join();
    if (!made.has(key)) {
      const entries = types.map((type, binding) => (
        { binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } }));
      made.set(key, device.createBindGroupLayout({ entries }));
    }
    return made.get(key);
  };
}

/**
 * One buffer for all dispatches' numbers.
 * @param {GPUDevice} device
 * @returns {{buffer: GPUBuffer, at: {offset: number, size: number}[]}}
 */
function writeNumbers(device, dispatches) {
  const align = device.limits.minUniformBufferOffsetAlignment;
  let end = 0;
  const at = dispatches.map(({ numbers }) => {
    const offset = end;
    const size = Math.ceil(numbers.length / 4) * 16;
    end += Math.ceil(size / align) * align;
    return { offset, size };
  });
  const data = new Uint32Array(Math.max(end, align) / 4);
  dispatches.forEach(({ numbers }, i) => data.set(numbers, at[i].offset / 4));
  const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ size: data.byteLength, usage });
  device.queue.writeBuffer(buffer, 0, data);
  return { buffer, at };
}

/** With subgroups where the device takes them. @param {GPUDevice} device */
async function build(device, code, bindings) {
  const plain = () => compile(device, code, bindings);
  if (!device.features.has("subgroups") || !code.includes("//+")) return plain();
  const text = code.replaceAll("//+", "").replace("\n", "\nenable subgroups;\n");
  return compile(device, text, bindings).catch(plain);
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
