/** The inputs that nobody hands over: mixtures, sliders, constants. */
import { h, slider } from "./dom.js";
import { sizeOf } from "../tensors.js";

/**
 * @param {import("../types.js").Demo} demo
 * @param {import("../types.js").Port[]} ports the model's inputs
 * @param {() => void} onChange
 * @returns {{elements: HTMLElement[], values: () => Object<string, number[]>}}
 */
export function createControls({ controls = [] }, ports, onChange) {
  const made = controls.map((control) => {
    const { shape } = ports.find((port) => port.name === control.input);
    return [control.input, MAKERS[control.kind](control, sizeOf(shape), onChange)];
  });
  return {
    elements: made.flatMap(([, { element }]) => element ?? []),
    values: () => Object.fromEntries(made.map(([input, { values }]) => [input, values()])),
  };
}

const MAKERS = { blend: createBlend, slider: createSlider, constant: createConstant };

function createConstant({ values }, size) {
  return { values: () => (values.length === 1 ? Array(size).fill(values[0]) : values) };
}

function createSlider({ label, value, ...range }, size, onChange) {
  let now = value;
  const element = slider(label, { ...range, value }, (next) => {
    now = next;
    onChange();
  });
  return { element, values: () => Array(size).fill(now) };
}

/** Below the heading "Style", "Style 7" is "7". @returns {string[]} */
function shortNames(label, options) {
  const names = options.map(({ name }) => name);
  const common = names.every((name) => name.startsWith(`${label} `));
  return common ? names.map((name) => name.slice(label.length + 1)) : names;
}

/** Chips: one option at a time, or several with a slider each. */
function createBlend({ label, options, initial = 0 }, size, onChange) {
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

  function choose(i) {
    const alone = weights[i] && weights.filter(Boolean).length === 1;
    if (!mixing) weights.fill(0);
    weights[i] = mixing && weights[i] && !alone ? 0 : weights[i] || 1;
    render();
    onChange();
  }

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
    chips.forEach((chip, i) => chip.setAttribute("aria-pressed", weights[i] > 0));
    toggle.setAttribute("aria-pressed", mixing);
    const rows = mixing ? options.map(({ name }, i) => weights[i] > 0 && slider(
      name, { min: 0.01, max: 1, step: 0.01, value: weights[i] },
      (value) => {
        weights[i] = value;
        onChange();
      })) : [];
    mixer.replaceChildren(...rows.filter(Boolean));
  }

  render();
  const compact = short.every((name, i) => name.length <= 3 && !options[i].thumbnail);
  const element = h("fieldset", { className: "blend" }, h("legend", {}, label),
    h("div", { className: compact ? "chips short" : "chips" }, ...chips), toggle, mixer);
  const sum = () => weights.reduce((a, b) => a + b, 0);
  return { element, values: () => weights.map((weight) => weight / sum()) };
}
