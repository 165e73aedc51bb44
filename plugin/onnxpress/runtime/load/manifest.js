/** A manifest is checked before anything relies on it. */
import { PressError } from "../errors.js";
import { faultOf } from "./check.js";
import { misfitOf } from "./sense.js";

const FORMAT = 1;

/**
 * @param {any} value as JSON.parse gives it
 * @param {string} url for the message
 * @returns {import("../types.js").Manifest}
 * @throws {PressError} "manifest": the message names the place
 */
export function requireManifest(value, url) {
  if (value?.onnxpress !== FORMAT) {
    throw new PressError("manifest", `${url}: this is no onnxpress manifest of format ${FORMAT}; ` +
      "build the model and this page with the same version of onnxpress.");
  }
  const fault = faultOf("Manifest", value) ?? misfitOf(value);
  if (!fault) return value;
  throw new PressError("manifest", `${url}: ${fault.place}: ${fault.what}; build the pack again.`);
}
