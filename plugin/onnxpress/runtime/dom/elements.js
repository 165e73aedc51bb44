/** Elements from one expression; text is always text, styles are only classes. */

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Object<string, unknown>} [props]  `on...`: a listener; else a property where the element
 *   has one of that name, else an attribute; false and undefined are left out
 * @param {...(Node|string|null|undefined|false)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === false) continue;
    if (name.startsWith("on")) {
      element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    } else if (name in element && name !== "list") {
      Object.assign(element, { [name]: value });
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  for (const child of children) if (child) element.append(child);
  return element;
}

/** @param {number} share 0..1 @returns {SVGElement} a bar; decoration beside a written number */
export function bar(share) {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  const rect = document.createElementNS(ns, "rect");
  svg.setAttribute("aria-hidden", "true");
  rect.setAttribute("width", `${(100 * share).toFixed(2)}%`);
  rect.setAttribute("height", "100%");
  svg.append(rect);
  return svg;
}

/** @param {number} width @param {number} height @param {Object<string, unknown>} [props]  see h */
export function canvas(width, height, props = {}) {
  return h("canvas", { width, height, ...props });
}

/**
 * @param {HTMLCanvasElement} surface  without another kind of context
 * @param {CanvasRenderingContext2DSettings} [settings]
 */
export function contextOf(surface, settings) {
  return /** @type {CanvasRenderingContext2D} */ (surface.getContext("2d", settings));
}

/**
 * @param {string} label
 * @param {{min: number, max: number, step?: number|"any", value: number}} range
 * @param {(value: number) => void} onInput
 */
export function slider(label, { min, max, step = "any", value }, onInput) {
  const input = h("input", { type: "range", min, max, step, value });
  input.addEventListener("input", () => onInput(Number(input.value)));
  return h("label", { className: "slider" }, h("span", {}, label), input);
}
