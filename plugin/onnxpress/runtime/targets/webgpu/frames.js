/** Frames that stay on the GPU: frame -> texture -> tensor -> model -> tensor -> canvas. */
import { encode } from "./commands.js";
import { guarded, translate } from "./device.js";

/** @typedef {import("../contract.d.ts").FramePlan} FramePlan */

/**
 * @typedef {Object} Host  The executable that the frames run on.
 * @property {import("./device.js").Gpu} gpu
 * @property {import("./prepare.js").Program} program
 * @property {GPUBuffer[]} buffers
 * @property {(before: (encoder: GPUCommandEncoder) => void,
 *   after: (encoder: GPUCommandEncoder) => void) => void} submit the model between two of ours
 */

/**
 * @param {Host} host
 * @param {import("../contract.d.ts").FrameCanvas} canvas one of a page, or whatever gives textures
 *   as they do
 * @param {FramePlan} plan
 * @returns {Promise<Frames>}
 */
export async function openFrames(host, canvas, plan) {
  const { device } = host.gpu;
  try {
    const format = navigator.gpu.getPreferredCanvasFormat();
    const context = canvas.getContext("webgpu");
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

function makePainter(device, format, code) {
  const module = device.createShaderModule({ code });
  return device.createRenderPipelineAsync({
    layout: "auto", vertex: { module }, fragment: { module, targets: [{ format }] },
  });
}

class Frames {
  #host;
  #context;
  #plan;
  #pipelines;
  #held = {};
  #made = [];
  #texture = null;
  #read = null;
  #paint;
  #checked = false;

  /** @param {Host} host @param {GPUCanvasContext} context @param {FramePlan} plan */
  constructor(host, context, plan, pipelines) {
    this.#host = host;
    this.#context = context;
    this.#plan = plan;
    this.#pipelines = pipelines;
    this.#held = Object.fromEntries(host.program.inputs.filter(({ name }) => name !== plan.input)
      .map((port) => [port.name, { port, buffer: this.#buffer(4 * port.length, "STORAGE") }]));
    const port = host.program.outputs.find(({ name }) => name === plan.output);
    const numbers = this.#uniform(plan.painter.numbers);
    this.#paint = this.#bind(pipelines.painter, numbers, this.#range(port));
  }

  /**
   * One frame, painted when the promise resolves. Frames may overlap; they are painted in order.
   * @param {VideoFrame|ImageBitmap|OffscreenCanvas|HTMLCanvasElement|HTMLVideoElement|GPUTexture}
   *   source a texture is one of the same device, in rgba8unorm, to be copied
   * @param {Object<string, Float32Array>} [changed] the other inputs: all at first, then news
   * @returns {Promise<void>}
   * @throws {PressError} "webgpu-lost", "webgpu-validation"
   */
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
    this.#texture?.destroy();
    for (const buffer of this.#made) buffer.destroy();
  }

  #submit(source) {
    const { device } = this.#host.gpu;
    const width = source.displayWidth ?? source.videoWidth ?? source.width;
    const height = source.displayHeight ?? source.videoHeight ?? source.height;
    if (width !== this.#texture?.width || height !== this.#texture?.height) {
      this.#resize(width, height);
    }
    const onGpu = source instanceof GPUTexture ? source : null;
    if (!onGpu) {
      device.queue.copyExternalImageToTexture(
        { source }, { texture: this.#texture }, [width, height]);
    }
    this.#host.submit((encoder) => this.#before(encoder, onGpu), (encoder) => this.#after(encoder));
  }

  #before(encoder, texture) {
    if (texture) {
      const { width, height } = texture;
      encoder.copyTextureToTexture({ texture }, { texture: this.#texture }, [width, height]);
    }
    // The memory of an input serves other values once the model has read it.
    for (const { port, buffer } of Object.values(this.#held)) {
      const { buffer: to, offset, length } = port;
      encoder.copyBufferToBuffer(buffer, 0, this.#host.buffers[to], offset, 4 * length);
    }
    const { groups } = this.#plan.reader;
    const command = { pipeline: this.#pipelines.reader, group: this.#read, groups };
    encode(encoder.beginComputePass(), [command]);
  }

  #after(encoder) {
    const view = this.#context.getCurrentTexture().createView();
    const target = { view, loadOp: "clear", storeOp: "store" };
    const pass = encoder.beginRenderPass({ colorAttachments: [target] });
    pass.setPipeline(this.#pipelines.painter);
    pass.setBindGroup(0, this.#paint);
    pass.draw(3);
    pass.end();
  }

  #resize(width, height) {
    const { device } = this.#host.gpu;
    this.#texture?.destroy();
    const { TEXTURE_BINDING, COPY_DST, RENDER_ATTACHMENT } = GPUTextureUsage;
    this.#texture = device.createTexture({
      size: [width, height], format: "rgba8unorm",
      usage: TEXTURE_BINDING | COPY_DST | RENDER_ATTACHMENT, // as the copy from a picture demands
    });
    const { input, reader } = this.#plan;
    const numbers = this.#uniform(reader.numbers({ width, height }));
    const port = this.#host.program.inputs.find(({ name }) => name === input);
    this.#read = this.#bind(
      this.#pipelines.reader, numbers, this.#texture.createView(), this.#range(port));
  }

  #bind(pipeline, ...resources) {
    const entries = resources.map((resource, binding) => ({ binding, resource }));
    const layout = pipeline.getBindGroupLayout(0);
    return this.#host.gpu.device.createBindGroup({ layout, entries });
  }

  #range({ buffer, offset, length }) {
    return { buffer: this.#host.buffers[buffer], offset, size: 4 * length };
  }

  #uniform(bytes) {
    const buffer = this.#buffer(bytes.byteLength, "UNIFORM");
    this.#host.gpu.device.queue.writeBuffer(buffer, 0, bytes);
    return { buffer };
  }

  #buffer(size, use) {
    const usage = GPUBufferUsage[use] | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const buffer = this.#host.gpu.device.createBuffer({ size, usage });
    this.#made.push(buffer);
    return buffer;
  }
}
