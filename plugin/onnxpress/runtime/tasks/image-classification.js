/** The picture beside the most likely classes. */
import { bar, h } from "../page/dom.js";
import { formatShare } from "../page/format.js";

export { kind } from "../kinds/picture.js";

/** @param {ArrayLike<number>} values @returns {Float64Array} */
export function softmax(values) {
  const peak = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = Float64Array.from(values, (v) => Math.exp(v - peak));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / sum);
}

/**
 * @param {ArrayLike<number>} scores
 * @param {number} count
 * @param {string[]} labels
 * @returns {{label: string, score: number}[]} best first
 */
export function best(scores, count, labels) {
  const order = Array.from(scores.keys()).sort((a, b) => scores[b] - scores[a]);
  return order.slice(0, count)
    .map((i) => ({ label: labels[i] ?? `Class ${i}`, score: scores[i] }));
}

/** @type {import("./contract.d.ts").TaskModule["createView"]} */
export function createView({ output, view = {} }) {
  const frame = h("div", { className: "onnx-picture" });
  const list = h("ol", { className: "onnx-bars" });
  const fill = (top) => list.replaceChildren(...top.map(({ label, score }) =>
    h("li", { className: "onnx-bar" },
      h("span", {}, label), h("b", {}, formatShare(score)), bar(score))));
  return {
    element: h("div", { className: "onnx-poster" }, frame, list),

    expect({ value: picture, sample }) {
      picture.canvas.setAttribute("role", "img");
      picture.canvas.setAttribute("aria-label", picture.title);
      frame.replaceChildren(picture.canvas);
      fill(sample?.result?.top ?? []);
    },

    /** @returns {string} the result in words */
    show({ outputs, labels }) {
      const values = outputs[output.name];
      const scores = output.kind === "probabilities" ? values : softmax(values);
      const top = best(scores, view.top ?? 5, labels);
      fill(top);
      return `${top[0].label}, ${formatShare(top[0].score)}`;
    },
  };
}
