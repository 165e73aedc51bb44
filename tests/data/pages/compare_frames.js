/** One frame painted by a model on WebGPU, beside the same pixels by way of run(). */
import { acquire } from "/rt/targets/webgpu/device.js";
import { fit, toImageData, toTensor } from "/rt/kinds/picture/tensor.js";
import { openModel } from "/rt/model/model.js";
import { planFrames } from "/rt/tasks.js";

const STRENGTH = { s: Float32Array.of(0.25) };
const WRAP = {
  bitmap: (canvas) => createImageBitmap(canvas),
  frame: async (canvas) => new VideoFrame(canvas, { timestamp: 0 }),
  texture: async (canvas) => {
    const { device } = await acquire();
    const size = [canvas.width, canvas.height];
    const { COPY_SRC, COPY_DST, RENDER_ATTACHMENT } = GPUTextureUsage;
    const usage = COPY_SRC | COPY_DST | RENDER_ATTACHMENT;
    const texture = device.createTexture({ size, format: "rgba8unorm", usage });
    device.queue.copyExternalImageToTexture({ source: canvas }, { texture }, size);
    return texture;
  },
};

function drawn(width, height, paint) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  paint(context);
  return { canvas, rgba: context.getImageData(0, 0, width, height).data };
}

function noise(width, height) {
  const data = new ImageData(width, height);
  let state = 1;
  for (let i = 0; i < data.data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0; // Numerical Recipes' generator
    data.data[i] = i % 4 === 3 ? 255 : state >>> 24;
  }
  return drawn(width, height, (context) => context.putImageData(data, 0, 0));
}

async function byRun(model, { demo, outputs: [{ shape }] }, rgba, width, height) {
  const pixels = { width, height, data: rgba.filter((_, i) => i % 4 < 3) };
  const x = toTensor(fit(pixels, demo.given), demo.given);
  const { y } = await model.run({ x, ...STRENGTH });
  return toImageData(y, shape, demo.task).data;
}

/** @returns {Promise<{largest: number, levels: number, length: number}>} `largest` difference */
export async function compare(pack, demo, width, height, wrap) {
  const url = new URL(`/${pack}/manifest.json`, location.href).href;
  const manifest = { ...await (await fetch(url)).json(), demo };
  const model = await openModel(url, { target: "webgpu", manifest, planFrames });
  const { canvas, rgba } = noise(width, height);
  const wanted = await byRun(model, manifest, rgba, width, height);
  const surface = document.createElement("canvas");
  await model.openFrames(surface.transferControlToOffscreen());
  await model.drawFrame(await WRAP[wrap](canvas), STRENGTH);
  for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame); // until it is presented
  const painted = drawn(surface.width, surface.height,
    (context) => context.drawImage(surface, 0, 0)).rgba;
  model.dispose();
  const apart = [...wanted].map((value, i) => Math.abs(value - painted[i]));
  return { largest: Math.max(...apart), levels: new Set(wanted).size, length: painted.length };
}
