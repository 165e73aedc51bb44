/** For ?debug=1: the time of every step on this device. */
import { h } from "../dom/elements.js";
import { formatTime } from "../dom/format.js";

/**
 * @param {() => Promise<{label: string, ms: number}[]>} measure
 * @returns {HTMLElement} a button that becomes a table
 */
export function createProfile(measure) {
  const place = h("div", { className: "tables" });
  const button = h("button", { type: "button", className: "quiet", onclick: async () => {
    const steps = await measure();
    const total = steps.reduce((sum, { ms }) => sum + ms, 0);
    const caption = `${steps.length} steps, ${formatTime(total)}`;
    place.replaceChildren(h("table", {}, h("caption", {}, caption),
      h("tbody", {}, ...steps.map(({ label, ms }) => h("tr", {},
        h("th", { scope: "row" }, label), h("td", {}, formatTime(ms)),
        h("td", {}, `${((100 * ms) / (total || 1)).toFixed(1)} %`))))));
  } }, "Time every step");
  return h("div", {}, button, place);
}
