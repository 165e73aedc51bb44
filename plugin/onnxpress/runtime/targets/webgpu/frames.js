/** Pictures that stay on the GPU: frame -> texture -> tensor -> model -> tensor -> canvas. */
import { ORDER, perChannel, placement } from "../../kinds/picture/tensor.js";
import { encode } from "./commands.js";
import { guarded, translate } from "./device.js";
import { TO_CANVAS, TO_TENSOR } from "./frame_shaders.js";

/** ITU-R 601-2 luma, as kinds/picture/tensor.js has it. */
const LUMA = [19595 / 65536, 38470 / 65536, 7471 / 65536];

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
 * @param {{width: number, height: number, getContext: (kind: "webgpu") => GPUCanvasContext}} canvas
 *   one of a page, or whatever gives textures as they do; takes the output's size
 * @param {import("../../types.js").Demo} demo an image-to-image one
 * @param {number[]} shape of the output
 * @returns {Promise<Frames>}
 */
export async function openFrames(host, canvas, demo, shape) {
  const { device } = host.gpu;
  try {
    const format = navigator.gpu.getPreferredCanvasFormat();
    const context = canvas.getContext("webgpu");
    const sides = shape.slice(demo.output.layout === "nhwc" ? -3 : -2);
    [canvas.height, canvas.width] = sides;
    context.configure({ device, format, alphaMode: "opaque" });
    const [reader, painter] = await Promise.all([
      device.createComputePipelineAsync({ layout: "auto", compute: {
        module: device.createShaderModule({ code: TO_TENSOR }) } }),
      makePainter(device, format),
    ]);
    return new Frames(host, context, demo, { reader, painter });
  } catch (error) {
    throw await translate(host.gpu, error);
  }
}

function makePainter(device, format) {
  const module = device.createShaderModule({ code: TO_CANVAS });
  return device.createRenderPipelineAsync({
    layout: "auto", vertex: { module }, fragment: { module, targets: [{ format }] },
  });
}

class Frames {
  #host;
  #context;
  #image;
  #pipelines;
  #held = {};
  #made = [];
  #texture = null;
  #read = null;
  #paint;
  #checked = false;

  constructor(host, context, { image, output }, pipelines) {
    this.#host = host;
    this.#context = context;
    this.#image = image;
    this.#pipelines = pipelines;
    this.#held = Object.fromEntries(host.program.inputs.filter(({ name }) => name !== image.input)
      .map((port) => [port.name, { port, buffer: this.#buffer(4 * port.length, "STORAGE") }]));
    const port = host.program.outputs.find(({ name }) => name === output.name);
    const plan = this.#uniform(canvasPlan(output, context.canvas, port.length));
    this.#paint = this.#bind(pipelines.painter, plan, this.#range(port));
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
    const [height, width] = this.#image.size;
    const groups = [Math.ceil(width / 8), Math.ceil(height / 8)];
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
    const plan = this.#uniform(tensorPlan(this.#image, { width, height }));
    const port = this.#host.program.inputs.find(({ name }) => name === this.#image.input);
    this.#read = this.#bind(
      this.#pipelines.reader, plan, this.#texture.createView(), this.#range(port));
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

/** Struct Plan of TO_TENSOR. @param {import("../../types.js").ImageInput} image */
function tensorPlan(image, source) {
  const { size: [height, width], layout, filter, pad = 0 } = image;
  const scaled = placement(source, image);
  const rows = channelRows(image);
  const steps = layout === "nchw" ? [1, width * height] : [rows.length, 1];
  const bytes = new ArrayBuffer(112);
  const floats = new Float32Array(bytes);
  floats.set([source.width, source.height, scaled.width, scaled.height, scaled.left, scaled.top]);
  new Uint32Array(bytes).set([width, height, ...steps, rows.length], 6);
  floats[11] = filter === "bicubic" ? 2 : 1;
  floats.set(rows.flat(), 12);
  floats.fill(pad / 255, 24, 27);
  return bytes;
}

/** (value * scale - mean) / std as a row of factors for red, green, blue and 1, per channel. */
function channelRows({ channels = "rgb", scale = 1 / 255, mean, std }) {
  const unit = (at) => [0, 1, 2].map((i) => Number(i === at));
  const picks = channels === "gray" ? [LUMA] : ORDER[channels].map(unit);
  return picks.map((pick, c) => {
    const spread = perChannel(std, 1, c);
    const row = pick.map((share) => (share * 255 * scale) / spread);
    return [...row, -perChannel(mean, 0, c) / spread];
  });
}

/** Struct Plan of TO_CANVAS. @param {import("../../types.js").Output} output */
function canvasPlan(output, { width, height }, length) {
  const { layout = "nchw", channels = "rgb", range: [black, white] = [0, 1] } = output;
  const area = width * height;
  const [step, next] = layout === "nchw" ? [1, area] : [length / area, 1];
  const bytes = new ArrayBuffer(32);
  new Uint32Array(bytes).set([width, step]);
  new Float32Array(bytes).set([black, white], 2);
  new Uint32Array(bytes).set((ORDER[channels] ?? [0, 0, 0]).map((c) => c * next), 4);
  return bytes;
}
