/** Before and after, one over the other, with an edge that the visitor drags. */
import { canvas, h } from "../page/dom.js";
import { pixelsToImageData, placement, toImageData } from "../kinds/picture/tensor.js";

export { kind } from "../kinds/picture.js";
export const files = ["image"];

/** @type {import("./contract.d.ts").TaskModule["planFrames"]} */
export async function planFrames({ image, output }, outputs) {
  const { planFrames: plan } = await import("../kinds/picture/frames.js");
  return plan(image, output, outputs.find(({ name }) => name === output.name).shape);
}

/** @type {import("./contract.d.ts").TaskModule["createView"]} */
export function createView({ image, output }) {
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
  const reveal = (picture) => {
    after.replaceChildren(...(picture ? [picture] : []));
    pair.toggleAttribute("bare", !picture);
  };
  reveal(null);
  save.hidden = true;
  save.addEventListener("click", () => {
    // The link's own click continues with the address that is set here.
    save.href = copied(after.querySelector("canvas")).toDataURL("image/png");
  });
  let shown = null;
  return {
    element: pair,
    tools: [save],

    expect({ value: picture, seen, sample }) {
      before.getContext("2d").putImageData(pixelsToImageData(seen), 0, 0);
      before.setAttribute("aria-label", `Before: ${picture.title}`);
      after.setAttribute("aria-label", `After: ${picture.title}`);
      if (shown !== picture) {
        reveal(sample?.result?.image && h("img", { src: sample.result.image, alt: "" }));
        save.hidden = true;
      }
      shown = picture;
    },

    show({ outputs, shapes }) {
      const data = toImageData(outputs[output.name], shapes[output.name], output);
      const target = canvas(data.width, data.height);
      target.getContext("2d").putImageData(data, 0, 0);
      reveal(target);
      save.hidden = false;
      return "The picture is ready.";
    },

    /**
     * For a video: the canvas that the model will paint, still empty; what draws a frame as the
     * model sees it; what shows the canvas once it is painted.
     */
    film() {
      const surface = canvas(1, 1);
      const context = before.getContext("2d");
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

/** A worker paints the camera's canvas, which gives no file itself. */
function copied(source) {
  const copy = canvas(source.width, source.height);
  copy.getContext("2d").drawImage(source, 0, 0);
  return copy;
}
