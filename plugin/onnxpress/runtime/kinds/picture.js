/** Pictures: a file -> pixels, upright, in sRGB, on white; or a sentence that says why not. */
import { PressError } from "../errors.js";
import { canvas } from "../dom/elements.js";
import { formatBytes } from "../dom/format.js";
import { hasCameras, openCamera, takePicture } from "./picture/camera.js";
import { film } from "./picture/film.js";
import { ask } from "./picture/helper.js";
import { paint, readPixels } from "./picture/surface.js";
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
 * @property {(image: PictureInput) => Promise<Pixels>} see  the part that the model gets
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
  see: (picture, image) => picture.see(image),
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
 * A picture of more pixels is decoded and scaled in a worker. Below that, and so for every sample,
 * the page is done before a worker has started.
 */
const MANY = 1024 * 1024;

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
    const large = image.naturalWidth * image.naturalHeight > MANY;
    return (large && await readAside(blob, title)) || readHere(image, title);
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
function readHere(image, title) {
  const surface = document.createElement("canvas");
  const size = { width: image.naturalWidth, height: image.naturalHeight };
  const context = paint(image, size, surface);
  return {
    title, canvas: surface, pixels: () => readPixels(context),
    see: async (options) => fit(readPixels(context), options),
  };
}

/**
 * @param {Blob} blob
 * @param {string} title
 * @returns {Promise<Picture|null>} null where a worker cannot read it, such as an SVG
 */
async function readAside(blob, title) {
  const answer = await ask("decode", { blob });
  if (!answer) return null;
  const { pixels, whole } = answer;
  const surface = canvas(whole.width, whole.height);
  surface.getContext("bitmaprenderer")?.transferFromImageBitmap(whole);
  return {
    title, canvas: surface, pixels: () => pixels,
    see: async (image) => (await ask("fit", { pixels, image }))?.pixels ?? fit(pixels, image),
  };
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
