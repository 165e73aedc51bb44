/** The inputs that nobody hands over: mixtures, sliders, constants. */
import { h, slider } from "../dom/elements.js";
import { sizeOf } from "../tensors.js";

/**
 * @typedef {import("../types.js").Blend} Blend
 * @typedef {import("../types.js").Slider} Slider
 * @typedef {import("../types.js").Constant} Constant
 *
 * @typedef {Object} Control
 * @property {HTMLElement} [element]  for the visitor
 * @property {() => number[]} values  of the input, flat
 */

/**
 * @param {import("../types.js").Demo} demo
 * @param {import("../types.js").Port[]} ports  the model's inputs
 * @param {() => void} onChange
 * @returns {{elements: HTMLElement[], values: () => Object<string, number[]>}} `values` by the
 *   input's name
 */
export function createControls({ controls = [] }, ports, onChange) {
  const made = controls.map((control) => {
    const { shape = [] } = ports.find((port) => port.name === control.input) ?? {};
    return { input: control.input, ...createControl(control, sizeOf(shape), onChange) };
  });
  return {
    elements: made.flatMap(({ element }) => element ?? []),
    values: () => Object.fromEntries(made.map(({ input, values }) => [input, values()])),
  };
}

/**
 * @param {Blend|Slider|Constant} control
 * @param {number} size  values of the input
 * @param {() => void} onChange
 * @returns {Control}
 */
function createControl(control, size, onChange) {
  if (control.kind === "blend") return createBlend(control, size, onChange);
  if (control.kind === "slider") return createSlider(control, size, onChange);
  return createConstant(control, size);
}

/** @param {Constant} control @param {number} size @returns {Control} */
function createConstant({ values }, size) {
  return { values: () => (values.length === 1 ? Array(size).fill(values[0]) : values) };
}

/** @param {Slider} control @param {number} size @param {() => void} onChange @returns {Control} */
function createSlider({ label, value, ...range }, size, onChange) {
  let now = value;
  const element = slider(label, { ...range, value }, (next) => {
    now = next;
    onChange();
  });
  return { element, values: () => Array(size).fill(now) };
}

/**
 * Below the heading "Style", the option "Style 7" is called "7".
 * @param {string} label
 * @param {Blend["options"]} options
 * @returns {string[]}
 */
function shortNames(label, options) {
  const names = options.map(({ name }) => name);
  const common = names.every((name) => name.startsWith(`${label} `));
  return common ? names.map((name) => name.slice(label.length + 1)) : names;
}

/**
 * Chips: one option at a time, or several with a slider each.
 * @param {Blend} control
 * @param {number} size
 * @param {() => void} onChange
 * @returns {Control}
 */
function createBlend({ label, options, initial = 0 }, size, onChange) {
  /** @type {number[]} */
  const weights = Array(size).fill(0);
  weights[initial] = 1;
  let mixing = false;
  const short = shortNames(label, options);
  const chips = options.map(({ name, thumbnail }, i) => h("button", {
    type: "button", className: "chip", onclick: () => choose(i),
    ariaLabel: name,
  }, thumbnail && h("img", { src: thumbnail, alt: "", loading: "lazy" }),
  h("span", {}, short[i])));
  const mixer = h("div", { className: "mixer" });
  const toggle = h("button", { type: "button", className: "quiet", onclick: () => mix(!mixing) },
    "Mix several");

  /** @param {number} i  the option */
  function choose(i) {
    const alone = weights[i] && weights.filter(Boolean).length === 1;
    if (!mixing) weights.fill(0);
    weights[i] = mixing && weights[i] && !alone ? 0 : weights[i] || 1;
    render();
    onChange();
  }

  /** @param {boolean} on */
  function mix(on) {
    mixing = on;
    if (!on) {
      const top = weights.indexOf(Math.max(...weights));
      const several = weights.filter(Boolean).length > 1;
      weights.fill(0)[top] = 1;
      if (several) onChange();
    }
    render();
  }

  function render() {
    chips.forEach((chip, i) => chip.setAttribute("aria-pressed", `${weights[i] > 0}`));
    toggle.setAttribute("aria-pressed", `${mixing}`);
    const rows = options.flatMap(({ name }, i) => (mixing && weights[i] > 0 ? slider(
      name, { min: 0.01, max: 1, step: 0.01, value: weights[i] },
      (value) => {
        weights[i] = value;
        onChange();
      }) : []));
    mixer.replaceChildren(...rows);
  }

  render();
  const compact = short.every((name, i) => name.length <= 3 && !options[i].thumbnail);
  const element = h("fieldset", { className: "blend" }, h("legend", {}, label),
    h("div", { className: compact ? "chips short" : "chips" }, ...chips), toggle, mixer);
  const sum = () => weights.reduce((a, b) => a + b, 0);
  return { element, values: () => weights.map((weight) => weight / sum()) };
}
