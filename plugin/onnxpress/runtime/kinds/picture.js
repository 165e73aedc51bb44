/** Pictures: a file -> pixels, upright, in sRGB, on white; or a sentence that says why not. */
import { PressError } from "../errors.js";
import { contextOf } from "../dom/elements.js";
import { formatBytes } from "../dom/format.js";
import { hasCameras, openCamera, takePicture } from "./picture/camera.js";
import { film } from "./picture/film.js";
import { fit, toTensor } from "./picture/tensor.js";

/**
 * @typedef {import("../types.js").PictureInput} PictureInput
 * @typedef {import("./picture/resample.js").Pixels} Pixels
 * @typedef {import("./picture/camera.js").Camera} Camera
 *
 * @typedef {Object} Picture
 * @property {string} title
 * @property {HTMLCanvasElement} canvas  the whole picture, for the eye
 * @property {() => Pixels} pixels
 */

/** @type {import("./contract.d.ts").Given<Picture, Pixels, PictureInput, Camera>} */
const given = {
  words: {
    choose: "Your own picture…",
    drop: "Drop the picture here",
    promise: "Pictures never leave this browser.",
    own: "Your own picture. It stays in this browser.",
    unnamed: "Your picture",
    missing: "Choose a picture first.",
    foreign: "That is no file of yours: a page may not read pictures of other pages. Save the " +
      "picture first, then drop the file.",
    instead: "a picture of your own",
  },
  accept: "image/*",
  faults: ["picture", "camera"],
  read: readPicture,
  see: (picture, image) => fit(picture.pixels(), image),
  toTensor,
  live: {
    words: {
      start: "Use the camera",
      stop: "Stop the camera",
      hint: "Your camera. Its pictures stay in this browser.",
      begun: "The camera is live.",
      ended: "The camera is off.",
    },
    offered: hasCameras,
    open: openCamera,
    run: film,
    take: ({ video }) => takePicture(video),
  },
};

/** @type {import("./contract.d.ts").Kind} */
export const kind = { name: "picture", given };

/**
 * The browser reduces larger pictures first, which bounds memory (a 100-megapixel photo has 400 MB
 * of pixels). Up to this size the resizing is exactly Pillow's.
 */
const MAX_PIXELS = 4e6;

/** How files begin that are no pictures. @type {[RegExp, string][]} */
const OTHERS = [
  [/^%PDF/, "a PDF document"],
  [/^.{4}ftyp(heic|heix|mif1|msf1)/s, "a HEIC photo, which this browser cannot read"],
  [/^PK\x03\x04/, "a zip archive"],
  [/^\s*(<!doctype|<html|<\?xml)/i, "a web page or XML text"],
  [/^.{4}ftyp/s, "a video"],
];

/**
 * @param {Blob} blob
 * @param {string} title
 * @returns {Promise<Picture>}
 * @throws {PressError} "picture": the browser cannot read it
 */
export async function readPicture(blob, title) {
  const name = "name" in blob && blob.name ? `"${blob.name}"` : "This";
  if (blob.size === 0) throw new PressError("picture", `${name} is empty; choose a picture file.`);
  const url = URL.createObjectURL(blob);
  try {
    const image = await loadImage(url);
    if (!image) throw new PressError("picture", await complaint(blob, name));
    return paint(image, title);
  } finally {
    URL.revokeObjectURL(url);
  }
}

/**
 * @param {string} url
 * @returns {Promise<HTMLImageElement|null>} not decoded yet: only its size is known
 */
function loadImage(url) {
  const image = new Image();
  return new Promise((resolve) => {
    image.addEventListener("load", () => resolve(image.naturalWidth ? image : null));
    image.addEventListener("error", () => resolve(null));
    image.src = url;
  });
}

/** @param {HTMLImageElement} image @param {string} title @returns {Picture} */
function paint(image, title) {
  const { naturalWidth, naturalHeight } = image;
  const scale = Math.min(1, Math.sqrt(MAX_PIXELS / (naturalWidth * naturalHeight)));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(naturalWidth * scale));
  canvas.height = Math.max(1, Math.round(naturalHeight * scale));
  const context = contextOf(canvas, { willReadFrequently: true });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return { title, canvas, pixels: () => readPixels(context) };
}

/** @param {CanvasRenderingContext2D} context @returns {Pixels} */
function readPixels(context) {
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

/**
 * @param {Blob} blob  that the browser cannot read
 * @param {string} name
 * @returns {Promise<string>} why not, and what to choose
 */
async function complaint(blob, name) {
  const head = new TextDecoder("latin1").decode(await blob.slice(0, 32).arrayBuffer());
  const known = OTHERS.find(([pattern]) => pattern.test(head));
  const advice = "choose a JPEG, PNG or WebP picture";
  if (known) return `${name} is ${known[1]}; ${advice}.`;
  if (blob.type.startsWith("image/")) {
    return `${name} is damaged or of a kind that this browser cannot read; ${advice}.`;
  }
  return `${name} (${formatBytes(blob.size)}) is not a picture; ${advice}.`;
}
