/** Ways for a visitor's own file to come in: a file dialog, drag and drop, paste. */
import { h } from "../dom/elements.js";

/**
 * @typedef {Object} Picker
 * @property {HTMLElement} button
 * @property {(given?: import("../kinds/contract.d.ts").Given) => void} describe  tells what is
 *   wanted
 * @property {() => void} stop  takes every listener away
 */

/**
 * @param {HTMLElement} host  where files may be dropped; meanwhile it has the attribute "dropping"
 * @param {(file: Blob|null) => void} onFile  gets null where something else was dropped
 * @returns {Picker}
 */
export function createPicker(host, onFile) {
  const controller = new AbortController();
  const { signal } = controller;

  const input = h("input", { type: "file", hidden: true, tabIndex: -1 });
  const button = h("button", { type: "button", className: "quiet", part: "choose" });
  button.addEventListener("click", () => input.click(), { signal });
  input.addEventListener("change", () => {
    if (input.files?.[0]) onFile(input.files[0]);
    input.value = "";
  }, { signal });

  let depth = 0;
  /** @param {number} step  1 into an element, -1 out of one, 0 away */
  const hover = (step) => {
    depth = step ? Math.max(0, depth + step) : 0;
    host.toggleAttribute("dropping", depth > 0);
  };
  host.addEventListener("dragenter", () => hover(1), { signal });
  host.addEventListener("dragleave", () => hover(-1), { signal });
  host.addEventListener("dragover", (event) => event.preventDefault(), { signal });
  host.addEventListener("drop", (event) => {
    event.preventDefault();
    hover(0);
    onFile(event.dataTransfer?.files[0] ?? null);
  }, { signal });
  document.addEventListener("paste", (event) => {
    const only = document.querySelectorAll(host.localName).length === 1;
    if (!host.matches(":hover, :focus-within") && !only) return;
    const file = event.clipboardData?.files[0];
    if (file) onFile(file);
  }, { signal });
  return {
    button: h("span", {}, button, input),
    describe(given) {
      input.accept = given?.accept ?? "";
      button.textContent = given?.words.choose ?? "";
    },
    stop: () => controller.abort(),
  };
}
