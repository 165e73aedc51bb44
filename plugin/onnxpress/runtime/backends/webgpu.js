/**
 * Runs a WebGPU program: buffers, pipelines and bind groups are made once, then each run is one
 * upload, one command buffer and one read-back. No DOM: it also runs in workers and in Node.
 */
import { PressError } from "../errors.js";

/** @typedef {{device: GPUDevice, lost: GPUDeviceLostInfo|null}} Gpu */
/** @typedef {[buffer: number, offset: number, bytes: number]} Binding */
/** @typedef {{step: number, shader: number, bind: Binding[], groups: [number, number]}} Dispatch */
/**
 * @typedef {Object} Program  emit/webgpu.py writes it.
 * @property {{code: string, reads: number, writes: number}[]} shaders
 * @property {Dispatch[]} dispatches
 * @property {number[]} submits  where each command buffer ends
 * @property {{buffer: number, offset: number, data: number[]}[]} tables
 */
/** @typedef {{name: string, buffer: number, offset: number, length: number}} Port */

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|warp|basic render/i;
const PATIENCE = 15_000; // milliseconds for an adapter or a device; some drivers never answer
const QUERIES = 2048; // dispatches per timestamp query set, which holds 4096 values

/** One device for all models of a page. @type {Promise<Gpu>|null} */
let shared = null;

/**
 * Whether WebGPU can be used here; makes no device.
 * @returns {Promise<{ok: boolean, software: boolean, reason: string, features: string[]}>}
 *   `software`: the processor emulates a GPU; `reason` is a sentence's end, empty where all is well
 */
export async function probe() {
  try {
    const adapter = await findAdapter();
    return { ok: true, software: isSoftware(adapter), reason: "", features: [...adapter.features] };
  } catch (error) {
    return { ok: false, software: false, reason: error.message, features: [] };
  }
}

/**
 * @param {{buffers: number[], inputs: Port[], outputs: Port[], steps: [string, number][],
 *   weights: {tensor: string, start: number, length: number, buffer: number, offset: number}[],
 *   files: Object<string, import("../types.js").FileEntry>}} about
 * @param {(entry: import("../types.js").FileEntry) => Promise<ArrayBuffer>} fetchFile
 * @param {AsyncIterable<{name: string, data: Float32Array}>} weights
 * @returns {Promise<import("../types.js").Executable>}
 * @throws {PressError} "webgpu-missing", "-adapter", "-device", "-memory", "-compile",
 *   "-validation", "-weights" or "-lost", each after "webgpu"
 */
export async function open(about, fetchFile, weights) {
  const gpu = await acquire();
  let buffers = [];
  try {
    buffers = await makeBuffers(gpu.device, about.buffers);
    const program = fetchFile(about.files.program).then((bytes) => prepare(gpu, bytes, buffers));
    const [commands] = await Promise.all([program, upload(gpu, about.weights, weights, buffers)]);
    return new Executable(gpu, about, buffers, commands);
  } catch (error) {
    for (const buffer of buffers) buffer.destroy();
    throw await translate(gpu, error);
  }
}

/** @implements {import("../types.js").Executable} */
class Executable {
  #gpu;
  #about;
  #buffers;
  #commands;
  #staging;
  #checked = false;

  /** @param {Gpu} gpu @param {object} about @param {GPUBuffer[]} buffers */
  constructor(gpu, about, buffers, commands) {
    this.#gpu = gpu;
    this.#about = about;
    this.#buffers = buffers;
    this.#commands = commands;
    this.#staging = makeStaging(gpu.device, about.outputs);
  }

  /** One run at a time; the caller queues. @param {Float32Array[]} inputs */
  async run(inputs) {
    const { device } = this.#gpu;
    try {
      const first = !this.#checked;
      if (first) device.pushErrorScope("validation");
      this.#write(inputs);
      this.#submit();
      const refused = first ? device.popErrorScope() : null;
      const outputs = await this.#read();
      const error = await refused;
      if (error) throw new PressError("webgpu-validation", `WebGPU refused a run: ${error.message}`);
      this.#checked = true;
      return outputs;
    } catch (error) {
      throw await translate(this.#gpu, error);
    }
  }

  /**
   * Milliseconds of each step, by timestamps where the device has them (browsers round them), else
   * by waiting for each dispatch.
   * @param {Float32Array[]} inputs
   * @returns {Promise<{label: string, ms: number}[]>}
   */
  async profile(inputs) {
    try {
      this.#write(inputs);
      const { device } = this.#gpu;
      const measure = device.features.has("timestamp-query") ? byTimestamps : byWaiting;
      const times = await measure(device, this.#commands.list);
      const steps = this.#about.steps.map(([label]) => ({ label, ms: 0 }));
      this.#commands.list.forEach(({ step }, i) => { steps[step].ms += times[i]; });
      return steps;
    } catch (error) {
      throw await translate(this.#gpu, error);
    }
  }

  dispose() {
    for (const buffer of [...this.#buffers, this.#staging.buffer]) buffer.destroy();
  }

  #write(inputs) {
    this.#about.inputs.forEach(({ name, buffer, offset, length }, i) => {
      const data = inputs[i];
      if (data.length !== length) {
        throw new PressError("input", `Input "${name}" takes ${length} values, got ${data.length}.`);
      }
      this.#gpu.device.queue.writeBuffer(
        this.#buffers[buffer], offset, data.buffer, data.byteOffset, data.byteLength);
    });
  }

  #submit() {
    const { device } = this.#gpu;
    const { list, submits } = this.#commands;
    let begin = 0;
    const ends = submits.length ? submits : [0];
    ends.forEach((end, i) => {
      const encoder = device.createCommandEncoder();
      encode(encoder.beginComputePass(), list.slice(begin, end));
      if (i === ends.length - 1) this.#copyOutputs(encoder);
      device.queue.submit([encoder.finish()]);
      begin = end;
    });
  }

  #copyOutputs(encoder) {
    this.#about.outputs.forEach(({ buffer, offset, length }, i) => {
      const { buffer: to, at } = this.#staging;
      encoder.copyBufferToBuffer(this.#buffers[buffer], offset, to, at[i], 4 * length);
    });
  }

  async #read() {
    const { buffer, at } = this.#staging;
    await buffer.mapAsync(GPUMapMode.READ);
    const outputs = this.#about.outputs.map(
      ({ length }, i) => new Float32Array(buffer.getMappedRange(at[i], 4 * length)).slice());
    buffer.unmap();
    return outputs;
  }
}

// --- device ---

/** @returns {Promise<GPUAdapter>} */
async function findAdapter() {
  const gpu = globalThis.navigator?.gpu;
  if (!gpu) throw new PressError("webgpu-missing", "this browser does not offer WebGPU here");
  const asked = gpu.requestAdapter({ powerPreference: "high-performance" });
  const adapter = await patiently(asked, "webgpu-adapter", "the browser could not reach the GPU");
  if (!adapter) throw new PressError("webgpu-adapter", "the browser found no usable GPU");
  return adapter;
}

/** @param {GPUAdapter} adapter */
function isSoftware(adapter) {
  const { info } = adapter;
  const fallback = info?.isFallbackAdapter ?? adapter.isFallbackAdapter ?? false;
  return fallback || SOFTWARE.test(`${info?.vendor} ${info?.architecture} ${info?.description}`);
}

/** The shared device; a lost one is replaced at the next call. @returns {Promise<Gpu>} */
function acquire() {
  shared ??= openDevice().catch((error) => {
    shared = null;
    throw error;
  });
  return shared;
}

/** @returns {Promise<Gpu>} */
async function openDevice() {
  const adapter = await findAdapter();
  const requiredFeatures = ["timestamp-query"].filter((name) => adapter.features.has(name));
  const device = await patiently(
    adapter.requestDevice({ requiredFeatures }), "webgpu-device", "the GPU gave no device");
  const gpu = { device, lost: null };
  device.lost.then((info) => {
    gpu.lost = info;
    shared = null;
  });
  return gpu;
}

/** `promise`, or PressError(code) where it fails or takes too long. */
async function patiently(promise, code, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer")), PATIENCE);
  });
  try {
    return await Promise.race([promise, late]);
  } catch (error) {
    throw new PressError(code, `${what} (${error.message})`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** The error to throw: a lost device explains whatever failed. @param {Gpu} gpu */
async function translate(gpu, error) {
  // The news of a loss may come just after the failure that it causes.
  if (!gpu.lost) await new Promise((resolve) => { setTimeout(resolve, 20); });
  if (gpu.lost) {
    const message = `the GPU stopped (${gpu.lost.message || gpu.lost.reason || "unknown reason"})`;
    return new PressError("webgpu-lost", message, { cause: error });
  }
  return error;
}

// --- preparation ---

/** What `make` returns; throws PressError(code) where WebGPU refuses any of it. */
async function guarded(device, filter, code, what, make) {
  device.pushErrorScope(filter);
  const made = make();
  const error = await device.popErrorScope();
  if (error) throw new PressError(code, `${what}: ${error.message}`);
  return made;
}

/** @param {GPUDevice} device @param {number[]} sizes in bytes @returns {Promise<GPUBuffer[]>} */
function makeBuffers(device, sizes) {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  return guarded(device, "out-of-memory", "webgpu-memory", "The GPU's memory does not suffice",
    () => sizes.map((size) => device.createBuffer({ size, usage })));
}

/** @param {GPUDevice} device @param {Port[]} outputs @returns {{buffer: GPUBuffer, at: number[]}} */
function makeStaging(device, outputs) {
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
async function upload({ device }, places, weights, buffers) {
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
async function prepare({ device }, bytes, buffers) {
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
    return await device.createComputePipelineAsync({ layout, compute: { module, entryPoint: "main" } });
  } catch (error) {
    const { messages } = await module.getCompilationInfo();
    const worst = messages.find(({ type }) => type === "error");
    const why = worst ? `line ${worst.lineNum}: ${worst.message}` : error.message;
    const [title] = code.split("\n");
    throw new PressError("webgpu-compile", `The GPU's driver rejects a shader (${title}): ${why}`);
  }
}

// --- running ---

/** @param {GPUComputePassEncoder} pass */
function encode(pass, commands) {
  let current = null;
  for (const { pipeline, group, groups } of commands) {
    if (pipeline !== current) pass.setPipeline(pipeline);
    current = pipeline;
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(...groups);
  }
  pass.end();
}

/** Milliseconds of each command. @param {GPUDevice} device @returns {Promise<number[]>} */
async function byTimestamps(device, commands) {
  const times = [];
  for (let begin = 0; begin < commands.length; begin += QUERIES) {
    const chunk = commands.slice(begin, begin + QUERIES);
    const bytes = 16 * chunk.length;
    const querySet = device.createQuerySet({ type: "timestamp", count: 2 * chunk.length });
    const values = device.createBuffer(
      { size: bytes, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
    const staging = device.createBuffer(
      { size: bytes, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = device.createCommandEncoder();
    chunk.forEach((command, i) => {
      const writes = { querySet, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 };
      encode(encoder.beginComputePass({ timestampWrites: writes }), [command]);
    });
    encoder.resolveQuerySet(querySet, 0, 2 * chunk.length, values, 0);
    encoder.copyBufferToBuffer(values, 0, staging, 0, bytes);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const stamps = new BigUint64Array(staging.getMappedRange());
    chunk.forEach((_, i) => times.push(Number(stamps[2 * i + 1] - stamps[2 * i]) / 1e6));
    for (const used of [querySet, values, staging]) used.destroy();
  }
  return times;
}

/** The same, each submitted and awaited on its own. @param {GPUDevice} device */
async function byWaiting(device, commands) {
  const times = [];
  await device.queue.onSubmittedWorkDone();
  for (const command of commands) {
    const started = performance.now();
    const encoder = device.createCommandEncoder();
    encode(encoder.beginComputePass(), [command]);
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    times.push(performance.now() - started);
  }
  return times;
}
