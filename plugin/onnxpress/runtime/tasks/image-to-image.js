/** Before and after, one over the other, with an edge that the visitor drags. */
import { canvas, contextOf, h } from "../dom/elements.js";
import { pixelsToImageData, placement, toImageData } from "../kinds/picture/tensor.js";

export { kind } from "../kinds/picture.js";
export const files = ["image"];

/**
 * @typedef {import("../types.js").ImageToImage} ImageToImage
 * @typedef {import("../types.js").PictureInput} PictureInput
 * @typedef {import("../kinds/picture.js").Picture} Picture
 * @typedef {import("../kinds/picture.js").Pixels} Pixels
 */

/**
 * @param {ImageToImage} options
 * @param {PictureInput} image
 * @param {import("../types.js").Port[]} outputs of the model
 * @returns {Promise<import("../targets/contract.d.ts").FramePlan>}
 */
export async function planFrames(options, image, outputs) {
  const { planFrames: plan } = await import("../kinds/picture/frames.js");
  const { shape = [] } = outputs.find(({ name }) => name === options.output) ?? {};
  return plan(image, options, shape);
}

/**
 * @param {ImageToImage} options
 * @param {PictureInput} image
 * @returns {import("./contract.d.ts").View<Picture, Pixels>}
 */
export function createView(options, image) {
  const [height, width] = image.size;
  const before = canvas(width, height, { className: "before", role: "img" });
  const after = h("div", { className: "after", role: "img" });
  const wipe = h("input", {
    type: "range", className: "wipe", min: 0, max: 100, step: 1, value: 50,
    ariaLabel: "How much of the original to show",
  });
  const save = h("a", { className: "quiet", download: "onnxpress.png" }, "Save the picture");
  const pair = h("div", { className: "compare" }, after, before, wipe,
    h("span", { className: "handle", ariaHidden: "true" }, "◂ ▸"),
    h("span", { className: "tag start", ariaHidden: "true" }, "Before"),
    h("span", { className: "tag end", ariaHidden: "true" }, "After"));
  const split = () => pair.style.setProperty("--split", `${wipe.value}%`);
  wipe.addEventListener("input", split);
  split();
  /** @param {HTMLElement|null} picture  null: there is no answer yet */
  const reveal = (picture) => {
    after.replaceChildren(...(picture ? [picture] : []));
    pair.toggleAttribute("bare", !picture);
  };
  reveal(null);
  save.hidden = true;
  save.addEventListener("click", () => {
    const made = after.querySelector("canvas");
    // The link's own click continues with the address that is set here.
    if (made) save.href = copied(made).toDataURL("image/png");
  });
  /** @type {Picture|null} */
  let shown = null;
  return {
    element: pair,
    tools: [save],

    expect({ value: picture, seen, sample }) {
      contextOf(before).putImageData(pixelsToImageData(seen), 0, 0);
      before.setAttribute("aria-label", `Before: ${picture.title}`);
      after.setAttribute("aria-label", `After: ${picture.title}`);
      if (shown !== picture) {
        const made = sample?.result;
        reveal(made?.kind === "pair" ? h("img", { src: made.image, alt: "" }) : null);
        save.hidden = true;
      }
      shown = picture;
    },

    show({ outputs, shapes }) {
      const values = /** @type {Float32Array} */ (outputs[options.output]);
      const data = toImageData(values, shapes[options.output], options);
      const target = canvas(data.width, data.height);
      contextOf(target).putImageData(data, 0, 0);
      reveal(target);
      save.hidden = false;
      return "The picture is ready.";
    },

    film() {
      const surface = canvas(1, 1);
      const context = contextOf(before);
      before.setAttribute("aria-label", "Before: your camera");
      after.setAttribute("aria-label", "After: your camera");
      shown = null;
      return {
        surface,
        capture(video) {
          const source = { width: video.videoWidth, height: video.videoHeight };
          const { width: w, height: h, left, top } = placement(source, image);
          context.drawImage(video, -left, -top, w, h);
        },
        reveal() {
          if (surface.isConnected) return;
          reveal(surface);
          save.hidden = false;
        },
      };
    },
  };
}

/**
 * A worker paints the camera's canvas, which gives no file itself.
 * @param {HTMLCanvasElement} source
 */
function copied(source) {
  const copy = canvas(source.width, source.height);
  contextOf(copy).drawImage(source, 0, 0);
  return copy;
}
