/** Pixels <-> tensors, as the spec's image section says. */
import { crop, resample } from "./resample.js";

/**
 * @typedef {import("./resample.js").Pixels} Pixels
 * @typedef {import("../../types.js").PictureInput} PictureInput
 * @typedef {import("../../types.js").ImageToImage} ImageToImage
 */

/** Which channels of a tensor are red, green and blue. */
export const ORDER = { rgb: [0, 1, 2], bgr: [2, 1, 0], gray: [0, 0, 0] };

/**
 * The part of the picture that the model gets, at the model's size.
 * @param {Pixels} pixels
 * @param {PictureInput} image
 * @returns {Pixels}
 */
export function fit(pixels, image) {
  const { size: [height, width], filter, pad = 0 } = image;
  const { left, top, ...whole } = placement(pixels, image);
  const columns = { begin: Math.max(left, 0), end: Math.min(left + width, whole.width) };
  const rows = { begin: Math.max(top, 0), end: Math.min(top + height, whole.height) };
  const seen = resample(pixels, whole, columns, rows, filter);
  return crop(seen, left - columns.begin, top - rows.begin, width, height, pad);
}

/**
 * The size of the whole picture once it is scaled, and where in it the model's window begins.
 * @param {{width: number, height: number}} picture
 * @param {PictureInput} image
 * @returns {{width: number, height: number, left: number, top: number}}
 */
export function placement(picture, { size: [height, width], resize }) {
  if (resize === "stretch") return { width, height, left: 0, top: 0 };
  const [w, h] = scaledSize(picture, width, height, resize);
  return {
    width: w, height: h, left: Math.floor((w - width) / 2), top: Math.floor((h - height) / 2),
  };
}

/**
 * @param {{width: number, height: number}} picture
 * @param {number} width  of the tensor
 * @param {number} height
 * @param {PictureInput["resize"]} resize
 * @returns {number[]} width and height of the picture before the crop
 */
function scaledSize(picture, width, height, resize) {
  const sides = [picture.width, picture.height];
  if (typeof resize === "object") {
    const short = Math.min(...sides);
    return sides.map((side) => Math.max(1, Math.floor((side * resize.shorter) / short)));
  }
  const choose = resize === "cover" ? Math.max : Math.min;
  const scale = choose(width / picture.width, height / picture.height);
  return sides.map((side) => Math.max(1, Math.round(side * scale)));
}

/**
 * @param {number|number[]|undefined} value  one for each channel, or a single number
 * @param {number} fallback
 * @param {number} c  the channel
 * @returns {number}
 */
export const perChannel = (value, fallback, c) =>
  (Array.isArray(value) ? value[c] : value ?? fallback);

/**
 * @param {Pixels} pixels  of the model's size
 * @param {PictureInput} image
 * @returns {Float32Array} [1, C, H, W] or [1, H, W, C]
 */
export function toTensor({ data, width, height }, image) {
  const { layout, channels = "rgb", scale = 1 / 255, mean, std } = image;
  const count = channels === "gray" ? 1 : 3;
  const area = width * height;
  const out = new Float32Array(count * area);
  const [pixelStep, channelStep] = layout === "nchw" ? [1, area] : [count, 1];
  for (let c = 0; c < count; c++) {
    const m = perChannel(mean, 0, c), s = perChannel(std, 1, c);
    for (let i = 0; i < area; i++) {
      const value = count === 1 ? luma(data, 3 * i) : data[3 * i + ORDER[channels][c]];
      out[i * pixelStep + c * channelStep] = (value * scale - m) / s;
    }
  }
  return out;
}

/**
 * ITU-R 601-2 luma in Pillow's fixed point. Source: Pillow, src/libImaging/Convert.c.
 * @param {Uint8ClampedArray} data
 * @param {number} at  where the pixel begins
 */
function luma(data, at) {
  return (data[at] * 19595 + data[at + 1] * 38470 + data[at + 2] * 7471 + 0x8000) >> 16;
}

/**
 * @param {ArrayLike<number>} values  of an output that is a picture
 * @param {number[]} shape  [1, C, H, W] or [1, H, W, C]
 * @param {Pick<ImageToImage, "layout"|"channels"|"range">} options
 * @returns {ImageData}
 */
export function toImageData(values, shape, { layout, channels, range }) {
  const dims = shape.slice(-3);
  const [height, width] = layout === "nchw" ? dims.slice(1) : dims;
  const area = width * height;
  const count = values.length / area;
  const [pixelStep, channelStep] = layout === "nchw" ? [1, area] : [count, 1];
  const order = ORDER[channels];
  const scale = 255 / (range[1] - range[0]);
  const image = new ImageData(width, height);
  for (let i = 0; i < area; i++) {
    for (let c = 0; c < 3; c++) {
      const value = values[i * pixelStep + order[c] * channelStep];
      image.data[4 * i + c] = (value - range[0]) * scale;
    }
    image.data[4 * i + 3] = 255;
  }
  return image;
}

/** @param {Pixels} pixels @returns {ImageData} */
export function pixelsToImageData({ data, width, height }) {
  const image = new ImageData(width, height);
  const rgba = image.data;
  for (let i = 0, o = 0; i < data.length; i += 3, o += 4) {
    rgba[o] = data[i];
    rgba[o + 1] = data[i + 1];
    rgba[o + 2] = data[i + 2];
    rgba[o + 3] = 255;
  }
  return image;
}
