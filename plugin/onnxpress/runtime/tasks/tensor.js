/**
 * The numbers that go in and come out, for a model whose answer is neither a picture nor a class.
 */
import { h } from "../dom/elements.js";

export { kind } from "../kinds/numbers.js";

const FIRST = 6; // values that are shown

/** @typedef {import("../api.d.ts").TypedArray} TypedArray */

/** @param {TypedArray} values */
function summary(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    low = Math.min(low, Number(value));
    high = Math.max(high, Number(value));
  }
  /** @type {ArrayLike<number|bigint>} */
  const head = values.slice(0, FIRST);
  const first = Array.from(head, (value) => Number(Number(value).toPrecision(5)));
  return { low, high, first: first.join(", ") + (values.length > FIRST ? ", …" : "") };
}

/**
 * @param {string} caption
 * @param {Object<string, TypedArray>} tensors
 * @param {Object<string, number[]>} shapes
 */
function table(caption, tensors, shapes) {
  const rows = Object.entries(tensors).map(([name, values]) => {
    const { low, high, first } = summary(values);
    return h("tr", {}, h("th", { scope: "row" }, name),
      ...[shapes[name].join(" × "), low.toPrecision(4), high.toPrecision(4), first]
        .map((text) => h("td", {}, text)));
  });
  const heads = ["Name", "Shape", "Least", "Largest", "First values"];
  return h("table", {}, h("caption", {}, caption),
    h("thead", {}, h("tr", {}, ...heads.map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, ...rows));
}

/** @returns {import("./contract.d.ts").View} */
export function createView() {
  const element = h("div", { className: "tables" });
  return {
    element,
    expect() {},
    show({ inputs, outputs, shapes }) {
      element.replaceChildren(table("Inputs", inputs, shapes), table("Outputs", outputs, shapes));
      return "The run is done.";
    },
  };
}
