/** The picture beside the most likely classes. */
import { bar, h } from "../dom/elements.js";
import { formatShare } from "../dom/format.js";

export { kind } from "../kinds/picture.js";

/**
 * @typedef {import("../types.js").TopClass} TopClass
 * @typedef {import("../kinds/picture.js").Picture} Picture
 * @typedef {import("../kinds/picture.js").Pixels} Pixels
 */

/** @param {Float32Array} values @returns {Float64Array} */
export function softmax(values) {
  const peak = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = Float64Array.from(values, (v) => Math.exp(v - peak));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / sum);
}

/**
 * @param {Float32Array|Float64Array} scores  of all classes
 * @param {number} count
 * @param {string[]} labels
 * @returns {TopClass[]} the best `count` classes, best first
 */
export function best(scores, count, labels) {
  const order = Array.from(scores.keys()).sort((a, b) => scores[b] - scores[a]);
  return order.slice(0, count)
    .map((i) => ({ label: labels[i] ?? `Class ${i}`, score: scores[i] }));
}

/**
 * @param {import("../types.js").ImageClassification} options
 * @returns {import("./contract.d.ts").View<Picture, Pixels>}
 */
export function createView({ output, kind: holds, top: count }) {
  const frame = h("div", { className: "onnx-picture" });
  const list = h("ol", { className: "onnx-bars" });
  /** @param {TopClass[]} top */
  const fill = (top) => list.replaceChildren(...top.map(({ label, score }) =>
    h("li", { className: "onnx-bar" },
      h("span", {}, label), h("b", {}, formatShare(score)), bar(score))));
  return {
    element: h("div", { className: "onnx-poster" }, frame, list),

    expect({ value: picture, sample }) {
      picture.canvas.setAttribute("role", "img");
      picture.canvas.setAttribute("aria-label", picture.title);
      frame.replaceChildren(picture.canvas);
      const made = sample?.result;
      fill(made?.kind === "classes" ? made.top : []);
    },

    show({ outputs, labels }) {
      const values = /** @type {Float32Array} */ (outputs[output]);
      const scores = holds === "logits" ? softmax(values) : values;
      const top = best(scores, count, labels);
      fill(top);
      return `${top[0].label}, ${formatShare(top[0].score)}`;
    },
  };
}
