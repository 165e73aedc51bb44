/** Large pictures off the page's thread; helper.js is the other end. */
import { paint, readPixels } from "./surface.js";
import { fit } from "./tensor.js";

/**
 * @typedef {import("./resample.js").Pixels} Pixels
 * @typedef {import("../../types.js").PictureInput} PictureInput
 *
 * @typedef {Object} Jobs  What the page may ask for.
 * @property {(given: {blob: Blob}) => Promise<{pixels: Pixels, whole: ImageBitmap}>} decode
 * @property {(given: {pixels: Pixels, image: PictureInput}) => Promise<{pixels: Pixels}>} fit
 */

/** @type {Jobs} */
const JOBS = {
  async decode({ blob }) {
    // Colours are converted before transparency counts, as where a page draws a picture.
    const source = await createImageBitmap(blob, { premultiplyAlpha: "none" });
    const surface = new OffscreenCanvas(1, 1);
    const pixels = readPixels(paint(source, source, surface));
    source.close();
    return { pixels, whole: surface.transferToImageBitmap() };
  },
  fit: async ({ pixels, image }) => ({ pixels: fit(pixels, image) }),
};

addEventListener("message", async ({ data: { id, job, given } }) => {
  /** @type {(given: any) => Promise<{pixels: Pixels, whole?: ImageBitmap}>} */
  const work = JOBS[/** @type {keyof Jobs} */ (job)];
  const answer = await work(given).catch(() => null);
  const { pixels, whole } = answer ?? {};
  const made = [...(pixels ? [pixels.data.buffer] : []), ...(whole ? [whole] : [])];
  postMessage({ id, answer }, { transfer: made });
});

postMessage({ ready: true });
