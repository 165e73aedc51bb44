/** Ways for a visitor's own file to come in: a file dialog, drag and drop, paste. */
import { h } from "./dom.js";

/**
 * @param {HTMLElement} host where files may be dropped; it gets the class "dropping" meanwhile
 * @param {(file: Blob|null) => void} onFile null where something else was dropped
 * @returns {{button: HTMLElement, stop: () => void,
 *   describe: (given?: import("../kinds/contract.d.ts").Given) => void}} `describe` tells what kind of file is wanted; `stop` takes every listener
 *   away
 */
export function createPicker(host, onFile) {
  const controller = new AbortController();
  const listen = (target, type, listener) =>
    target.addEventListener(type, listener, { signal: controller.signal });

  const input = h("input", { type: "file", hidden: true, tabIndex: -1 });
  const button = h("button", { type: "button", className: "quiet", part: "choose" });
  listen(button, "click", () => input.click());
  listen(input, "change", () => {
    if (input.files[0]) onFile(input.files[0]);
    input.value = "";
  });

  let depth = 0;
  const hover = (step) => {
    depth = step ? Math.max(0, depth + step) : 0;
    host.toggleAttribute("dropping", depth > 0);
  };
  listen(host, "dragenter", () => hover(1));
  listen(host, "dragleave", () => hover(-1));
  listen(host, "dragover", (event) => event.preventDefault());
  listen(host, "drop", (event) => {
    event.preventDefault();
    hover(0);
    onFile(event.dataTransfer.files[0] ?? null);
  });
  listen(document, "paste", (event) => {
    const only = document.querySelectorAll(host.localName).length === 1;
    if (!host.matches(":hover, :focus-within") && !only) return;
    if (event.clipboardData.files.length) onFile(event.clipboardData.files[0]);
  });
  return {
    button: h("span", {}, button, input),
    describe(given) {
      input.accept = given?.accept ?? "";
      button.textContent = given?.words.choose ?? "";
    },
    stop: () => controller.abort(),
  };
}
