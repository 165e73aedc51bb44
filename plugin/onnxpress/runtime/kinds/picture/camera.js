/** The visitor's camera as a <video> that plays. */
import { h } from "../../page/dom.js";
import { PressError } from "../../errors.js";

const REFUSALS = {
  NotAllowedError: "This page may not use the camera. Allow it beside the page's address and try " +
    "again, or choose a picture.",
  NotFoundError: "The browser finds no camera. Connect one and try again, or choose a picture.",
  NotReadableError: "The camera is in use elsewhere. Close the other program and try again, or " +
    "choose a picture.",
};

/** @returns {boolean} browsers offer cameras to secure pages only */
export const hasCameras = () => Boolean(navigator.mediaDevices?.getUserMedia);

/**
 * @param {import("../../types.js").ImageInput} image
 * @returns {Promise<{video: HTMLVideoElement, stop: () => void}>} its frames are about as large as
 *   the model's pictures
 * @throws {PressError} "camera"
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
    throw new PressError("camera", `The camera does not start: ${error.message}`, { cause: error });
  }
}

/** @returns {Promise<File>} what the camera sees now */
export async function takePicture(video) {
  const canvas = h("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await new Promise((resolve) => { canvas.toBlob(resolve); });
  return new File([blob], "Your camera", { type: blob.type });
}
