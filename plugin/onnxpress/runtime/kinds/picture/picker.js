/** Ways for a visitor's own picture to come in: a file dialog, drag and drop, paste. */
import { PressError } from "../../errors.js";
import { h } from "../../page/dom.js";

/**
 * @param {HTMLElement} host where files may be dropped; it gets the class "dropping" meanwhile
 * @param {(blob: Blob) => void} onFile
 * @param {(error: Error) => void} onError
 * @returns {{button: HTMLElement, stop: () => void}} `stop` takes every listener away
 */
export function createPicker(host, onFile, onError) {
  const controller = new AbortController();
  const listen = (target, type, listener) =>
    target.addEventListener(type, listener, { signal: controller.signal });

  const input = h("input", { type: "file", accept: "image/*", hidden: true, tabIndex: -1 });
  const button = h("button", { type: "button", className: "quiet", part: "choose" },
    "Your own picture…");
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
    take(event.dataTransfer, onFile, onError);
  });
  listen(document, "paste", (event) => {
    const only = document.querySelectorAll(host.localName).length === 1;
    if (!host.matches(":hover, :focus-within") && !only) return;
    if (event.clipboardData.files.length) take(event.clipboardData, onFile, onError);
  });
  return { button: h("span", {}, button, input), stop: () => controller.abort() };
}

/** @param {DataTransfer} transfer */
function take(transfer, onFile, onError) {
  const [file] = transfer.files;
  if (file) return onFile(file);
  onError(new PressError("picture", "That is no file of yours: a page may not read pictures of " +
    "other pages. Save the picture first, then drop the file."));
}
