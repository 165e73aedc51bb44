/** Frames that stay on the GPU: frame -> texture -> tensor -> model -> tensor -> canvas. */
import { encode } from "./commands.js";
import { guarded, translate } from "./device.js";

/**
 * @typedef {import("../contract.d.ts").Frame} Frame
 * @typedef {import("../contract.d.ts").FrameContext} FrameContext
 * @typedef {import("../contract.d.ts").FramePlan} FramePlan
 * @typedef {import("../contract.d.ts").Frames} Contract
 * @typedef {import("./prepare.js").Port} Port
 */

/**
 * @typedef {Object} Host  The executable that the frames run on.
 * @property {import("./device.js").Gpu} gpu
 * @property {import("./prepare.js").Program} program
 * @property {GPUBuffer[]} buffers
 * @property {(before: (encoder: GPUCommandEncoder) => void,
 *   after: (encoder: GPUCommandEncoder) => void) => void} submit  runs the model; commands of ours
 *   come before it and after it
 *
 * @typedef {{reader: GPUComputePipeline, painter: GPURenderPipeline}} Pipelines
 */

/**
 * @param {Host} host
 * @param {import("../contract.d.ts").FrameCanvas} canvas
 * @param {FramePlan} plan
 * @returns {Promise<Frames>}
 */
export async function openFrames(host, canvas, plan) {
  const { device } = host.gpu;
  try {
    const format = navigator.gpu.getPreferredCanvasFormat();
    const context = canvas.getContext("webgpu");
    if (!context) throw new TypeError("the canvas has another context");
    [canvas.height, canvas.width] = plan.size;
    context.configure({ device, format, alphaMode: "opaque" });
    const [reader, painter] = await Promise.all([
      device.createComputePipelineAsync({ layout: "auto", compute: {
        module: device.createShaderModule({ code: plan.reader.code }) } }),
      makePainter(device, format, plan.painter.code),
    ]);
    return new Frames(host, context, plan, { reader, painter });
  } catch (error) {
    throw await translate(host.gpu, error);
  }
}

/** @param {GPUDevice} device @param {GPUTextureFormat} format @param {string} code */
function makePainter(device, format, code) {
  const module = device.createShaderModule({ code });
  return device.createRenderPipelineAsync({
    layout: "auto", vertex: { module }, fragment: { module, targets: [{ format }] },
  });
}

/** @implements {Contract} */
class Frames {
  #host;
  #context;
  #plan;
  #pipelines;
  /** The other inputs, by name. @type {Object<string, {port: Port, buffer: GPUBuffer}>} */
  #held = {};
  /** @type {GPUBuffer[]} */
  #made = [];
  /** The frame. @type {{texture: GPUTexture, group: GPUBindGroup}|null} */
  #seen = null;
  #paint;
  #checked = false;

  /**
   * @param {Host} host
   * @param {FrameContext} context
   * @param {FramePlan} plan
   * @param {Pipelines} pipelines
   */
  constructor(host, context, plan, pipelines) {
    this.#host = host;
    this.#context = context;
    this.#plan = plan;
    this.#pipelines = pipelines;
    for (const port of host.program.inputs) {
      if (port.name === plan.input) continue;
      this.#held[port.name] = { port, buffer: this.#buffer(4 * port.length, "STORAGE") };
    }
    const numbers = this.#uniform(plan.painter.numbers);
    this.#paint = this.#bind(
      pipelines.painter, numbers, this.#range(host.program.outputs, plan.output));
  }

  /** @param {Frame} source @param {Object<string, Float32Array>} [changed] */
  async draw(source, changed = {}) {
    const { gpu } = this.#host;
    try {
      for (const [name, data] of Object.entries(changed)) {
        gpu.device.queue.writeBuffer(this.#held[name].buffer, 0, data);
      }
      if (this.#checked) {
        this.#submit(source);
      } else {
        this.#checked = true;
        await guarded(gpu.device, "validation", "webgpu-validation",
          "WebGPU refused the first frame", () => this.#submit(source));
      }
      await gpu.device.queue.onSubmittedWorkDone();
    } catch (error) {
      throw await translate(gpu, error);
    }
    if (gpu.lost) throw await translate(gpu);
  }

  close() {
    this.#context.unconfigure();
    this.#seen?.texture.destroy();
    for (const buffer of this.#made) buffer.destroy();
  }

  /** @param {Frame} source */
  #submit(source) {
    const { device } = this.#host.gpu;
    const [width, height] = sizeOf(source);
    const { texture, group } = this.#fitting(width, height);
    const onGpu = source instanceof GPUTexture ? source : null;
    if (!(source instanceof GPUTexture)) {
      device.queue.copyExternalImageToTexture({ source }, { texture }, [width, height]);
    }
    this.#host.submit((encoder) => {
      if (onGpu) encoder.copyTextureToTexture({ texture: onGpu }, { texture }, [width, height]);
      this.#before(encoder, group);
    }, (encoder) => this.#after(encoder));
  }

  /** @param {GPUCommandEncoder} encoder @param {GPUBindGroup} group of the frame */
  #before(encoder, group) {
    // Other values take an input's memory once the model has read it, so all inputs come anew.
    for (const { port, buffer } of Object.values(this.#held)) {
      const { buffer: to, offset, length } = port;
      encoder.copyBufferToBuffer(buffer, 0, this.#host.buffers[to], offset, 4 * length);
    }
    const { groups } = this.#plan.reader;
    encode(encoder.beginComputePass(), [{ pipeline: this.#pipelines.reader, group, groups }]);
  }

  /** @param {GPUCommandEncoder} encoder */
  #after(encoder) {
    const view = this.#context.getCurrentTexture().createView();
    /** @type {GPURenderPassColorAttachment} */
    const target = { view, loadOp: "clear", storeOp: "store" };
    const pass = encoder.beginRenderPass({ colorAttachments: [target] });
    pass.setPipeline(this.#pipelines.painter);
    pass.setBindGroup(0, this.#paint);
    pass.draw(3);
    pass.end();
  }

  /**
   * The frame's texture; a new one where the size has changed.
   * @param {number} width
   * @param {number} height
   */
  #fitting(width, height) {
    const { device } = this.#host.gpu;
    const before = this.#seen?.texture;
    if (this.#seen && width === before?.width && height === before?.height) return this.#seen;
    before?.destroy();
    const { TEXTURE_BINDING, COPY_DST, RENDER_ATTACHMENT } = GPUTextureUsage;
    const texture = device.createTexture({
      size: [width, height], format: "rgba8unorm",
      usage: TEXTURE_BINDING | COPY_DST | RENDER_ATTACHMENT, // copying a picture demands the last
    });
    const { input, reader } = this.#plan;
    const numbers = this.#uniform(reader.numbers({ width, height }));
    const group = this.#bind(this.#pipelines.reader, numbers, texture.createView(),
      this.#range(this.#host.program.inputs, input));
    return (this.#seen = { texture, group });
  }

  /** @param {GPUPipelineBase} pipeline @param {GPUBindingResource[]} resources */
  #bind(pipeline, ...resources) {
    const entries = resources.map((resource, binding) => ({ binding, resource }));
    const layout = pipeline.getBindGroupLayout(0);
    return this.#host.gpu.device.createBindGroup({ layout, entries });
  }

  /** @param {Port[]} ports @param {string} wanted @returns {GPUBufferBinding} where it lies */
  #range(ports, wanted) {
    const port = ports.find(({ name }) => name === wanted);
    if (!port) throw new TypeError(`the program has no input or output "${wanted}"`);
    const { buffer, offset, length } = port;
    return { buffer: this.#host.buffers[buffer], offset, size: 4 * length };
  }

  /** @param {ArrayBuffer} bytes @returns {GPUBufferBinding} */
  #uniform(bytes) {
    const buffer = this.#buffer(bytes.byteLength, "UNIFORM");
    this.#host.gpu.device.queue.writeBuffer(buffer, 0, bytes);
    return { buffer };
  }

  /** @param {number} size  bytes @param {"STORAGE"|"UNIFORM"} use */
  #buffer(size, use) {
    const usage = GPUBufferUsage[use] | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const buffer = this.#host.gpu.device.createBuffer({ size, usage });
    this.#made.push(buffer);
    return buffer;
  }
}

/** @param {Frame} frame @returns {[width: number, height: number]} */
function sizeOf(frame) {
  return "displayWidth" in frame ? [frame.displayWidth, frame.displayHeight]
    : [frame.width, frame.height];
}
