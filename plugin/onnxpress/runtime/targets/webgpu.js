/**
 * Runs a WebGPU program: buffers, pipelines and bind groups are made once, then each run is one
 * upload, one command buffer and one read-back. No DOM: it also runs in workers and in Node.
 */
import { PressError } from "../errors.js";
import { byTimestamps, byWaiting, encode, hurry } from "./webgpu/commands.js";
import { acquire, guarded, probe, translate } from "./webgpu/device.js";
import { makeBuffers, makeStaging, prepare, readProgram, setUp, upload } from "./webgpu/prepare.js";

export { probe };

/**
 * @typedef {import("../types.js").WebgpuTarget} WebgpuTarget
 * @typedef {import("./webgpu/device.js").Gpu} Gpu
 * @typedef {import("./webgpu/prepare.js").Commands} Commands
 * @typedef {import("./webgpu/prepare.js").Program} Program
 * @typedef {(encoder: GPUCommandEncoder) => void} Encode
 */

/**
 * @param {WebgpuTarget} about
 * @param {import("./contract.d.ts").FetchFile} fetchFile
 * @param {import("../load/weights.js").WeightStream} weights
 * @param {Pick<import("./contract.d.ts").OpenOptions, "build">} options
 * @returns {Promise<import("./contract.d.ts").Executable>}
 * @throws {PressError} "webgpu-" and missing, adapter, device, limits, memory, compile, validation,
 *   weights or lost
 */
export async function open(about, fetchFile, weights, { build }) {
  const fetched = fetchFile(about.files[build]);
  fetched.catch(() => {}); // a failure is reported below, unless there is no device
  const gpu = await acquire();
  /** @type {GPUBuffer[]} */
  const buffers = [];
  try {
    const program = readProgram(await fetched);
    buffers.push(...await makeBuffers(gpu.device, program.buffers));
    const [commands] = await Promise.all([
      prepare(gpu, program, buffers), upload(gpu, program.weights, weights, buffers)]);
    await setUp(gpu, program, commands, buffers);
    return new Executable(gpu, about.steps, program, buffers, commands);
  } catch (error) {
    for (const buffer of buffers) buffer.destroy();
    throw await translate(gpu, error);
  }
}

/** @typedef {import("./contract.d.ts").Executable} Contract */

/** @implements {Contract} */
class Executable {
  #gpu;
  #steps;
  #program;
  #buffers;
  #commands;
  #staging;
  #checked = false;

  /**
   * @param {Gpu} gpu
   * @param {WebgpuTarget["steps"]} steps
   * @param {Program} program
   * @param {GPUBuffer[]} buffers
   * @param {Commands} commands
   */
  constructor(gpu, steps, program, buffers, commands) {
    this.#gpu = gpu;
    this.#steps = steps;
    this.#program = program;
    this.#buffers = buffers;
    this.#commands = commands;
    this.#staging = makeStaging(gpu.device, program.outputs);
  }

  /** @param {Float32Array[]} inputs @returns {Promise<Float32Array[]>} */
  async run(inputs) {
    const { device } = this.#gpu;
    try {
      this.#write(inputs);
      if (this.#checked) {
        this.#submit();
      } else {
        const refused = "WebGPU refused the first run";
        await guarded(device, "validation", "webgpu-validation", refused, () => this.#submit());
        this.#checked = true;
      }
      return await this.#read();
    } catch (error) {
      throw await translate(this.#gpu, error);
    }
  }

  /**
   * By timestamps where the device has them (browsers round them), else by waiting for each
   * dispatch.
   * @param {Float32Array[]} inputs
   * @returns {Promise<{label: string, ms: number}[]>}
   */
  async profile(inputs) {
    try {
      this.#write(inputs);
      const { device } = this.#gpu;
      const measure = device.features.has("timestamp-query") ? byTimestamps : byWaiting;
      const times = await measure(device, this.#commands.list);
      const steps = this.#steps.map(([label]) => ({ label, ms: 0 }));
      this.#commands.list.forEach(({ step }, i) => { steps[step].ms += times[i]; });
      return steps;
    } catch (error) {
      throw await translate(this.#gpu, error);
    }
  }

  /** @type {NonNullable<Contract["openFrames"]>} */
  async openFrames(canvas, plan) {
    const { openFrames } = await import("./webgpu/frames.js");
    /** @param {Encode} before @param {Encode} after */
    const submit = (before, after) => this.#submit(before, after);
    const host = { gpu: this.#gpu, program: this.#program, buffers: this.#buffers, submit };
    return openFrames(host, canvas, plan);
  }

  dispose() {
    const { numbers } = this.#commands;
    for (const buffer of [...this.#buffers, numbers, this.#staging.buffer]) buffer.destroy();
  }

  /** @param {Float32Array[]} inputs */
  #write(inputs) {
    this.#program.inputs.forEach(({ name, buffer, offset, length }, i) => {
      const data = inputs[i];
      if (data.length !== length) {
        throw new PressError("input",
          `Input "${name}" takes ${length} values, got ${data.length}.`);
      }
      this.#gpu.device.queue.writeBuffer(
        this.#buffers[buffer], offset, data.buffer, data.byteOffset, data.byteLength);
    });
  }

  /**
   * The model between two encoders of the caller's.
   * @param {Encode} before
   * @param {Encode} after
   */
  #submit(before = () => {}, after = (encoder) => this.#copyOutputs(encoder)) {
    const { device } = this.#gpu;
    const { list, submits } = this.#commands;
    let begin = 0;
    submits.forEach((end, i) => {
      const encoder = device.createCommandEncoder();
      if (i === 0) before(encoder);
      encode(encoder.beginComputePass(), list.slice(begin, end));
      if (i === submits.length - 1) after(encoder);
      device.queue.submit([encoder.finish()]);
      begin = end;
    });
  }

  /** @param {GPUCommandEncoder} encoder */
  #copyOutputs(encoder) {
    this.#program.outputs.forEach(({ buffer, offset, length }, i) => {
      const { buffer: to, at } = this.#staging;
      encoder.copyBufferToBuffer(this.#buffers[buffer], offset, to, at[i], 4 * length);
    });
  }

  async #read() {
    const { buffer, at } = this.#staging;
    const mapped = buffer.mapAsync(GPUMapMode.READ);
    hurry(this.#gpu.device, mapped);
    await mapped;
    const outputs = this.#program.outputs.map(
      ({ length }, i) => new Float32Array(buffer.getMappedRange(at[i], 4 * length)).slice());
    buffer.unmap();
    return outputs;
  }
}
