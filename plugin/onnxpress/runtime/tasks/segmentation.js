/** A coloured mask over the picture, with a legend. */
import { canvas, contextOf, h, slider } from "../dom/elements.js";
import { formatShare } from "../dom/format.js";
import { pixelsToImageData } from "../kinds/picture/tensor.js";

export { kind } from "../kinds/picture.js";
export const files = ["image"];

/** The numbers of tasks/segmentation.py, which draws posters: the same colours, the same legend. */
export const OPACITY = 0.6;
export const LEGEND = 0.001; // share of the picture below which the legend leaves a class out
export const GOLDEN_ANGLE = 137.508; // degrees of hue from one class to the next

/**
 * @typedef {import("../kinds/picture.js").Picture} Picture
 * @typedef {import("../kinds/picture.js").Pixels} Pixels
 * @typedef {{classes: Uint16Array, width: number, height: number}} ClassMap  classes[H, W]
 */

/**
 * Hues a golden angle apart: classes that are neighbours in the list never look alike.
 * @param {number} index of the class
 * @returns {number[]} red, green and blue, 0..255
 */
export function colour(index) {
  const hue = (index * GOLDEN_ANGLE) % 360;
  /** @param {number} n */
  const channel = (n) => {
    const k = (n + hue / 30) % 12;
    return Math.round(255 * (0.55 - 0.4 * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}

/**
 * @param {ArrayLike<number|bigint>} values
 * @param {number[]} shape  [1, C, H, W] or [1, H, W, C]; for indices of classes [.., H, W]
 * @param {Pick<import("../types.js").Segmentation, "kind"|"layout">} output
 * @returns {ClassMap}
 */
export function classMap(values, shape, { kind, layout }) {
  const dims = shape.filter((n, i) => n !== 1 || i >= shape.length - 2);
  if (kind === "classes") {
    const [height, width] = dims.slice(-2);
    return { classes: Uint16Array.from(values, Number), width, height };
  }
  const [height, width] = layout === "nchw" ? shape.slice(-2) : shape.slice(-3, -1);
  const count = values.length / (height * width);
  if (count === 1) {
    const even = kind === "logits" ? 0 : 0.5; // as likely as not
    return { classes: Uint16Array.from(values, (value) => Number(value > even)), width, height };
  }
  const [pixel, step] = layout === "nchw" ? [1, height * width] : [count, 1];
  const classes = Uint16Array.from({ length: height * width }, (_, i) => {
    let top = 0;
    for (let c = 1; c < count; c++) {
      if (values[i * pixel + c * step] > values[i * pixel + top * step]) top = c;
    }
    return top;
  });
  return { classes, width, height };
}

/**
 * @param {import("../types.js").Segmentation} options
 * @param {import("../types.js").PictureInput} image
 * @returns {import("./contract.d.ts").View<Picture, Pixels>}
 */
export function createView(options, { size: [height, width] }) {
  const base = canvas(width, height, { role: "img" });
  const mask = h("div", { className: "mask", ariaHidden: "true" });
  const stack = h("div", { className: "stack" }, base, mask);
  const legend = h("ul", { className: "legend" });
  /** @param {number} value  opacity, 0..1 */
  const fade = (value) => mask.style.setProperty("opacity", `${value}`);
  fade(OPACITY);
  return {
    element: h("div", { className: "onnx-poster" }, stack, h("div", {}, legend,
      slider("Overlay", { min: 0, max: 1, value: OPACITY }, fade))),

    expect({ value: picture, seen, sample }) {
      contextOf(base).putImageData(pixelsToImageData(seen), 0, 0);
      base.setAttribute("aria-label", picture.title);
      const made = sample?.result;
      const overlay = made?.kind === "pair" && made.image;
      mask.replaceChildren(...(overlay ? [h("img", { src: overlay, alt: "" })] : []));
      legend.replaceChildren();
    },

    show({ outputs, shapes, labels }) {
      const map = classMap(outputs[options.output], shapes[options.output], options);
      const target = canvas(map.width, map.height);
      contextOf(target).putImageData(paint(map), 0, 0);
      mask.replaceChildren(target);
      const found = shares(map.classes);
      legend.replaceChildren(...found.map(([index, share]) => legendRow(index, share, labels)));
      return `${found.length} regions, first ${labels[found[0][0]] ?? `class ${found[0][0]}`}`;
    },
  };
}

/** @param {ClassMap} map @returns {ImageData} class 0, by custom the background, stays clear */
function paint({ classes, width, height }) {
  const data = new ImageData(width, height);
  classes.forEach((index, i) => data.data.set([...colour(index), index ? 255 : 0], 4 * i));
  return data;
}

/**
 * @param {Uint16Array} classes
 * @returns {[index: number, share: number][]} classes and their shares of the picture, largest
 *   first
 */
function shares(classes) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (const index of classes) counts.set(index, (counts.get(index) ?? 0) + 1);
  return [...counts].filter(([, count]) => count / classes.length >= LEGEND)
    .sort((a, b) => b[1] - a[1]).map(([index, count]) => [index, count / classes.length]);
}

/** @param {number} index @param {number} share @param {string[]} labels */
function legendRow(index, share, labels) {
  const swatch = h("i", { ariaHidden: "true" });
  swatch.style.setProperty("background-color", index ? `rgb(${colour(index)})` : "transparent");
  return h("li", {}, swatch, h("span", {}, labels[index] ?? `Class ${index}`),
    h("b", {}, formatShare(share)));
}
