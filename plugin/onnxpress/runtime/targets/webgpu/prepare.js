/** From a program's text to buffers, pipelines and bind groups, all made once. */
import { ENCODINGS, PLAIN, decode } from "../../load/decode.js";
import { PressError, factsOf } from "../../errors.js";
import { encode } from "./commands.js";
import { guarded } from "./device.js";

/**
 * @typedef {import("./device.js").Gpu} Gpu
 * @typedef {import("../../load/weights.js").Constant} Constant
 */

/**
 * @typedef {Object} Program  programs/webgpu/build.py writes it.
 * @property {number[]} buffers  bytes of each
 * @property {Upload[]} weights
 * @property {Port[]} inputs
 * @property {Port[]} outputs
 * @property {Shader[]} shaders
 * @property {Run[]} setup  runs once, after the weights are there
 * @property {number[]} spent  buffers that nothing reads after `setup`
 * @property {Run[]} dispatches
 * @property {number[]} submits  where each command buffer ends
 * @property {{buffer: number, offset: number, data: number[]}[]} tables  f32; `offset` in bytes
 *
 * @typedef {Object} Upload  Where a constant, or a part of one, lies on the GPU; all in bytes.
 * @property {string} tensor
 * @property {import("../../load/decode.js").EncodingName|"scale"} kind  how it lies there
 * @property {number} start  of the part in the constant
 * @property {number} bytes  of a run
 * @property {number} [runs]  1
 * @property {number} [pitch]  from a run to the next one on the GPU
 * @property {number} buffer
 * @property {number} offset  in the buffer
 *
 * @typedef {Object} Port  An input or output.
 * @property {string} name
 * @property {number} buffer
 * @property {number} offset  bytes
 * @property {number} length  f32 values
 *
 * @typedef {Object} Shader
 * @property {string} code  in WGSL; `//+` begins a line for devices with subgroups
 * @property {number} reads  buffers; they are bound first
 * @property {number} writes  buffers; they are bound next
 * @property {number} numbers  u32 values in a uniform buffer, which is bound last; 0: there is none
 *
 * @typedef {Object} Run  A dispatch.
 * @property {number} step  the step that it belongs to
 * @property {number} shader
 * @property {number[]} numbers
 * @property {[buffer: number, offset: number, bytes: number][]} bind
 * @property {[number, number]} groups  workgroups along x and y
 */

/**
 * @typedef {import("./commands.js").Dispatch & {step: number}} Command
 *
 * @typedef {Object} Commands  Ready to be encoded.
 * @property {Command[]} setup
 * @property {Command[]} list
 * @property {number[]} submits  where each command buffer ends
 * @property {GPUBuffer} numbers  that shaders read
 */

/**
 * @param {GPUDevice} device
 * @param {number[]} sizes  bytes of each
 * @returns {Promise<GPUBuffer[]>}
 * @throws {PressError} "webgpu-limits", "webgpu-memory"
 */
export function makeBuffers(device, sizes) {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  return guarded(device, "validation", "webgpu-limits", "The GPU refuses a buffer",
    () => guarded(device, "out-of-memory", "webgpu-memory", "The GPU's memory does not suffice",
      () => sizes.map((size) => device.createBuffer({ size, usage }))));
}

/**
 * The buffer that outputs are read back from.
 * @param {GPUDevice} device
 * @param {Port[]} outputs
 * @returns {{buffer: GPUBuffer, at: number[]}} `at`: bytes from its start to each output
 */
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

/**
 * Writes each constant as it arrives.
 * @param {Gpu} gpu
 * @param {Upload[]} places
 * @param {import("../../load/weights.js").WeightStream} weights
 * @param {GPUBuffer[]} buffers
 * @throws {PressError} "webgpu-weights": a constant does not arrive
 */
export async function upload({ device }, places, weights, buffers) {
  /** @param {Upload} place @param {Uint8Array} bytes @param {number} [at] */
  const write = ({ buffer, offset }, bytes, at = 0) =>
    device.queue.writeBuffer(buffers[buffer], offset + at, bytes);
  /** @type {Map<string, Upload[]>} */
  const waiting = new Map();
  for (const place of places) {
    waiting.set(place.tensor, [...(waiting.get(place.tensor) ?? []), place]);
  }
  weights.into?.(({ name, bytes }) => {
    const [place, other] = waiting.get(name) ?? [];
    const { kind, runs = 1 } = place ?? {};
    if (other || kind !== PLAIN || runs > 1 || place.bytes !== bytes) return null;
    waiting.set(name, []);
    return (run, at) => write(place, run, at);
  });
  for await (const constant of weights) {
    /** @type {{[kind in Upload["kind"]]?: ArrayBufferView}} */
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

/**
 * @param {Constant} constant
 * @param {Upload["kind"]} kind
 * @returns {ArrayBufferView} the constant, or its scales, as they lie on the GPU
 */
function inMemory(constant, kind) {
  if (kind === PLAIN) return constant.data;
  const { bytes, scale, encoding } = constant.stored;
  if (kind === "f16" && encoding === PLAIN) return new Float16Array(constant.data);
  const { scales } = ENCODINGS[encoding];
  return kind === "scale" && scale && scales ? decode(scales, scale) : bytes;
}

/** @param {ArrayBuffer} bytes  of the program's file @returns {Program} */
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

/**
 * Makes the pipelines and bind groups of a program.
 * @param {Gpu} gpu
 * @param {Program} program
 * @param {GPUBuffer[]} buffers
 * @returns {Promise<Commands>}
 * @throws {PressError} "webgpu-compile", "webgpu-validation"
 */
export async function prepare({ device }, program, buffers) {
  const { shaders, setup, dispatches, submits } = program;
  for (const { buffer, offset, data } of program.tables) {
    device.queue.writeBuffer(buffers[buffer], offset, new Float32Array(data));
  }
  const layouts = shaders.map(layoutMaker(device));
  const runs = [...setup, ...dispatches];
  const numbers = writeNumbers(device, runs);
  /** @type {GPUComputePipeline[]} */
  const pipelines = [];
  // Drivers work on a few at a time, so the longest shaders, which take most time, go first.
  const order = [...shaders.keys()].sort((a, b) => shaders[b].code.length - shaders[a].code.length);
  await Promise.all(order.map(async (i) => {
    pipelines[i] = await build(device, shaders[i].code, layouts[i]);
  }));
  const refused = "WebGPU refused a binding";
  const list = await guarded(device, "validation", "webgpu-validation", refused,
    () => runs.map(({ step, shader, bind, groups }, i) => {
      /** @type {GPUBufferBinding[]} */
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
 * Runs the program's setup, which transforms the uploaded weights.
 * @param {Gpu} gpu
 * @param {Program} program
 * @param {Commands} commands
 * @param {GPUBuffer[]} buffers
 * @throws {PressError} "webgpu-validation"
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

/**
 * Makes bind group layouts; shaders with the same kinds of buffers share one.
 * @param {GPUDevice} device
 * @returns {(shader: Shader) => GPUBindGroupLayout}
 */
function layoutMaker(device) {
  /** @type {Map<string, GPUBindGroupLayout>} */
  const made = new Map();
  return ({ reads, writes, numbers }) => {
    /** @type {GPUBufferBindingType[]} */
    const types = [...Array(reads).fill("read-only-storage"), ...Array(writes).fill("storage")];
    if (numbers) types.push("uniform");
    const key = types.join();
    const found = made.get(key);
    if (found) return found;
    const entries = types.map((type, binding) => (
      { binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } }));
    const layout = device.createBindGroupLayout({ entries });
    made.set(key, layout);
    return layout;
  };
}

/**
 * Makes one buffer for the numbers of all dispatches.
 * @param {GPUDevice} device
 * @param {Run[]} dispatches
 * @returns {{buffer: GPUBuffer, at: {offset: number, size: number}[]}} `at`: bytes of each dispatch
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

/**
 * Compiles a shader, with subgroups where the device has them and the driver takes them.
 * @param {GPUDevice} device
 * @param {string} code
 * @param {GPUBindGroupLayout} bindings
 */
async function build(device, code, bindings) {
  const plain = () => compile(device, code, bindings);
  if (!device.features.has("subgroups") || !code.includes("//+")) return plain();
  const text = code.replaceAll("//+", "").replace("\n", "\nenable subgroups;\n");
  return compile(device, text, bindings).catch(plain);
}

/**
 * @param {GPUDevice} device
 * @param {string} code
 * @param {GPUBindGroupLayout} bindings
 * @returns {Promise<GPUComputePipeline>}
 * @throws {PressError} "webgpu-compile"
 */
async function compile(device, code, bindings) {
  device.pushErrorScope("validation"); // the pipeline is rejected for the same error
  const module = device.createShaderModule({ code });
  device.popErrorScope().catch(() => {});
  const layout = device.createPipelineLayout({ bindGroupLayouts: [bindings] });
  try {
    const compute = { module, entryPoint: "main" };
    return await device.createComputePipelineAsync({ layout, compute });
  } catch (error) {
    const { messages } = await module.getCompilationInfo();
    const worst = messages.find(({ type }) => type === "error");
    const why = worst ? `line ${worst.lineNum}: ${worst.message}` : factsOf(error).message;
    const [title] = code.split("\n");
    throw new PressError("webgpu-compile", `The GPU's driver rejects a shader (${title}): ${why}`);
  }
}
