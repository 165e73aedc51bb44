/** The visitor's camera as a <video> that plays. */
import { contextOf, h } from "../../dom/elements.js";
import { PressError, factsOf } from "../../errors.js";

/** @typedef {{video: HTMLVideoElement, stop: () => void}} Camera */

/** By the names of the browser's errors. @type {Object<string, string>} */
const REFUSALS = {
  NotAllowedError: "This page may not use the camera. Allow it beside the page's address and try " +
    "again, or choose a picture.",
  NotFoundError: "The browser finds no camera. Connect one and try again, or choose a picture.",
  NotReadableError: "The camera is in use elsewhere. Close the other program and try again, or " +
    "choose a picture.",
};

/** Browsers offer cameras to secure pages only. @returns {boolean} */
export const hasCameras = () => Boolean(navigator.mediaDevices?.getUserMedia);

/**
 * @param {import("../../types.js").PictureInput} image
 * @returns {Promise<Camera>} its frames are about as large as the model's pictures
 * @throws {PressError} "camera": it does not start
 */
export async function openCamera({ size: [height, width] }) {
  const wanted = { width: { ideal: width }, height: { ideal: height } };
  const stream = await navigator.mediaDevices.getUserMedia({ video: wanted }).catch((error) => {
    const why = REFUSALS[error.name] ?? `The camera does not start: ${error.message}`;
    throw new PressError("camera", why, { cause: error });
  });
  const stop = () => stream.getTracks().forEach((track) => track.stop());
  const video = h("video", { muted: true, playsInline: true, srcObject: stream });
  try {
    await video.play();
    return { video, stop };
  } catch (error) {
    stop();
    const { message } = factsOf(error);
    throw new PressError("camera", `The camera does not start: ${message}`, { cause: error });
  }
}

/** @param {HTMLVideoElement} video @returns {Promise<File>} the picture that it shows now */
export async function takePicture(video) {
  const canvas = h("canvas", { width: video.videoWidth, height: video.videoHeight });
  contextOf(canvas).drawImage(video, 0, 0);
  /** @type {Blob|null} */
  const blob = await new Promise((resolve) => { canvas.toBlob(resolve); });
  if (!blob) throw new PressError("camera", "The camera's picture cannot be read. Try again.");
  return new File([blob], "Your camera", { type: blob.type });
}
