/** A decoded picture -> its pixels, on the page or in a worker. */

/**
 * The browser reduces larger pictures first, which bounds memory (a 100-megapixel photo has 400 MB
 * of pixels). Up to this size the resizing is exactly Pillow's.
 */
const MAX_PIXELS = 4e6;

/**
 * The whole picture on white, reduced where it is large.
 * @param {CanvasImageSource} source
 * @param {{width: number, height: number}} size  the source's
 * @param {HTMLCanvasElement|OffscreenCanvas} surface
 * @returns {CanvasRenderingContext2D|OffscreenCanvasRenderingContext2D} the surface's
 */
export function paint(source, { width, height }, surface) {
  const scale = Math.min(1, Math.sqrt(MAX_PIXELS / (width * height)));
  surface.width = Math.max(1, Math.round(width * scale));
  surface.height = Math.max(1, Math.round(height * scale));
  const settings = { willReadFrequently: true };
  const context = /** @type {CanvasRenderingContext2D} */ (surface.getContext("2d", settings));
  context.fillStyle = "#fff";
  context.fillRect(0, 0, surface.width, surface.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, surface.width, surface.height);
  return context;
}

/**
 * @param {CanvasRenderingContext2D|OffscreenCanvasRenderingContext2D} context
 * @returns {import("./resample.js").Pixels}
 */
export function readPixels(context) {
  const { width, height } = context.canvas;
  const rgba = context.getImageData(0, 0, width, height).data;
  const data = new Uint8ClampedArray(width * height * 3);
  for (let i = 0, o = 0; o < data.length; i += 4, o += 3) {
    data[o] = rgba[i];
    data[o + 1] = rgba[i + 1];
    data[o + 2] = rgba[i + 2];
  }
  return { data, width, height };
}
