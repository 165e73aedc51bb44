/** A manifest is checked before anything relies on it. */
import { PressError } from "../errors.js";
import { faultOf } from "./check.js";
import { misfitOf } from "./sense.js";

const FORMAT = 1;

/**
 * @param {string|URL} url  absolute, or relative to the page or `base`
 * @param {string} [base]
 * @returns {string} absolute
 * @throws {PressError} "manifest": it is no address
 */
export function manifestUrl(url, base = globalThis.document?.baseURI) {
  try {
    return new URL(url, base).href;
  } catch {
    throw new PressError("manifest", `"${shorten(String(url))}" is no address; give the URL of a ` +
      "manifest.json that onnxpress wrote.");
  }
}

/** @param {string} text */
const shorten = (text) => (text.length > 80 ? `${text.slice(0, 80)}…` : text);

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
