/** A frame -> the input's picture, and the output's picture -> a canvas, in shaders. */
import { sizeOf } from "../../tensors.js";
import { TO_CANVAS, TO_TENSOR } from "./frame_shaders.js";
import { ORDER, perChannel, placement } from "./tensor.js";

/**
 * @typedef {import("../../types.js").PictureInput} PictureInput
 * @typedef {import("../../types.js").ImageToImage} ImageToImage
 * @typedef {{width: number, height: number}} Size
 */

/** ITU-R 601-2 luma, as in tensor.js. */
const LUMA = [19595 / 65536, 38470 / 65536, 7471 / 65536];

/**
 * @param {PictureInput} image
 * @param {ImageToImage} options
 * @param {number[]} shape of the output
 * @returns {import("../../targets/contract.d.ts").FramePlan}
 */
export function planFrames(image, options, shape) {
  const [height, width] = shape.slice(options.layout === "nhwc" ? -3 : -2);
  return {
    input: image.input,
    output: options.output,
    size: [height, width],
    reader: {
      code: TO_TENSOR,
      groups: [Math.ceil(image.size[1] / 8), Math.ceil(image.size[0] / 8)],
      numbers: (source) => tensorPlan(image, source),
    },
    painter: { code: TO_CANVAS, numbers: canvasPlan(options, { width, height }, sizeOf(shape)) },
  };
}

/**
 * Struct Plan of TO_TENSOR.
 * @param {PictureInput} image
 * @param {Size} source  the frame's
 */
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

/**
 * (value * scale - mean) / std as a row of factors for red, green, blue and 1, per channel.
 * @param {PictureInput} image
 */
function channelRows({ channels = "rgb", scale = 1 / 255, mean, std }) {
  /** @param {number} at */
  const unit = (at) => [0, 1, 2].map((i) => Number(i === at));
  const picks = channels === "gray" ? [LUMA] : ORDER[channels].map(unit);
  return picks.map((pick, c) => {
    const spread = perChannel(std, 1, c);
    const row = pick.map((share) => (share * 255 * scale) / spread);
    return [...row, -perChannel(mean, 0, c) / spread];
  });
}

/**
 * Struct Plan of TO_CANVAS.
 * @param {ImageToImage} options
 * @param {Size} canvas
 * @param {number} length  values of the output
 */
function canvasPlan({ layout, channels, range: [black, white] }, { width, height }, length) {
  const area = width * height;
  const [step, next] = layout === "nchw" ? [1, area] : [length / area, 1];
  const bytes = new ArrayBuffer(32);
  new Uint32Array(bytes).set([width, step]);
  new Float32Array(bytes).set([black, white], 2);
  new Uint32Array(bytes).set(ORDER[channels].map((c) => c * next), 4);
  return bytes;
}
