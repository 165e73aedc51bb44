/** One voice for all demos of a page: a polite live region that only screen readers meet. */

/** @type {HTMLElement|null} */
let region = null;

const HIDDEN = {
  position: "absolute", width: "1px", height: "1px", overflow: "hidden", "clip-path": "inset(50%)",
  "white-space": "nowrap",
};

/** @param {string} text */
export function announce(text) {
  if (!region?.isConnected) {
    region = document.createElement("div");
    region.setAttribute("role", "status");
    region.setAttribute("aria-live", "polite");
    for (const [name, value] of Object.entries(HIDDEN)) region.style.setProperty(name, value);
    document.body.append(region);
  }
  region.textContent = text;
}
