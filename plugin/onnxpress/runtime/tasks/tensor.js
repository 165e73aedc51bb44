/** The numbers that go in and come out, for a model whose answer is not to be looked at. */
import { h } from "../page/dom.js";

export { kind } from "../kinds/numbers.js";

const FIRST = 6;

/** @param {ArrayLike<number|bigint>} values */
function summary(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    low = Math.min(low, Number(value));
    high = Math.max(high, Number(value));
  }
  const first = Array.from(values.slice(0, FIRST), (v) => Number(Number(v).toPrecision(5)));
  return { low, high, first: first.join(", ") + (values.length > FIRST ? ", …" : "") };
}

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

/** @type {import("./contract.d.ts").TaskModule["createView"]} */
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
